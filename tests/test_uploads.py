"""Uploads: kept in the store under a safe name, indexed beside the folder, dropped only by a person."""

import errno
import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import indexing, uploads
from qa.assistant import Assistant
from qa.config import Config
from qa.documents import read_document
from qa.errors import DocumentError, StoreError
from qa.folder import File
from qa.schema import Answered, Document, Refused
from qa.store.layout import INCOMING
from qa.store.place import forget_store
from qa.uploads import safe_name
from tests.conftest import Opener
from ui.incoming import Incoming

GARDEN = "The old greenhouse was built in 1931 by the engineer Ada Lindqvist.\n"
QUESTION = "Who built the old greenhouse?"


@pytest.fixture
def assistant(open_folder: Opener, tmp_path: Path) -> Assistant:
    return open_folder({"a.txt": "The pool opens at nine in the morning.\n"}, store=tmp_path / "store")


def test_an_upload_is_cited_until_it_is_deleted(assistant: Assistant) -> None:
    assert isinstance(assistant.ask(QUESTION), Refused)
    info = assistant.add_upload("garden.txt", GARDEN.encode())
    assert info.path == "uploads/garden.txt"
    answer = assistant.ask(QUESTION)
    assert isinstance(answer, Answered)
    quote = answer.quotes[0]
    assert quote.document == "uploads/garden.txt"
    text = assistant.text(quote.document)
    assert text is not None
    assert text[quote.start : quote.end] == quote.text
    assistant.delete_upload(info.path)
    assert assistant.text(quote.document) is None
    refusal = assistant.ask(QUESTION)
    assert isinstance(refusal, Refused)
    assert "greenhouse" not in " ".join(one.text for one in refusal.nearest)


def test_uploads_outlive_the_process_and_every_run_over_the_folder(assistant: Assistant, config: Config) -> None:
    assistant.add_upload("garden.txt", GARDEN.encode())
    assistant.refresh()
    assistant.close()
    again = Assistant.open(assistant.store.docs, store=assistant.store.path, config=config)
    assert [one.path for one in again.documents()] == ["a.txt", "uploads/garden.txt"]
    again.close()
    kept = assistant.store.path / "uploads" / "garden.txt"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert forget_store(assistant.store.path)  # which also knows the folders of uploads


def test_the_same_name_replaces(assistant: Assistant) -> None:
    assistant.add_upload("garden.txt", GARDEN.encode())
    assistant.add_upload("garden.txt", GARDEN.replace("Lindqvist", "Moreau").encode())
    answer = assistant.ask(QUESTION)
    assert isinstance(answer, Answered)
    assert "Moreau" in answer.quotes[0].text
    assert len(assistant.documents()) == 2


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.exe", b"x", "not supported"),
        ("a", b"x", "not supported"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b"\0\1\2\3" * 90, "binary"),
        ("a.html", b"<script>x</script>", "holds no text"),
    ],
)
def test_what_cannot_be_indexed_is_named_and_not_kept(
    assistant: Assistant, name: str, data: bytes, reason: str
) -> None:
    with pytest.raises(DocumentError, match=reason) as error:
        assistant.add_upload(name, data)
    assert str(error.value).startswith(name)
    assert not list((assistant.store.path / "uploads").glob("*"))
    assert not list((assistant.store.path / "incoming").glob("*"))
    assert len(assistant.documents()) == 1


def test_the_size_is_limited(open_folder: Opener, config: Config, tmp_path: Path) -> None:
    small = Config(data_dir=config.data_dir, threads=1, max_file_mb=0.001)
    assistant = open_folder({"a.txt": "Some words."}, store=tmp_path / "store", config=small)
    with pytest.raises(DocumentError, match=r"larger than 0\.001 MB"):
        assistant.add_upload("big.txt", b"word " * 300)


