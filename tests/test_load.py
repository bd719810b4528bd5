"""Asking while the folder changes: no text is cited wrongly, nothing fails, and planted faults are found."""

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eval.__main__ import main
from eval.load import corpus, load, stress
from eval.load.ledger import Changer, Ledger
from qa.assistant import Assistant
from qa.config import Config
from qa.errors import StoreBusy
from qa.folder import list_files
from qa.schema import Answered, Place, Refused, Turn
from qa.store.place import Store
from tests.answers import TEXT, answered, quote, refused
from tests.readers import Trusting
from tests.stores import TextEmbedder, fill

OTHER = TEXT.replace("nine", "eight")
NEVER = "that never stood on disk"
GONE = "gone or another when the question began"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(fill(tmp_path / "docs", {"hours.md": TEXT, "copy.md": TEXT, "old.md": OTHER}), tmp_path / "aside")


def faults(ledger: Ledger, answer: Answered | Refused, since_s: float = 0.0) -> list[str]:
    """The faults of an answer that is given now, to a question that was asked so many seconds ago."""
    now = time.monotonic()
    return ledger.faults(answer, now - since_s, now)


def test_texts_that_are_in_the_folder_may_be_cited(ledger: Ledger) -> None:
    assert faults(ledger, answered()) == []
    assert faults(ledger, answered(quotes=(quote(also_at=(Place(document="copy.md", start=17, end=40),)),))) == []
    assert faults(ledger, refused()) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"document_sha256": "0" * 64}, NEVER),
        ({"text": "The pool opens at ten.."}, "not the slice"),
        ({"end": 10**6, "text": TEXT[17:]}, "not the slice"),
        ({"start": 10**6, "end": 10**6 + 23}, "not the slice"),
        ({"document": "gone.md"}, GONE),
        ({"document": "old.md"}, GONE),
        ({"also_at": (Place(document="gone.md", start=17, end=40),)}, GONE),
    ],
)
def test_planted_faults_are_found(change: dict[str, Any], expected: str, ledger: Ledger) -> None:
    (fault,) = faults(ledger, answered(quotes=(quote(**change),)))
    assert expected in fault
    (fault,) = faults(ledger, refused(nearest=(quote(**change),)))
    assert expected in fault


def test_texts_deleted_or_replaced_before_the_question_may_not_be_cited(ledger: Ledger) -> None:
    data = ledger.delete("hours.md")
    assert "hours.md" not in ledger.names()
    assert GONE in faults(ledger, answered())[0]
    assert faults(ledger, answered(), since_s=60) == [], "it was there when the question began"
    ledger.put("hours.md", data)
    assert faults(ledger, answered()) == []
    ledger.put("hours.md", OTHER.encode())
    assert GONE in faults(ledger, answered())[0]
    assert faults(ledger, answered(), since_s=60) == []
    assert ledger.text("hours.md") == (ledger.folder / "hours.md").read_text("utf-8") == OTHER


def test_changes_are_seeded_and_leave_half_of_the_documents(tmp_path: Path) -> None:
    done = []
    for name in ("one", "other"):
        corpus.write(tmp_path / name, 12)
        ledger = Ledger(tmp_path / name, tmp_path / f"{name} aside")
        changer = Changer(ledger)
        done.append([changer.change() for _ in range(60)])
        names = ledger.names()
        assert names == [file.name for file in list_files(tmp_path / name)[0]]
        assert all(ledger.text(one) == (tmp_path / name / one).read_text("utf-8") for one in names)
        assert len(names) >= 6
    assert done[0] == done[1]
    assert set(done[0]) == {"add", "delete", "restore", "edit", "copy"}


def test_growth_is_the_last_tenth_over_the_first() -> None:
    assert load.growth([10.0, 20.0, *[500.0] * 16, 40.0, 30.0]) == 35.0 - 15.0
    assert load.growth([7.0]) == 0.0
    assert load.memory_mb() > 1


def opened(tmp_path: Path) -> Assistant:
    """An assistant with a cheap embedder and reader, which quotes every passage that comes near."""
    config = Config(data_dir=tmp_path, threads=1)
    store = Store(tmp_path / "store", tmp_path / "docs")
    assistant = Assistant(store, config, Trusting(), embedder=TextEmbedder())
    assistant.refresh()
    return assistant


