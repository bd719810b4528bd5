"""Conversations on disk: kept whole, each owner's own, exported exactly."""

import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock
from markdown_it import MarkdownIt

from eval.exams.cases import Case, load_cases
from qa.errors import StoreBusy, StoreError
from tests.answers import TEXT, answered, conflicting, quote, refused
from tests.conftest import ROOT
from tests.payloads import PAYLOADS
from ui import conversations
from ui.conversations import ConversationError, Conversations, owner_of
from ui.exports import as_cases, as_json, as_markdown
from ui.saved import VERSION

ADA, BOB = owner_of("user", "ada"), owner_of("user", "bob")
EARLIER = ROOT / "tests" / "golden" / "earlier"
TEXTS = {"hours.md": TEXT, "old.md": TEXT}


@pytest.fixture
def kept(tmp_path: Path) -> Conversations:
    return Conversations(tmp_path / "conversations")


def test_a_conversation_grows_and_outlives_the_process(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    kept.add(ADA, one.id, refused())
    again = Conversations(kept.folder).get(ADA, one.id)
    assert [x.answer for x in again.exchanges] == [answered(), refused()]
    assert again.title == "When does it open?"
    assert [turn.question for turn in again.history()] == ["When does the pool open?", "When does it close?"]
    assert (kept.folder.stat().st_mode & 0o777, kept.folder.joinpath(ADA).stat().st_mode & 0o777) == (0o700, 0o700)
    (file,) = kept.folder.joinpath(ADA).iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_nobody_reaches_anothers(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    assert kept.summaries(BOB) == []
    for attempt in (
        lambda: kept.get(BOB, one.id),
        lambda: kept.add(BOB, one.id, refused()),
        lambda: kept.rename(BOB, one.id, "mine"),
        lambda: kept.rate(BOB, one.id, 0, "up"),
        lambda: kept.delete(BOB, one.id),
        lambda: kept.replace_last(BOB, one.id, refused(), turns=1),
    ):
        with pytest.raises(ConversationError):
            attempt()
    assert kept.get(ADA, one.id) == one
    assert owner_of("user", "ada") != owner_of("browser", "ada")
    assert "ada" not in ADA


@pytest.mark.parametrize(
    "identity", ["", ".", "..", f"../{BOB}/{'a' * 32}", "a" * 31, "A" * 32, "a" * 32 + "\n", "/etc/passwd", "a\0"]
)
def test_ids_are_ids(kept: Conversations, identity: str) -> None:
    kept.add(BOB, None, answered())
    with pytest.raises(ConversationError):
        kept.get(ADA, identity)
    with pytest.raises(ConversationError):
        kept.get(identity, "a" * 32)


def test_list_search_rename_delete(kept: Conversations) -> None:
    first = kept.add(ADA, None, answered())
    second = kept.add(ADA, None, refused())
    assert [one.id for one in kept.summaries(ADA)] == [second.id, first.id]
    kept.add(ADA, first.id, refused())
    assert [(one.id, one.turns) for one in kept.summaries(ADA)] == [(first.id, 2), (second.id, 1)]
    kept.rename(ADA, second.id, "  Closing\ntime ")
    assert kept.get(ADA, second.id).title == "Closing time"
    assert kept.rename(ADA, second.id, " ").title == "Closing time"
    assert [one.id for one in kept.summaries(ADA, "POOL nine")] == [first.id]
    assert [one.id for one in kept.summaries(ADA, "closing")] == [second.id]
    assert kept.summaries(ADA, "closing pool") == []
    kept.delete(ADA, first.id)
    with pytest.raises(ConversationError):
        kept.get(ADA, first.id)
    assert [one.id for one in kept.summaries(ADA)] == [second.id]


def test_the_list_opens_no_file_twice_and_none_beyond_its_end(
    kept: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [kept.add(ADA, None, answered()).id for _ in range(30)]
    opened: list[str] = []
    read = Conversations._read
    monkeypatch.setattr(Conversations, "_read", lambda self, path: (opened.append(path.stem), read(self, path))[1])
    fresh = Conversations(kept.folder)
    assert [one.id for one in fresh.summaries(ADA, max_count=10)] == ids[:-11:-1]
    assert opened == ids[:-11:-1]
    fresh.summaries(ADA, max_count=10)
    assert len(opened) == 10
    kept.rename(ADA, ids[-2], "Another title")
    opened.clear()
    assert [one.title for one in fresh.summaries(ADA, max_count=3)][1] == "Another title"
    assert opened == [ids[-2]], "a title is no turn: the order stays, and only the changed file is opened"
    assert len(fresh.summaries(ADA, "pool")) == 30
    fresh.delete(ADA, ids[-1])
    assert ids[-1] not in [one.id for one in fresh.summaries(ADA)]


def test_rating_and_comment(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    kept.rate(ADA, one.id, 0, "down")
    kept.comment(ADA, one.id, 0, "wrong pool")
    kept.rate(ADA, one.id, 0, "up")
    (exchange,) = kept.get(ADA, one.id).exchanges
    assert (exchange.rating, exchange.comment) == ("up", "wrong pool")
    assert kept.rate(ADA, one.id, 0, "up").exchanges[0].rating is None, "the same once more takes it back"
    assert kept.comment(ADA, one.id, 0, "x" * 9999).exchanges[0].comment == "x" * 2000
    for turn in (-1, 1):
        with pytest.raises(ConversationError):
            kept.rate(ADA, one.id, turn, "up")


def test_asking_again_takes_the_last_place(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    kept.add(ADA, one.id, refused())
    kept.replace_last(ADA, one.id, answered(), turns=len(kept.get(ADA, one.id).exchanges))
    before = kept.get(ADA, one.id)
    with pytest.raises(ConversationError, match="gone on elsewhere"):
        kept.replace_last(ADA, one.id, refused(), turns=len(before.exchanges) - 1)
    assert kept.get(ADA, one.id) == before
    assert [x.answer.status for x in kept.get(ADA, one.id).exchanges] == ["answered", "answered"]


def test_a_damaged_file_hides_nothing_else_and_is_left_alone(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    damaged = kept.folder / ADA / f"{'b' * 32}.json"
    damaged.write_text('{"id": "')
    assert [each.id for each in kept.summaries(ADA)] == [one.id]
    with pytest.raises(ConversationError):
        kept.get(ADA, "b" * 32)
    assert damaged.exists()


def test_a_stopped_write_leaves_the_old_file(kept: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept.add(ADA, None, answered())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="is full"):
        kept.add(ADA, one.id, refused())
    assert kept.get(ADA, one.id) == one
    assert len(kept.summaries(ADA)) == 1


def test_threads_lose_no_turn(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    threads = [threading.Thread(target=kept.add, args=(ADA, one.id, refused())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.get(ADA, one.id).exchanges) == 9


# -- exports -------------------------------------------------------------------------------------


def test_json_has_every_quote_with_its_place_and_hash(kept: Conversations) -> None:
    one = kept.add(ADA, None, conflicting())
    data = json.loads(as_json(one, {**TEXTS, "old.md": "Another text."}))
    first, second = data["exchanges"][0]["answer"]["quotes"]
    assert (first["document"], first["start"], first["end"]) == ("hours.md", 17, 40)
    assert TEXT[first["start"] : first["end"]] == first["text"]
    assert first["document_sha256"] == quote().document_sha256
    assert data["exchanges"][0]["changed"] == [2]
    assert second["document"] == "old.md"


def test_markdown_reads_as_the_page(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    kept.rate(ADA, kept.add(ADA, one.id, refused()).id, 0, "up")
    one = kept.comment(ADA, one.id, 0, "good")
    text = MarkdownIt().render(as_markdown(one, {**TEXTS}))
    for part in (
        "When does it open?",
        "Asked as",
        "at nine",
        "The pool opens at nine.",
        "hours.md",
        "17–40",
        "Rated up",
    ):
        assert part in text
    assert quote().document_sha256 in text
    assert "not an answer" in text
    assert "has changed" not in text
    assert "has changed since" in as_markdown(one, {})


@pytest.mark.parametrize(
    "payload", [*PAYLOADS, "# x", "- x", "1. x", "> x", "    x", "***", "| a | b |", "a\n\n# b", "&amp;"]
)
def test_markdown_holds_no_markup_of_a_text(kept: Conversations, payload: str) -> None:
    facts = dict.fromkeys(("question", "asked", "text", "short_answer"), payload)
    hostile = quote(text=payload, end=17 + len(payload), document=payload)
    one = kept.add(ADA, None, answered(**facts, quotes=(hostile,), not_covered=(payload,)))
    one = kept.comment(ADA, kept.rate(ADA, one.id, 0, "down").id, 0, payload)
    tokens = MarkdownIt("commonmark", {"html": True}).parse(as_markdown(one, {}))
    inline = [child for token in tokens for child in token.children or ()]
    assert {token.type for token in tokens} <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "blockquote_open",
        "blockquote_close",
    }  # fmt: skip
    assert {child.type for child in inline} <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
    lines = ["".join(child.content for child in token.children or ()) for token in tokens if token.type == "inline"]
    shown = " ".join(" ".join(lines).split())
    assert " ".join(payload.split()) in shown


def test_rated_answers_are_eval_cases(kept: Conversations, tmp_path: Path) -> None:
    second = TEXT.rindex("The pool opens at nine.")
    one = kept.add(ADA, None, answered(quotes=(quote(start=second, end=second + 23),)))
    for answer in (refused(), refused(), answered(), answered()):
        one = kept.add(ADA, one.id, answer)
    for turn, rating in enumerate(("up", "up", "down", "down")):
        kept.rate(ADA, one.id, turn, rating)  # type: ignore[arg-type]
    one = kept.comment(ADA, one.id, 0, "seen")
    lines = as_cases([one], TEXTS)
    (tmp_path / "rated.jsonl").write_text(lines)
    placed = load_cases([tmp_path / "rated.jsonl"], TEXTS)
    up, refusal, down = (case.case for case in placed)
    assert placed[0].parts == ((("hours.md", second, second + 23),),), "of the two places, the one that was quoted"
    assert (up.answerable, up.short_answers, up.note) == (True, ("at nine",), "seen")
    assert not refusal.answerable
    assert not down.answerable
    assert "looked through" in down.note
    assert len(down.turns) == 4
    assert all(isinstance(case, Case) for case in (up, refusal, down))
    assert as_cases([one], {"hours.md": "Another text."}) == "", "what cannot be placed is left out"


def test_two_chats_on_one_store_write_the_same_conversation_side_by_side(tmp_path: Path) -> None:
    """Each has a half-written file of its own: neither takes the other's away, and what is kept is always whole."""
    first, second = Conversations(tmp_path), Conversations(tmp_path)
    kept = first.add(ADA, None, answered())
    failed: list[BaseException] = []

    def rename(talk: Conversations, title: str) -> None:
        try:
            for number in range(60):
                talk.rename(ADA, kept.id, f"{title} {number}")
                assert talk.get(ADA, kept.id).title.split()[0] in ("first", "second")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=rename, args=pair) for pair in ((first, "first"), (second, "second"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [path.name for path in (tmp_path / ADA).iterdir()] == [f"{kept.id}.json"]


def test_two_chats_that_add_to_one_conversation_lose_nothing(tmp_path: Path) -> None:
    chats = [Conversations(tmp_path) for _ in range(4)]
    kept = chats[0].add(ADA, None, answered())
    with ThreadPoolExecutor(len(chats)) as threads:
        list(threads.map(lambda chat: [chat.add(ADA, kept.id, answered()) for _ in range(10)], chats))
    assert len(chats[0].get(ADA, kept.id).exchanges) == 1 + 10 * len(chats)


def test_a_thumb_and_a_comment_from_two_chats_both_stay(tmp_path: Path) -> None:
    first, second = Conversations(tmp_path), Conversations(tmp_path)
    kept = first.add(ADA, None, answered())
    for number in range(10):
        with ThreadPoolExecutor(2) as threads:
            rated = threads.submit(first.rate, ADA, kept.id, 0, "up" if number % 2 else "down")
            said = threads.submit(second.comment, ADA, kept.id, 0, f"comment {number}")
            rated.result()
            said.result()
        (exchange,) = first.get(ADA, kept.id).exchanges
        assert (exchange.rating, exchange.comment) == ("up" if number % 2 else "down", f"comment {number}")


def test_a_chat_that_waits_too_long_for_another_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "TURN_S", 0.05)
    chat = Conversations(tmp_path)
    kept = chat.add(ADA, None, answered())
    with FileLock(tmp_path / "turns.lock"), pytest.raises(StoreBusy, match="try again"):
        chat.rename(ADA, kept.id, "Another title")
    assert chat.rename(ADA, kept.id, "Another title").title == "Another title"


# -- files of other versions -----------------------------------------------------------------------


@pytest.fixture
def earlier(tmp_path: Path) -> Conversations:
    """Conversations as the version before 2026-12-01 wrote them."""
    shutil.copytree(EARLIER / "conversations", tmp_path / "earlier")
    return Conversations(tmp_path / "earlier")


def earlier_texts() -> dict[str, str | None]:
    """The texts that were quoted, of those files that are their own text."""
    texts: dict[str, str | None] = {name: (EARLIER / "docs" / name).read_text() for name in ("ferry.txt", "pool.md")}
    return texts | {"uploads/minutes.txt": "The committee met on 3 May 2024. It elected Ada Holm as its chair.\n"}


def test_conversations_of_an_earlier_version_are_listed_opened_and_exported(earlier: Conversations) -> None:
    listed = earlier.summaries(ADA)
    assert {(line.title, line.turns) for line in listed} == {
        ("The chair", 1),
        ("When does the pool open on weekdays?", 4),
    }
    pool = next(kept for kept in earlier.all_of(ADA) if len(kept.exchanges) == 4)
    assert [exchange.answer.status for exchange in pool.exchanges] == ["answered", "answered", "refused", "refused"]
    assert (pool.exchanges[0].rating, pool.exchanges[0].comment) == ("up", "Right, and quick.")
    assert [len(exchange.answer.trace.skipped) for exchange in pool.exchanges] == [0] * 4
    assert [exchange.answer.trace.skipped_count for exchange in pool.exchanges] == [1] * 4
    texts = earlier_texts()
    chair = next(kept for kept in earlier.all_of(ADA) if len(kept.exchanges) == 1)
    assert chair.exchanges[0].answer.trace.documents == ("uploads/minutes.txt", "ferry.txt")
    for kept in (pool, chair):
        assert "changed since" not in as_markdown(kept, texts)
        assert "changed since" in as_markdown(kept, {name: f"{text} More." for name, text in texts.items()})
        exported = json.loads(as_json(kept, texts))
        assert [exchange["changed"] for exchange in exported["exchanges"]] == [[]] * len(kept.exchanges)
        assert earlier.summaries(ADA, kept.title)[0].id == kept.id
    assert len(as_cases([pool, chair], texts).splitlines()) == 1, "that of the answer with a thumb up"
    (line,) = earlier.summaries(owner_of("browser", "a token"))
    assert earlier.get(owner_of("browser", "a token"), line.id).exchanges[0].answer.status == "answered"


def test_conversations_of_an_earlier_version_go_on(earlier: Conversations) -> None:
    (line,) = earlier.summaries(ADA, "weekdays")
    before = earlier.get(ADA, line.id)
    earlier.add(ADA, line.id, answered())
    again = Conversations(earlier.folder).get(ADA, line.id)
    assert again.exchanges[:-1] == before.exchanges
    assert again.exchanges[-1].answer == answered()
    assert json.loads((earlier.folder / ADA / f"{line.id}.json").read_bytes())["version"] == VERSION


def of_a_later_version(kept: Conversations, identity: str) -> Path:
    """Rewrite the file as a later version might: with fields that this one does not have."""
    path = kept.folder / ADA / f"{identity}.json"
    data = json.loads(path.read_bytes()) | {"version": VERSION + 1, "pinned": True}
    for number, exchange in enumerate(data["exchanges"]):
        exchange["read_by"] = ["bob", number]
        exchange["answer"]["trace"]["denials"] = {"hits": [number]}
        exchange["answer"]["summary"] = None
        for quote_ in exchange["answer"].get("quotes", exchange["answer"].get("nearest")):
            quote_["colour"] = "blue"
    path.write_text(json.dumps(data))
    return path


def test_what_a_later_version_wrote_is_opened_and_kept(kept: Conversations) -> None:
    one = kept.add(ADA, None, answered())
    one = kept.add(ADA, one.id, refused())
    path = of_a_later_version(kept, one.id)
    written = json.loads(path.read_bytes())
    fresh = Conversations(kept.folder)
    assert [line.id for line in fresh.summaries(ADA)] == [one.id]
    assert fresh.get(ADA, one.id).exchanges == one.exchanges
    fresh.rate(ADA, one.id, 0, "up")
    now = json.loads(path.read_bytes())
    assert now["exchanges"][0].pop("rating") == "up"
    assert written["exchanges"][0].pop("rating") is None
    assert now == written
    fresh.replace_last(ADA, one.id, answered(), turns=2)
    now = json.loads(path.read_bytes())
    assert now["exchanges"][0]["read_by"] == ["bob", 0]
    assert now["pinned"]
    assert "read_by" not in now["exchanges"][1], "a new answer has none of the old one's"
    assert "denials" not in now["exchanges"][1]["answer"]["trace"]


@pytest.mark.parametrize(
    "content", [b"[]", b"1", b"{}", b'{"exchanges": 3}', b'{"exchanges": [{}]}', b'{"version": 9}']
)
def test_what_is_no_conversation_is_left_as_it_is(kept: Conversations, content: bytes) -> None:
    one = kept.add(ADA, None, answered())
    other = kept.folder / ADA / f"{'c' * 32}.json"
    other.write_bytes(content)
    assert [line.id for line in kept.summaries(ADA)] == [one.id]
    assert other.read_bytes() == content