@pytest.mark.parametrize("path", ["a.txt", "uploads/", "uploads/none.txt", "uploads/../a.txt", "../a.txt", ""])
def test_only_uploads_can_be_deleted(assistant: Assistant, path: str) -> None:
    assistant.add_upload("garden.txt", GARDEN.encode())
    with pytest.raises(DocumentError, match="not an upload"):
        assistant.delete_upload(path)
    assert len(assistant.documents()) == 2


def test_an_upload_hides_a_file_of_the_folder_with_its_name(assistant: Assistant) -> None:
    (assistant.store.docs / "uploads").mkdir()
    (assistant.store.docs / "uploads" / "garden.txt").write_text("The folder's own garden.")
    assistant.add_upload("garden.txt", GARDEN.encode())
    assert assistant.text("uploads/garden.txt") == GARDEN
    assert [(one.path, one.reason) for one in assistant.skipped()] == [
        ("uploads/garden.txt", "the folder's file is hidden by the upload of this name")
    ]
    assistant.delete_upload("uploads/garden.txt")
    assert assistant.text("uploads/garden.txt") == "The folder's own garden."


def test_a_changed_text_is_not_given(assistant: Assistant) -> None:
    assert assistant.text("a.txt")
    (assistant.store.docs / "a.txt").write_text("Another text.")
    assert assistant.text("a.txt") is None
    assistant.refresh()
    assert assistant.text("a.txt") == "Another text."


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\notes.md", "notes.md"),
        ("<img src=x onerror=alert(1)>.txt", "_img src_x onerror_alert(1)_-24020bf3.txt"),
        ("..", "upload-5ec1f7e7"),
        ("", "upload-e3b0c442"),
        (".qaignore", "qaignore-c17cefa6"),
        ("ünïcode 战俘.txt", "ünïcode 战俘.txt"),
        ("a\u202etxt.exe", "a_txt-292f27d2.exe"),
        ("x" * 300 + ".txt", "x" * 107 + "-6ce2705d.txt"),
        ("a." + "b" * 300, "a." + "b" * 109 + "-b9a3db3f"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(max_size=300))
