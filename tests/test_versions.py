"""An update of the program: what of a store is done again, what is kept, and what is said."""

import os
import shutil
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa.assistant import Assistant
from qa.config import Config
from qa.embed import passage_text
from qa.errors import StoreError
from qa.formats import READERS
from qa.formats.blocks import Extract
from qa.formats.plain import read_plain
from qa.indexing import sync
from qa.store.limits import Limits
from qa.store.place import Store
from qa.store.versions import PACKAGED, Versions
from qa.text import text_sha256
from tests.conftest import ROOT
from tests.stores import Folder, TextEmbedder, equals_folder, fill, published_is_complete, run, stored_vectors

EARLIER = ROOT / "tests" / "golden" / "earlier"
NOW = Versions()
NEXT_CUTTING = replace(NOW, cutting="another")
NEXT_MARKDOWN = replace(NOW, reading={**NOW.reading, ".md": "another"})
NEXT_EMBEDDER = replace(NOW, embedder=f"{PACKAGED}other weights")
NEXT_EMBEDDING = replace(NOW, embedding="another")


class OtherEmbedder(TextEmbedder):
    """An embedder with other vectors."""

    @staticmethod
    def vector(text: str) -> np.ndarray:
        return TextEmbedder.vector(f"{text}!")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = Folder(tmp_path / "docs", 5)
    for name in ("a.txt", "b.md", "c.md"):
        folder.write(name, folder.text(40))
        os.utime(folder.path / name, (1, 1))  # long ago: it is as it was indexed
    return folder.path


@pytest.fixture
def place(tmp_path: Path, docs: Path) -> Path:
    with closing(Store(tmp_path / "store", docs)) as store:
        run(store)
    return tmp_path / "store"


def files_read(store: Store, embedder: TextEmbedder) -> int:
    """Run; how many files were read."""
    to_do: list[int] = []
    config = Config(data_dir=store.path, threads=1)
    sync(store, embedder, config, lambda done, of, embedded, what: to_do.append(of))  # type: ignore[arg-type]
    return max(to_do, default=0)


def read_otherwise(data: bytes) -> Extract:
    """As an earlier version, but for one word."""
    return read_plain(data.decode().replace("number 79 ", "No. 79 "))


def test_a_new_version_of_reading_a_format_reads_only_its_files_again(
    place: Path, docs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embedder = TextEmbedder()
    with closing(Store(place, docs, versions=NEXT_MARKDOWN)) as store:
        assert len(store.library.documents()) == 3, "what is indexed is answered from meanwhile"
        assert files_read(store, embedder) == 2
        assert "2 files differently" in caplog.text
        assert embedder.texts == [], "the texts are the same"
        equals_folder(store, docs)
        assert files_read(store, embedder) == 0
    with closing(Store(place, docs, versions=NEXT_MARKDOWN)) as store:
        assert files_read(store, embedder) == 0


def test_only_texts_that_changed_are_embedded_again(place: Path, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, ".md", read_otherwise)
    embedder = TextEmbedder()
    with closing(Store(place, docs, versions=NEXT_MARKDOWN)) as store:
        files_read(store, embedder)
        published_is_complete(store)
        chunks = store.library.count_chunks()
    changed = [text for text in embedder.texts if "No. 79 " in text]
    assert 1 <= len(changed) <= len(embedder.texts) < chunks / 4


def test_an_edited_file_keeps_the_vectors_of_its_other_passages(place: Path, docs: Path) -> None:
    text = (docs / "a.txt").read_text()
    fill(docs, {"a.txt": f"{text}\nThe lighthouse was sold.\n"})
    embedder = TextEmbedder()
    with closing(Store(place, docs)) as store:
        run(store, embedder)
        equals_folder(store, docs)
        assert 0 < len(embedder.texts) < len(store.library.chunk_ids(["a.txt"])) / 2


def test_a_new_version_of_cutting_cuts_all_and_keeps_the_vectors(place: Path, docs: Path) -> None:
    before = stored_vectors(place)
    embedder = TextEmbedder()
    with closing(Store(place, docs, versions=NEXT_CUTTING)) as store:
        assert files_read(store, embedder) == 3
        assert embedder.texts == []
        equals_folder(store, docs)
        assert not before.keys() & set(store.library.chunk_ids()), "nothing was cut anew"


@pytest.mark.parametrize("versions", [NEXT_EMBEDDER, NEXT_EMBEDDING])
def test_a_new_version_of_the_packaged_embedder_embeds_all_again_and_says_how_long(
    place: Path, docs: Path, versions: Versions, caplog: pytest.LogCaptureFixture
) -> None:
    embedder, told = OtherEmbedder(), list[str]()
    embed = embedder.embed

    def embedding(texts: Any) -> Any:
        told.append(caplog.text)
        return embed(texts)

    embedder.embed = embedding  # type: ignore[method-assign]
    limits = Limits(flush_chunks=8, long_s=0)
    with closing(Store(place, docs, versions=versions, limits=limits)) as store:
        assert files_read(store, embedder) == store.library.count_chunks() == len(embedder.texts)
        vectors = stored_vectors(place)
        for passage in store.library.passages(store.library.chunk_ids()):
            wanted = embedder.vector(passage_text(passage.title, passage.text))
            assert np.allclose(vectors[passage.chunk], wanted, atol=1e-5)
    assert "about a minute" not in told[0]
    assert "passages are embedded; that takes about a minute" in told[1], "after the first batch"
    with closing(Store(place, docs, versions=versions)) as store:
        embedder.texts.clear()
        run(store, embedder)
        assert embedder.texts == []


@pytest.mark.parametrize("versions", [NEXT_MARKDOWN, NEXT_CUTTING, NEXT_EMBEDDER])
def test_an_update_that_is_stopped_goes_on(place: Path, docs: Path, versions: Versions) -> None:
    class Stop(BaseException):
        pass

    for step in ("adopt", "destroy", "add", "publish", "purge"):
        with closing(Store(place, docs, versions=versions)) as store:
            part: Any = store.vectors if step in ("destroy", "add") else store.library

            def stop(*_: Any, **__: Any) -> None:
                raise Stop

            setattr(part, step, stop)
            try:
                run(store)
            except Stop:
                part.__dict__.pop(step)
                published_is_complete(store)
    with closing(Store(place, docs, versions=versions)) as store:
        run(store)
        equals_folder(store, docs)
        assert Versions.of(store.library.facts()) == versions


def test_another_embedder_is_refused_and_changes_nothing(place: Path, docs: Path) -> None:
    before = (place / "library.sqlite").read_bytes()
    with pytest.raises(StoreError, match=r"another embedder .* pass another --store") as caught:
        Store(place, docs, embedder="mine v1")
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="another embedder"):
        Store(place, docs, embedder="mine v1", afresh=True)
    assert (place / "library.sqlite").read_bytes() == before
    with closing(Store(place.with_name("mine"), docs, embedder="mine v1")) as store:
        run(store, OtherEmbedder())
    for other in (None, "mine v2"):
        with pytest.raises(StoreError, match=r"another embedder \(mine v1\)"):
            Store(place.with_name("mine"), docs, embedder=other)
    with closing(Store(place.with_name("mine"), docs, embedder="mine v1")) as store:
        assert not run(store, OtherEmbedder())


