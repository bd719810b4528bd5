"""The command line to the letter: exit codes, streams, one line out per line in."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.cli import main
from qa.schema import Answered, Refused
from qa.terminal import visible, visible_json, visible_name
from tests import invariants
from tests.commands import Done, invoke
from tests.conftest import ROOT, SEEDS
from tests.stores import fill

COVERED = "How many people came home in 2024?"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli") / "store"


def qa(*args: str | Path, stdin: str | bytes = "", cwd: Path = ROOT, **environment: str) -> Done:
    return invoke(main, *args, stdin=stdin, cwd=cwd, **environment)


# -- as a process ------------------------------------------------------------------------------------


def process(*args: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error::DeprecationWarning:qa", "-m", "qa", *map(str, args)]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=ROOT, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_process_keeps_data_and_chatter_apart(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"pool.txt": "The pool opens at nine in the morning.\n", "photo.png": "x"})
    where = ("--docs", docs, "--store", tmp_path / "store")
    answered = process("ask", "When does the pool open?", *where, "--json")
    assert answered.returncode == 0
    assert Answered.model_validate_json(answered.stdout).quotes[0].document == "pool.txt"
    assert answered.stderr.startswith("Skipped: photo.png: format .png is not supported")
    assert answered.stderr.count("\n") == 1
    refused = process("ask", "What is the capital of France?", *where)
    assert refused.returncode == 3
    assert refused.stdout.startswith("Refused (")
    assert refused.stderr == ""


def test_a_process_reads_a_batch_from_its_standard_input(store: Path) -> None:
    done = process("ask", "--batch", "-", "--json", "--docs", SEEDS, "--store", store, stdin='{"question": ""}\nno\n')
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert first["reason"] == "empty_question"
    assert "not valid JSON" in second["error"]


def test_a_process_exits_with_1_and_2() -> None:
    failed = process("forget", "--docs", SEEDS, "--store", ROOT)
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (1, "", 1)
    wrong = process("ask", "--nonsense")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr


@pytest.mark.parametrize(("closed", "code"), [("2>&-", 0), (">/dev/full", 1)])
def test_where_nothing_can_be_written(tmp_path: Path, closed: str, code: int) -> None:
    """In a store of its own: what is opened next gets the number of what is closed."""
    docs = fill(tmp_path / "docs", {"pool.txt": "The pool opens at nine in the morning.\n"})
    qa("index", "--docs", docs, "--store", tmp_path / "store")
    command = f'exec "$0" -m qa documents --docs "$1" --store "$2" {closed}'
    shell = ["sh", "-c", command, sys.executable, docs, tmp_path / "store"]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (code, code), done.stderr


# -- in this process ---------------------------------------------------------------------------------


def test_the_covered_question_is_answered_with_its_place(store: Path) -> None:
    done = qa("ask", COVERED, "--docs", SEEDS, "--store", store, "--json")
    assert done.returncode == 0
    answer = Answered.model_validate_json(done.stdout)
    assert any("1,358" in quote.text for quote in answer.quotes)
    invariants.every_promise(answer, SEEDS)
    assert all(line.startswith("Skipped: ") for line in done.stderr.splitlines())
    assert qa("ask", COVERED, "--docs", SEEDS, "--store", store, "--json").stderr == ""


def test_the_uncovered_question_is_refused_with_exit_code_3(store: Path) -> None:
    done = qa("ask", "What is the capital of France?", "--docs", SEEDS, "--store", store, "--json")
    assert done.returncode == 3
    refusal = Refused.model_validate_json(done.stdout)
    invariants.every_promise(refusal, SEEDS)
    readable = qa("ask", "What is the capital of France?", "--docs", SEEDS, "--store", store)
    assert readable.returncode == 3
    assert readable.stdout.startswith(f"Refused ({refusal.reason})")


def test_the_empty_question_is_refused(store: Path) -> None:
    done = qa("ask", "  ", "--docs", SEEDS, "--store", store, "--json")
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (3, "empty_question")


def test_a_batch_answers_every_line_in_order_and_goes_on_after_bad_ones(store: Path) -> None:
    """Most lines are answered without reading: the test is about lines that are lost, moved or mixed up."""
    at_once = ["", "hello", "Summarise everything."] * 40
    questions = [COVERED, "What is the capital of France?", *at_once, COVERED, *at_once] * 2
    good = [{"id": n, "question": question} for n, question in enumerate([*questions, *at_once, COVERED])]
    bad: dict[int, tuple[bytes, object]] = {
        7: (b"not json", None),
        50: (b'{"id": "x", "question": 5}', "x"),
        51: (b'{"id": "y"}', "y"),
        200: (b'{"id": "z", "question": "a", "surprise": 1}', "z"),
        201: (b'{"id": "u", "question": "a", "documents": ["nowhere.txt"]}', "u"),
        300: (b"\xff\xfe", None),
        301: (b"", None),
        302: (b'"just a string"', None),
    }
    lines = [json.dumps(line).encode() for line in good]
    expected: list[object] = [line["id"] for line in good]
    for number, (line, identity) in sorted(bad.items()):
        lines.insert(number, line)
        expected.insert(number, identity)
    assert len(lines) > 600
    done = qa("ask", "--batch", "-", "--json", "--docs", SEEDS, "--store", store, stdin=b"\n".join(lines) + b"\n")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["id"] for result in results] == expected
    assert [number for number, result in enumerate(results) if "error" in result] == sorted(bad)
    assert done.returncode == 1
    for number, result in enumerate(results):
        if number not in bad:
            kind = {"answered": Answered, "refused": Refused}[result["status"]]
            assert result.pop("id") is not None
            invariants.every_promise(kind.model_validate(result), SEEDS)
    same = [result["quotes"] for result in results if result.get("question") == COVERED]
    assert len(same) == 5
    assert all(quotes == same[0] for quotes in same)


def test_a_batch_without_mistakes_exits_with_0_refusals_included(store: Path, tmp_path: Path) -> None:
    batch = tmp_path / "questions.jsonl"
    batch.write_text(
        json.dumps({"question": "And in 2023?", "history": [{"question": COVERED, "text": "x"}], "documents": None})
        + "\n"
        + json.dumps({"id": [1], "question": COVERED, "documents": ["000_2ab587bfd70437e4.txt"]})
    )
    done = qa("ask", "--batch", batch, "--json", "--docs", SEEDS, "--store", store)
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert "2023" in first["asked"]
    assert first["asked"] != first["question"]
    assert second["id"] == [1]
    assert {quote["document"] for quote in second["quotes"]} == {"000_2ab587bfd70437e4.txt"}


@pytest.mark.parametrize(
    "args",
    [
        ["ask"],
        ["ask", "a", "--batch", "-", "--json"],
        ["ask", "--batch", "-"],
        ["ask", "a", "b"],
        ["ask", "a", "--nonsense"],
        ["nonsense"],
    ],
)
def test_wrong_use_exits_with_2(args: list[str]) -> None:
    done = qa(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


@pytest.mark.parametrize("command", ["ask", "index", "documents", "check"])
def test_a_missing_folder_is_one_line_and_exit_code_1(command: str, tmp_path: Path) -> None:
    args = [command, *(["a question"] if command == "ask" else [])]
    done = qa(*args, "--docs", tmp_path / "nowhere", "--store", tmp_path / "store")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "--docs" in done.stderr


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["index", "--docs", "docs", "--store", "loop"], "loop cannot be used"),
        (["index", "--docs", "docs", "--store", "file"], "file cannot be used"),
        (["documents", "--docs", "loop"], "loop does not exist or is not a folder"),
        (["ask", "a question", "--docs", "docs", "--store", os.fsdecode(b"\xff")], "not valid Unicode"),
        (["backup", "loop/in", "--docs", "docs", "--store", "store"], "loop/in cannot be used"),
        (["backup", "copy", "--docs", "loop"], "there is no store"),
        (["ask", "--batch", "/proc/self/mem", "--json", "--docs", "docs", "--store", "store"], "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_one_line(tmp_path: Path, args: list[str], reason: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    if args[-1] == "store":
        qa("index", *args[-4:], cwd=tmp_path)
    done = qa(*args, cwd=tmp_path, QA_DATA_DIR="data")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    docs = tmp_path / os.fsdecode(b"\xff")
    docs.mkdir()
    (docs / "a.txt").write_text("The pool opens at nine.")
    assert qa("index", "--docs", docs, QA_DATA_DIR=str(tmp_path / "data")).stdout.startswith("1 documents: 1 added")


def test_an_empty_folder_is_refused_as_no_documents(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    done = qa("ask", "anything?", "--docs", tmp_path / "docs", "--store", tmp_path / "store", "--json")
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (3, "no_documents")


def test_index_documents_check_and_forget(tmp_path: Path) -> None:
    docs, store = tmp_path / "docs", tmp_path / "store"
    docs.mkdir()
    (docs / "rules.md").write_text("# Rules\n\nDogs are not allowed in the pool.\n")
    (docs / "photo.png").write_bytes(b"\x89PNG")
    (docs / "empty.txt").write_bytes(b"")
    where = ("--docs", docs, "--store", store)
    first = qa("index", *where)
    assert first.returncode == 0
    assert "1 documents: 1 added" in first.stdout
    assert "photo.png" in first.stderr
    assert "empty.txt: is empty" in first.stderr
    assert "1 passages embedded" in first.stdout
    assert "0 passages embedded" in qa("index", *where).stdout
    listed = json.loads(qa("documents", *where, "--json").stdout)
    assert [one["path"] for one in listed["documents"]] == ["rules.md"]
    assert {one["path"] for one in listed["skipped"]} == {"photo.png", "empty.txt"}
    assert "1 documents, 1 passages" in qa("check", *where).stdout
    assert "Erased" in qa("forget", "--yes", *where).stdout
    assert not store.exists()
    assert "no store" in qa("forget", *where).stdout
    assert (docs / "rules.md").exists()


def test_forget_erases_only_stores(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    done = qa("forget", "--docs", SEEDS, "--store", tmp_path)
    assert done.returncode == 1
    assert (tmp_path / "precious.txt").exists()


def test_the_default_store_is_named_after_the_folder_and_private(tmp_path: Path) -> None:
    docs = tmp_path / "my notes"
    docs.mkdir()
    (docs / "a.txt").write_text("The pool opens at nine.")
    assert qa("index", "--docs", docs, QA_DATA_DIR=str(tmp_path / "data")).returncode == 0
    (store,) = (tmp_path / "data").iterdir()
    assert store.name.startswith("my notes-")
    assert len(store.name.rsplit("-", 1)[1]) == 12
    assert store.stat().st_mode & 0o777 == 0o700


# -- what a terminal would obey ----------------------------------------------------------------------

RULE = "Whoever swims before nine in the morning brings a towel along. "
OBEYED = re.compile(r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@given(st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\r\n\t\x7f\u202e\u2066"))))
def test_nothing_is_obeyed_and_json_is_exact(text: str) -> None:
    assert not OBEYED.search(visible(text))
    assert len(visible(text)) == len(text)
    assert not set(visible_name(text)) & set("\t\r\n")
    data = visible_json(json.dumps(text, ensure_ascii=False))
    assert not OBEYED.search(data)
    assert json.loads(data) == text


def test_documents_and_their_names_cannot_command_the_terminal(tmp_path: Path) -> None:
    docs, turned = tmp_path / "docs", "fee\u202efdp.md"
    docs.mkdir()
    text = f"# Fees \x9b2J\n\nThe fee for the pool is 5\x1b[1D9 euros, that is \u202e9\u202c a day.\n\n{RULE * 30}\n"
    (docs / turned).write_text(text)
    (docs / "a\nSkipped: \x1b[2J.exe").write_text("x")
    where = ("--docs", docs, "--store", tmp_path / "store")
    for args in (["index"], ["ask", "What is the fee for the pool?"], ["documents"], ["backup", docs / "\x1b[2J"]):
        done = qa(*args, *where)
        assert "\ufffd" in done.stdout + done.stderr
        assert not OBEYED.search(done.stdout + done.stderr)
        assert done.stderr.count("\nSkipped:") == 0, "a name begins no line"
    found = qa("ask", "What is the fee for the pool?", *where, "--json").stdout
    assert not OBEYED.search(found)
    (quote,) = Answered.model_validate_json(found).quotes
    assert quote.document == turned
    assert quote.text == text[quote.start : quote.end]


def test_a_bad_setting_is_one_line(tmp_path: Path) -> None:
    done = qa("index", "--docs", SEEDS, "--store", tmp_path / "s", QA_THREADS="many")
    assert done.returncode == 1
    assert "QA_THREADS" in done.stderr


def test_a_row_is_printed_with_the_names_of_its_columns(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "boats.csv").write_text("Boat,Seats,Rent\nHeron,6,45 euros\nGrebe,4,30 euros\n")
    args = [
        "ask",
        "What is the rent of the Heron?",
        "--docs",
        str(tmp_path / "docs"),
        "--store",
        str(tmp_path / "store"),
    ]
    shown = qa(*args).stdout.splitlines()
    place = next(number for number, line in enumerate(shown) if "boats.csv, row 2" in line)
    assert shown[place + 1].strip() == "columns: Boat | Seats | Rent"
