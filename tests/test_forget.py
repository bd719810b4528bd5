"""`qa forget` names what goes, asks, and leaves a store that is used; a chat whose store is gone says so in a line."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from qa.config import Config
from qa.errors import FolderError, ModelError, QuestionError, StoreBusy, StoreDamaged, StoreError
from qa.store.layout import HELD
from qa.store.place import holdings
from tests.chatting import chat_server, write_folder
from tests.conftest import ROOT
from tests.stores import fill
from tests.test_cli import qa
from ui.chat import Chat

BELONGINGS = {"uploads/mine.txt": "Mine.\n", "conversations/ada/1.json": "{}", "conversations/bob/2.json": "{}"}


@pytest.fixture
def where(tmp_path: Path) -> tuple[str | Path, ...]:
    """The options of a small folder and its store, which holds an upload and two conversations."""
    fill(tmp_path / "docs", {"a.txt": "The pool opens at nine.\n"})
    options = ("--docs", tmp_path / "docs", "--store", tmp_path / "store")
    assert qa("index", *options).returncode == 0
    fill(tmp_path / "store", BELONGINGS)
    return options


@contextmanager
def running(*command: str | Path, says: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A program and the line that shows that it is ready."""
    with subprocess.Popen(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, next(line for line in process.stderr or () if says in line)
        finally:
            process.kill()


def answered(answer: str, *args: str | Path) -> tuple[int, str]:
    """Exit code and all output of `qa` in a terminal where this answer is typed."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "qa", *map(str, args)]
    with subprocess.Popen(command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        os.write(master, answer.encode())
        said = b""
        try:
            while piece := os.read(master, 1000):
                said += piece
        except OSError:  # how a terminal tells that nobody has it open any more
            pass
    os.close(master)
    return process.returncode, said.decode()


def test_it_names_what_goes_and_needs_yes_in_a_script(where: tuple[str | Path, ...], tmp_path: Path) -> None:
    refused = qa("forget", *where)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "--yes" in refused.stderr
    named = r"1 document indexed, 1 upload, 2 conversations, \d+\.\d MB in \S+store"
    assert re.search(named, refused.stderr)
    assert (tmp_path / "store" / "uploads" / "mine.txt").exists()
    done = qa("forget", "--yes", *where)
    assert done.returncode == 0
    assert re.search(f"Erased {named}", done.stdout)
    assert not (tmp_path / "store").exists()
    assert (tmp_path / "docs" / "a.txt").exists()


@pytest.mark.parametrize(("answer", "code"), [("\n", 1), ("n\n", 1), ("y\n", 0)])
def test_it_asks_in_a_terminal(where: tuple[str | Path, ...], tmp_path: Path, answer: str, code: int) -> None:
    done, said = answered(answer, "forget", *where)
    assert done == code
    assert "1 document indexed, 1 upload, 2 conversations" in said
    assert "[y/N]" in said
    assert (tmp_path / "store").exists() == bool(code)
    assert ("othing was erased" in said) == bool(code)


def test_a_damaged_store_can_be_erased(where: tuple[str | Path, ...], tmp_path: Path) -> None:
    (tmp_path / "store" / "library.sqlite").write_bytes(b"garbage" * 1000)
    held = holdings(tmp_path / "store")
    assert held
    assert (held.documents, held.uploads, held.conversations) == (None, 1, 2)
    assert qa("forget", "--yes", *where).returncode == 0
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "command", [("ui", "--port", "0", "The chat is at"), ("qa", "index", "--watch", "1 documents")], ids=lambda c: c[0]
)
def test_it_leaves_a_store_that_is_used(
    where: tuple[str | Path, ...], tmp_path: Path, command: tuple[str, ...]
) -> None:
    *args, says = command
    says = "Watching" if "--watch" in args else says
    with running(*args, *where, says=says) as (process, _), running(*args, *where, says=says) as (other, _):
        for _ in range(100):
            refused = qa("forget", "--yes", *where)
            if "is indexing" not in refused.stderr:  # which both do once before they follow the folder
                break
        assert (refused.returncode, refused.stdout) == (1, "")
        assert len(refused.stderr.splitlines()) == 1
        assert "Nothing was erased" in refused.stderr
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert qa("forget", "--yes", *where).returncode == 1, "the other one still uses it"
        assert (tmp_path / "store" / "uploads" / "mine.txt").exists()
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert (tmp_path / "store" / HELD).exists()
        done = qa("forget", "--yes", *where)
        assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "store").exists()


def test_no_line_for_the_page_names_a_path() -> None:
    for kind in (FolderError, StoreError, StoreBusy, StoreDamaged, ModelError):
        error = kind("/home/ada/store cannot be used.")
        assert str(error) == "/home/ada/store cannot be used."
        assert "/" not in error.public
        assert error.public.endswith(".")
    assert QuestionError("ask less").public == "ask less"


def page_events(url: str) -> list[str]:
    """What each event of the page is answered with, whatever it is: as a page sends them, with plausible data."""
    config = httpx.get(f"{url}config").json()
    kinds = {one["id"]: one["type"] for one in config["components"]}
    blank: dict[str, Any] = {"dropdown": [], "file": None, "state": None}
    told = []
    for event in config["dependencies"]:
        if not event["backend_fn"]:
            continue
        asked = {
            "data": [blank.get(kinds[one], "When does the pool open?") for one in event["inputs"]],
            "fn_index": event["id"],
            "session_hash": "page",
            "event_data": {"question": "When does the pool open?", "turn": 0, "quote": 1, "id": "0" * 32},
            "trigger_id": None,
        }
        httpx.post(f"{url}gradio_api/queue/join", json=asked).raise_for_status()
        with httpx.stream("GET", f"{url}gradio_api/queue/data", params={"session_hash": "page"}, timeout=60) as lines:
            for line in lines.iter_lines():
                told.append(line)
                if '"process_completed"' in line or '"close_stream"' in line:
                    break
    return told


def test_a_chat_whose_store_is_gone_says_so_without_a_path(config: Config, tmp_path: Path) -> None:
    """Whatever the page, the exports and the API are asked, after someone has deleted the store's folder."""
    store = tmp_path / "secret-place" / "store"
    with chat_server(write_folder(tmp_path / "docs"), store, config) as (url, _):
        before = page_events(url)
        assert any("opens at nine" in line for line in before), "the events are those of a page"
        shutil.rmtree(store)
        told = page_events(url)
        for path in ("conversations/rated.jsonl", f"conversations/{'0' * 32}.md"):
            told.append(httpx.get(f"{url}{path}").text)
        api = httpx.post(f"{url}ask", json={"question": "When does the pool open?"})
        told += [api.text, httpx.get(url).text]
        uploaded = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.txt", b"On its way.")})
        told.append(uploaded.text if uploaded.is_error else "")
        assert (api.status_code, list(api.json())) == (503, ["error"])
    assert not [line for line in told if "secret-place" in line or "Traceback" in line]
    shown = "The index cannot be used now"
    assert sum(shown in line for line in told) > 3


def test_the_line_is_in_the_thread(config: Config, tmp_path: Path) -> None:
    with chat_server(write_folder(tmp_path / "docs"), tmp_path / "store", config) as (_, assistant):
        chat = Chat(assistant)
        kept = list(chat.ask("0" * 32, "", "When does the pool open?"))[-1]
        shutil.rmtree(tmp_path / "store")
        shown = list(chat.ask("0" * 32, kept.conversation, "Who is the lifeguard?"))[-1]
        opened = chat.thread("0" * 32, kept.conversation)
    for page in (shown.thread, opened.thread):
        assert str(tmp_path) not in page
    assert 'role="alert">The index cannot be used now' in shown.thread