def test_a_safe_name_is_one_visible_file(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert os.path.basename(safe) == safe
    assert not safe.startswith(".")
    assert len(safe.encode()) <= 200
    assert not set(safe) & set("<>&\"'`$/\\\0\n\r")
    assert safe_name(safe) == safe


@given(
    st.text(max_size=80), st.sampled_from(["?", "/..", " ", "\u202e", "战" * 60, "."]), st.sampled_from(["", ".pdf"])
)
def test_other_names_stay_other_names(name: str, odd: str, ending: str) -> None:
    names = {unicodedata.normalize("NFC", one) for one in (name, name + odd, name + odd + "1", name + odd + "2")}
    names = {re.split(r"[/\\]", one + ending)[-1] for one in names}
    assert len({safe_name(one) for one in names}) == len(names)


def test_long_names_that_begin_alike_replace_nothing(assistant: Assistant) -> None:
    for year in (2023, 2024):
        assistant.add_upload(f"{'Протокол общего собрания жильцов ' * 3}{year}.txt", f"The minutes of {year}.".encode())
    assert len(assistant.documents()) == 3


def test_with_log_in_only_the_uploader_replaces_and_deletes(assistant: Assistant) -> None:
    ada, bob = "0" * 32, "1" * 32
    assistant.add_upload("garden.txt", GARDEN.encode(), owner=ada)
    for forbidden in (
        lambda: assistant.add_upload("garden.txt", b"Something else.", owner=bob),
        lambda: assistant.delete_upload("uploads/garden.txt", owner=bob),
    ):
        with pytest.raises(DocumentError, match=r"^garden\.txt: somebody else uploaded this"):
            forbidden()
    assert assistant.text("uploads/garden.txt") == GARDEN
    assistant.add_upload("garden.txt", (GARDEN * 2).encode(), owner=ada)
    record = assistant.store.path / "uploaders.json"
    assert record.stat().st_mode & 0o777 == 0o600
    assistant.delete_upload("uploads/garden.txt", owner=ada)
    assert record.read_text() == "{}"
    assistant.add_upload("garden.txt", b"Bob's garden.", owner=bob)  # the name is free again
    record.write_text("damaged {")
    with pytest.raises(DocumentError, match="somebody else"):  # what cannot be read makes nobody its owner
        assistant.delete_upload("uploads/garden.txt", owner=bob)
    assistant.add_upload("garden.txt", GARDEN.encode())  # without log-in everybody may do everything
    assistant.delete_upload("uploads/garden.txt")


def test_a_record_of_uploaders_that_cannot_be_read_is_one_line(assistant: Assistant) -> None:
    (assistant.store.path / "uploaders.json").mkdir()
    with pytest.raises(StoreError):
        uploads.LocalUploads(assistant.store).forget_gone()


def test_an_upload_from_before_log_in_is_nobodys(assistant: Assistant) -> None:
    assistant.add_upload("garden.txt", GARDEN.encode())
    with pytest.raises(DocumentError, match="somebody else"):
        assistant.delete_upload("uploads/garden.txt", owner="0" * 32)
    (assistant.store.uploads / "garden.txt").unlink()  # by who runs the program
    assistant.refresh()
    assert len(assistant.documents()) == 1


@pytest.mark.parametrize("error", [StoreError("the disk is full."), KeyboardInterrupt()])
def test_where_indexing_fails_the_old_upload_is_back(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    ada, bob = "0" * 32, "1" * 32
    assistant.add_upload("garden.txt", GARDEN.encode(), owner=ada)

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(assistant, "refresh", fail)
        for name, owner in (("garden.txt", ada), ("new.txt", bob)):
            with pytest.raises(type(error)):
                assistant.add_upload(name, b"Something else.", owner=owner)
    assert [path.name for path in (assistant.store.path / "uploads").iterdir()] == ["garden.txt"]
    assert not list((assistant.store.path / "incoming").glob("*"))
    assistant.refresh()
    assert assistant.text("uploads/garden.txt") == GARDEN
    assistant.delete_upload("uploads/garden.txt", owner=ada)


@pytest.mark.parametrize("before", [GARDEN, None])
def test_an_upload_that_indexing_leaves_out_changes_nothing(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before:
        assistant.add_upload("garden.txt", before.encode())

    def read(file: File, *, max_file_mb: float) -> Document:
        document = read_document(file, max_file_mb=max_file_mb)
        if "else" in document.text:
            raise DocumentError("takes more than 60 s to read")
        return document

    monkeypatch.setattr(indexing, "read_document", read)  # not what reads it first
    with pytest.raises(DocumentError, match=r"^garden\.txt: takes more than 60 s"):
        assistant.add_upload("garden.txt", b"Something else.")
    assert assistant.text("uploads/garden.txt") == before
    assert len(assistant.documents()) == 1 + bool(before)
    assert assistant.skipped() == []


def test_an_old_upload_is_back_though_others_sweep_meanwhile(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.add_upload("garden.txt", GARDEN.encode())
    kept = assistant.store.uploads / "garden.txt"
    os.utime(kept, (10**9, 10**9))

    def fail(*_: object, **__: object) -> None:
        Incoming(assistant.store.path / INCOMING, 10**6).sweep()
        raise StoreError("the disk is full.")

    monkeypatch.setattr(assistant, "refresh", fail)
    with pytest.raises(StoreError):
        assistant.add_upload("garden.txt", b"Something else.")
    assert kept.read_text() == GARDEN
    assert kept.stat().st_mode & 0o777 == 0o600


def test_an_upload_is_deleted_from_a_full_disk(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    path = assistant.add_upload("b.txt", b"The ferry costs 3 euros.", owner="ann").path

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(uploads, "_write", full)
        assistant.delete_upload(path, owner="ann")
    assert path not in [one.path for one in assistant.documents()]
    assistant.add_upload("b.txt", b"The ferry costs 4 euros.", owner="ben")


def test_a_full_disk_is_one_line(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="is full"):
        assistant.add_upload("garden.txt", GARDEN.encode())