@pytest.mark.parametrize("questions", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_is_wrong_under_load(tmp_path: Path, questions: int) -> None:
    corpus.write(tmp_path / "docs", 40)
    ledger = Ledger(tmp_path / "docs", tmp_path / "aside")
    with closing(opened(tmp_path)) as assistant:
        found = load.run(assistant, ledger, askers=8, questions=questions, pause_s=0.01)
    assert found.faults == []
    assert found.figures["errors"] == 0
    assert found.figures["questions"] == questions == found.figures["answered"] + found.figures["refused"]
    assert found.figures["quotes"] > questions
    assert found.figures["changes"] >= 3
    assert found.figures["p95 ms"] >= found.figures["p50 ms"] > 0


def test_a_deleted_copy_is_not_named_even_while_another_process_indexes(tmp_path: Path) -> None:
    fill(tmp_path / "docs", {"hours.md": TEXT, "copy.md": TEXT, "other.md": TEXT})
    ledger = Ledger(tmp_path / "docs", tmp_path / "aside")
    with closing(opened(tmp_path)) as assistant:
        ledger.delete("other.md")

        def busy() -> None:
            raise StoreBusy("busy")

        assistant.refresh = busy  # type: ignore[method-assign,assignment]
        answer = assistant.ask("When does the pool open?")
        assert isinstance(answer, Answered)
        assert [[one.document for one in quote.also_at] for quote in answer.quotes[:1]] == [["hours.md"]]
        assert faults(ledger, answer) == []


def test_every_error_under_load_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "docs", {"hours.md": TEXT, "old.md": OTHER})
    ledger = Ledger(tmp_path / "docs", tmp_path / "aside")
    wrong = iter([answered(quotes=(quote(text="Never said, by no one..."),)), refused(nearest=(quote(document="x"),))])

    def ask(question: str, *, history: Sequence[Turn] = (), documents: Sequence[str] | None = None) -> Any:
        one = next(wrong, None)
        return one if one else 1 / 0

    with closing(opened(tmp_path)) as assistant:
        monkeypatch.setattr(assistant, "ask", ask)
        found = load.run(assistant, ledger, askers=1, questions=10, pause_s=9)
    assert found.figures["errors"] == 10
    assert sum("not the slice" in one for one in found.faults) == 1
    assert sum(GONE in one for one in found.faults) == 1
    assert sum("ZeroDivisionError" in one for one in found.faults) == 8


def test_the_command_measures_a_copy_in_a_process_of_its_own(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"hours.md": TEXT, "old.md": OTHER})
    out = tmp_path / "out" / "load.json"
    words = ["load", "--askers", "2", "--questions", "10", "--json", str(out), "--docs", str(docs)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "| errors | 0 |" in done.output
    figures = json.loads(out.read_text())["figures"]
    assert (figures["askers"], figures["questions"], figures["errors"]) == (2, 10, 0)
    assert figures["peak memory MB"] > 50
    assert sorted(one.name for one in docs.iterdir()) == ["hours.md", "old.md"], "only a copy is changed"


def test_without_a_folder_text_is_made(tmp_path: Path) -> None:
    made = []

    def own_process(module: str, name: str, docs: Path, store: Path, *, given: Any) -> dict[str, Any]:
        made.extend(one.name for one in list_files(docs)[0])
        return {"figures": {}, "faults": []}

    load.measure(tmp_path, {"docs": None}, documents=5, own_process=own_process)
    assert made == [corpus.page(number).name for number in range(5)]


def test_an_error_is_an_exit_code_and_an_empty_folder_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    done = CliRunner().invoke(main, ["load", "--docs", str(tmp_path / "docs"), "--questions", "10"])
    assert done.exit_code == 1
    assert len(done.output.strip().splitlines()) == 2
    assert "holds no document; pass a folder that does." in done.output
    figures = dict.fromkeys(("askers", "answered", "refused", "quotes", "changes", "refreshes", "a second"), 0.0)
    figures |= {"p50 ms": 1.0, "p95 ms": 2.0, "peak memory MB": 3.0, "memory growth MB": -1.0, "errors": 1.0}
    monkeypatch.setattr(load, "measure", lambda place, given: load.Loaded(figures, ["it broke"]))
    done = CliRunner().invoke(main, ["load"])
    assert done.exit_code == stress.BROKEN
    assert "it broke" in done.output
    assert "| memory MB, last tenth of the questions over the first | -1 |" in done.output
