"""Between the page and the assistant: the chat without a browser, and the questions it starts with."""

import os
import threading
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from qa.assistant import Assistant
from qa.schema import Answered
from qa.stages import Reading
from tests.answers import answered
from tests.chatting import write_folder
from tests.conftest import SEEDS, Opener
from tests.readers import WordReader
from ui.chat import Chat
from ui.conversations import owner_of
from ui.documents import UNCHANGED, DocumentsTab
from ui.incoming import Incoming
from ui.starters import Starters, question_from, says_enough, shows_well

ADA = owner_of("user", "ada")


@pytest.fixture
def chat(open_folder: Opener, tmp_path: object) -> Chat:
    from tests.chatting import FILES

    assistant = open_folder(dict(FILES))
    assistant.reader = WordReader()
    return Chat(assistant)


def test_stages_then_the_kept_turn(chat: Chat) -> None:
    steps = list(chat.ask(ADA, "", "Who is the lifeguard?"))
    assert [step.done for step in steps] == [False, False, True]
    assert "Searching the documents" in steps[0].thread
    assert "Reading" in steps[1].thread
    kept = chat.conversations.get(ADA, steps[-1].conversation)
    assert [one.answer.question for one in kept.exchanges] == ["Who is the lifeguard?"]


def test_what_is_stopped_is_not_kept(chat: Chat) -> None:
    asking = chat.ask(ADA, "", "Who is the lifeguard?")
    next(asking)
    asking.close()
    assert chat.conversations.summaries(ADA) == []


def test_what_is_stopped_while_it_is_read_is_not_kept(chat: Chat) -> None:
    """The step under way cannot be broken off, but nothing comes of it."""
    identity = list(chat.ask(ADA, "", "Who is the lifeguard?"))[-1].conversation
    for replace in (False, True):
        stop = threading.Event()
        for shown in chat.ask(ADA, identity, "When is the pool closed?", replace=replace, stopped=stop.is_set):
            if "Reading" in shown.thread:
                stop.set()
            assert not shown.done
        assert stop.is_set()
    kept = chat.conversations.get(ADA, identity)
    assert [one.answer.question for one in kept.exchanges] == ["Who is the lifeguard?"]


def test_an_error_is_shown_and_nothing_is_kept(chat: Chat) -> None:
    (step,) = chat.ask(ADA, "", "a" * 100_001)
    assert 'role="alert"' in step.thread
    assert not step.done
    (step,) = chat.ask(ADA, "", "Who?", documents=["gone.txt"])
    assert "is not an indexed document" in step.thread
    assert chat.conversations.summaries(ADA) == []


def test_uploads_are_added_replaced_and_told_apart(chat: Chat) -> None:
    assert chat.upload("../a b.txt", b"The greenhouse was built by Ada.") == (
        "uploads/a b.txt: added, 1 passage",
        True,
    )
    told, good = chat.upload("a b.txt", b"The greenhouse was built by Bob.")
    assert ("replaced" in told, good) == (True, True)
    told, good = chat.upload("copy.txt", b"The greenhouse was built by Bob.")
    assert told.endswith("the same text as uploads/a b.txt")
    told, good = chat.upload("x.exe", b"MZ")
    assert ("not supported" in told, good) == (True, False)
    page = chat.documents()
    assert page.count('data-do="drop"') == 2, "what stands in the folder is deleted there"