def test_the_default_store_of_another_embedder_is_another(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, threads=1)
    usual = config.store_for(tmp_path / "docs")
    assert (
        usual == config.store_for(tmp_path / "docs", NOW.embedder) == config.store_for(tmp_path / "docs", "packaged x")
    )
    others = [config.store_for(tmp_path / "docs", identity) for identity in ("mine v1", "mine v2", "../mine")]
    assert len({usual, *others}) == 4
    assert all(other.parent == tmp_path and other.name.startswith(f"{usual.name}-") for other in others)


# -- a file that is read differently -----------------------------------------------------------------


def test_a_text_that_an_earlier_version_read_is_known_until_the_file_changes(
    place: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = text_sha256((docs / "b.md").read_text())
    monkeypatch.setitem(READERS, ".md", lambda data: read_plain(data.decode().upper()))
    with closing(Store(place, docs, versions=NEXT_MARKDOWN)) as store:
        assert not store.library.was_read_as("b.md", then)
        run(store)
        assert store.library.was_read_as("b.md", then)
        assert not store.library.was_read_as("b.md", text_sha256("another"))
        assert not store.library.was_read_as("a.txt", then)
        fill(docs, {"b.md": "Something else.\n"})
        run(store)
        assert not store.library.was_read_as("b.md", then)
        os.utime(docs / "c.md", (2, 2))
        run(store)
        (docs / "c.md").unlink()
        run(store)
        assert not store.library.was_read_as("c.md", then)


# -- a store of an earlier version -------------------------------------------------------------------


@pytest.fixture
def earlier(tmp_path: Path) -> tuple[Path, Path]:
    """(documents, store) as the version before 2026-12-01 wrote them: a zipped store, and its conversations."""
    docs, place = shutil.copytree(EARLIER / "docs", tmp_path / "docs"), tmp_path / "store"
    with zipfile.ZipFile(EARLIER / "store.zip") as archive:
        archive.extractall(place)
    shutil.copytree(EARLIER / "conversations", place / "conversations")
    return docs, place


def test_a_store_of_an_earlier_version_is_opened_without_embedding(
    earlier: tuple[Path, Path], config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    docs, place = earlier
    with closing(Assistant.open(docs, store=place, config=config)) as assistant:
        assert assistant.changes.embedded == 0, "what was cut as before keeps its vectors"
        assert not assistant.changes.added
        assert not assistant.changes.dropped
        assert [document.path for document in assistant.documents()] == [
            "ferry.txt", "pool.md", "rooms.csv", "rules.html", "uploads/minutes.txt"
        ]  # fmt: skip
        assert assistant.ask("When does the pool open on weekdays?").status == "answered"
        assert assistant.ask("Who was elected as chair?").status == "answered"
        assistant.store.library.verify()
        assert Versions.of(assistant.store.library.facts()) == NOW
    assert "read again" not in caplog.text or "files differently; they are read again" in caplog.text
    assert (place / "uploaders.json").read_text() == '{"minutes.txt": "ada"}'


def test_a_store_older_than_that_is_rebuilt_and_keeps_what_is_a_users(
    earlier: tuple[Path, Path], config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    docs, place = earlier
    kept = {path: path.read_bytes() for path in [*place.glob("conversations/*/*"), *place.glob("uploads/*")]}
    with closing(sqlite3.connect(place / "library.sqlite")) as db:
        db.execute("UPDATE meta SET value = '0123456789abcdef' WHERE name = 'fingerprint'")
        db.commit()
    with closing(Assistant.open(docs, store=place, config=config)) as assistant:
        assert "Uploads and conversations are kept" in caplog.text
        assert len(assistant.documents()) == 5
        assert assistant.ask("Who was elected as chair?").status == "answered"
    assert len(kept) == 4
    assert all(path.read_bytes() == content for path, content in kept.items())