def test_many_files_dropped_together_wait_for_each_other(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = tmp_path / "dropped"
    dropped.mkdir()
    paths = [dropped / f"{number}.txt" for number in range(4)]
    for path in paths:
        path.write_text(f"The greenhouse number {path.stem} was built by Ada.")
    upload = chat.upload

    def slowly(*args: Any) -> tuple[str, bool]:
        Incoming(dropped, 10**6).sweep()  # as another upload does
        outcome = upload(*args)
        for path in filter(Path.exists, paths):
            os.utime(path, (10**9, 10**9))  # as if it had taken hours
        paths[1].unlink(missing_ok=True)
        return outcome

    monkeypatch.setattr(chat, "upload", slowly)
    with gr.Blocks():
        tab = DocumentsTab(chat, gr.Dropdown(multiselect=True))
    monkeypatch.setattr(tab, "now", lambda _: UNCHANGED)
    *_, last = tab.upload([str(path) for path in paths], [], gr.Request(username=None))
    assert "1.txt: cannot be read (No such file or directory); drop it again" in last[1]
    uploads = [one.path for one in chat.assistant.documents() if one.path.startswith("uploads/")]
    assert uploads == ["uploads/0.txt", "uploads/2.txt", "uploads/3.txt"]
    assert not list(dropped.iterdir())


def test_the_first_page_names_the_folder_and_its_documents(chat: Chat) -> None:
    page = chat.thread(ADA, "").thread
    assert '<strong class="folder">docs</strong>: 4 documents. To add some, put files into this folder' in page
    assert str(chat.assistant.store.docs.resolve().parent) not in page
    chat.upload("mine.txt", b"The sauna is for adults.")
    assert "5 documents, 1 of them uploaded." in chat.thread(ADA, "").thread
    asked = list(chat.ask(ADA, "", "Who is the lifeguard?"))
    assert not any('class="corpus"' in one.thread for one in asked)


def test_the_first_page_of_an_empty_folder_says_how_to_fill_it(open_folder: Opener) -> None:
    page = Chat(open_folder({}, "empty <i>")).thread(ADA, "").thread
    assert "empty &lt;i&gt;</strong> holds no document that can be read yet. To add some, put files" in page


def test_the_owners_words_stand_in_the_thread(chat: Chat) -> None:
    worded = Chat(chat.assistant, worded="Ask Ilse.")
    assert "Ask Ilse." in list(worded.ask(ADA, "", "Who is the mayor?"))[-1].thread


def test_asking_again_in_place_leans_on_earlier_turns_only(chat: Chat) -> None:
    identity = list(chat.ask(ADA, "", "How many places has room 1?"))[-1].conversation
    list(chat.ask(ADA, identity, "Who is the mayor?"))
    list(chat.ask(ADA, identity, "And room 3?", replace=True))
    first, second = chat.conversations.get(ADA, identity).exchanges
    assert first.answer.question == "How many places has room 1?"
    assert isinstance(second.answer, Answered)
    assert "9 places" in second.answer.quotes[0].text


def test_anothers_conversation_is_not_continued(chat: Chat) -> None:
    identity = list(chat.ask(ADA, "", "Who is the lifeguard?"))[-1].conversation
    other = owner_of("user", "bob")
    fresh = list(chat.ask(other, identity, "And who is the mayor?"))[-1].conversation
    assert fresh != identity
    assert len(chat.conversations.get(ADA, identity).exchanges) == 1
    assert "lifeguard" not in chat.thread(other, identity).thread


@pytest.mark.parametrize("folder", [SEEDS, pytest.param(SEEDS.parent / "eval" / "handbook", marks=pytest.mark.slow)])
def test_starters_are_answered_from_the_sentence_they_were_drawn_from(folder: object, config: object) -> None:
    assistant = Assistant.open(folder, config=config)  # type: ignore[arg-type]
    try:
        questions = Starters(assistant, budget_s=60).questions()
        assert 1 <= len(questions) <= 4
        for question in questions:
            assert isinstance(assistant.ask(question), Answered), question
    finally:
        assistant.close()


def test_without_plain_english_sentences_there_are_no_starters(open_folder: Opener) -> None:
    files = {
        "bad.txt": "Das Schwimmbad öffnet um neun Uhr. Die Rettungsschwimmerin heißt Ilse Brandt.\n",
        "piscine.txt": "La piscine ouvre à neuf heures. Le maître-nageur s’appelle Ilse Brandt.\n",
        "プール.txt": "プールは九時に開きます。監視員はイルゼさんです。\n",
        "table.md": "| room | places |\n| --- | --- |\n| 1 | 30 |\n",
    }
    assistant = open_folder(dict(files))
    assistant.reader = WordReader()
    assert Starters(assistant, budget_s=60).questions() == ()
    page = Chat(assistant).thread(ADA, "").thread
    assert "Ask your documents" in page
    assert "For instance" not in page


def test_no_page_waits_long_for_its_starters(chat: Chat) -> None:
    starters = Starters(chat.assistant, budget_s=0)
    assert starters.questions() == ()
    for budget_s in (1e-9, 60, 0):
        starters._budget_s = budget_s
        questions = starters.questions()
    assert questions == Starters(chat.assistant, budget_s=60).questions()
    assert questions, "found by an earlier page"


def test_what_the_documents_do_not_answer_is_no_starter(chat: Chat) -> None:
    class Nothing(WordReader):
        def read(self, question: str, passages: object) -> list[Reading]:
            return []

    chat.assistant.reader = Nothing()
    assert Starters(chat.assistant, budget_s=60).questions() == ()


def test_starters_follow_the_documents(chat: Chat) -> None:
    write_folder(chat.assistant.store.docs, {"new.txt": "The harbour museum is kept by Ada Lindqvist."})
    before = chat.starters.questions()
    chat.assistant.refresh()
    after = chat.starters.questions()
    assert "By whom is the harbour museum kept?" in after
    assert after != before


@pytest.mark.parametrize(
    ("question", "change", "good"),
    [
        ("When is the filter of the lamp cleaned?", {"short_answer": "every 200 hours of operation"}, True),
        ("When is the filter of the lamp cleaned?", {"short_answer": "2019"}, True),
        ("When is the fire brigade of the town called?", {"short_answer": "112"}, False),
        ("When is the filter of the lamp cleaned?", {"short_answer": "by the staff"}, False),
        ("Where is the water of the main pool kept?", {"short_answer": "27.5 °C"}, False),
        ("Where will the meeting in June be held?", {"short_answer": "in the Birch Room"}, True),
        ("By whom is the ticket system of the pool run?", {"short_answer": "Pelloway Systems"}, True),
        ("By whom is the ticket system of the pool run?", {"short_answer": "4711"}, False),
        ("How many people came to the pool in May?", {"short_answer": "1,358"}, True),
        ("How many people came to the pool in May?", {"short_answer": "in May"}, False),
        ("Who held a meeting with the families?", {"short_answer": "The Office"}, True),
        ("Who held a meeting with the families?", {"short_answer": None}, False),
        ("Who held a meeting with the families?", {"short_answer": "The Office " * 9}, False),
        ("Who held a meeting with the families?", {"short_answer": "The Office", "confidence": 0.79}, False),
        ("Who held a meeting with the families?", {"short_answer": "The Office", "conflicts": ((0, 1),)}, False),
        ("Who held a meeting with the families?", {"short_answer": "The Office", "not_covered": ("x",)}, False),
    ],
)
def test_a_starter_shows_well(question: str, change: dict[str, object], good: bool) -> None:
    assert shows_well(question, answered(**change)) == good


def test_a_starter_is_understood_by_itself() -> None:
    assert says_enough("By whom is the harbour museum kept?")
    assert not says_enough("Where is the store kept?")
    assert not says_enough("Who " + "saw the ship and " * 5 + "left?")


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The alarm bells are tested every Tuesday at 09:30.", "When are the alarm bells tested?"),
        ("He said that 1,358 soldiers and civilians were returned to their homes.",
         "How many soldiers and civilians were returned to their homes?"),
        ("The water of the main pool is kept at 27 degrees.", None),
        ("The keys of the main pool are kept in the office.", "Where are the keys of the main pool kept?"),
        ("Carers of the Disabled visitors do not pay for it.", None),
        ("The ticket system is run by Bramble Data Ltd.", "By whom is the ticket system run?"),
        ("The Office of the Ombudsman held a meeting with the families.",
         "Who held a meeting with the families?"),
        ("It is tested every Tuesday at 09:30 by the staff.", None),
        ("Short one.", None),
        ("4 of these were not counted in the report of the year.", None),
    ],
)  # fmt: skip
def test_questions_from_sentences(sentence: str, question: str | None) -> None:
    assert question_from(sentence) == question
