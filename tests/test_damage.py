"""A disk that lost bits: bytes changed anywhere in the library are one line or harmless, never another quote."""

import os
import random
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qa.assistant import Assistant
from qa.check import check_store
from qa.config import Config
from qa.errors import StoreError
from qa.store.integrity import document_seal
from qa.store.place import Store
from tests.invariants import every_promise, quotes_of
from tests.readers import Trusting
from tests.stores import TextEmbedder, equals_folder, fill, run

TABLE = "# Fees\n\n| who | fee |\n|---|---|\n| adults | 12 euros |\n| children | 4 euros |\n\n- Dogs stay outside.\n"
FILES = {
    "harbour.txt": "The harbour was rebuilt in 1834. The old bridge was not sold.\n\nIt was measured twice.\n" * 2,
    "quarry.md": "---\ntitle: The quarry\ndate: 1901-02-03\n---\n# Quarry\n\nThe quarry was closed. Nobody is there.\n",
    "fees.md": TABLE,
    "copy of fees.md": TABLE,
    "ferry.txt": "The ferry was painted by the captain.\n\n"
    + "The ferry goes at nine, unless there is ice. " * 60
    + "\n",
}
QUESTIONS = (
    "When was the harbour rebuilt?",
    "Who painted the ferry?",
    "What is the fee for adults?",
    "Is the quarry closed?",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(documents, a whole store of them)."""
    base = tmp_path_factory.mktemp("damage")
    docs = fill(base / "docs", FILES)
    for name in FILES:
        os.utime(docs / name, (10**9, 10**9))  # long ago: no run reads them again
    with closing(Store(base / "store", docs)) as store:
        run(store)
    return docs, base / "store"


def damage(data: bytearray, where: int, rng: random.Random) -> None:
    """One bit, one byte, or a run of noise: what disks do."""
    kind = rng.randrange(3)
    if kind == 0:
        data[where] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[where] = rng.randrange(256)
    else:
        noise = rng.randbytes(rng.choice((16, 512)))[: len(data) - where]
        data[where : where + len(noise)] = noise


def said_by(place: Path, docs: Path) -> str:
    """What asking says: "right", or the line of the error. Fails where anything is quoted that is not so."""
    try:
        with closing(Store(place, docs)) as store:
            config = Config(data_dir=place, threads=1)
            assistant = Assistant(store, config, Trusting(), embedder=TextEmbedder())
            for question in QUESTIONS:
                answer = assistant.ask(question)
                every_promise(answer, docs)
                for quote in quotes_of(answer):
                    title, date = ("The quarry", "1901-02-03") if quote.document == "quarry.md" else (quote.title, None)
                    assert (quote.title, quote.date) == (title, date), "another document's title or date"
        return "right"
    except StoreError as error:
        return str(error)


@pytest.mark.parametrize("places", [16, pytest.param(200, marks=pytest.mark.slow)])
def test_bytes_changed_anywhere_in_the_library(whole: tuple[Path, Path], tmp_path: Path, places: int) -> None:
    docs, place = whole
    size = (place / "library.sqlite").stat().st_size
    rng = random.Random(places)
    embedder: Any = TextEmbedder()
    found: Counter[str] = Counter()
    for number in range(places):
        # evenly over the file, so that each page of each table has its share
        where = min(size - 1, (number * size + rng.randrange(size)) // places)
        copy = tmp_path / "copy"
        shutil.copytree(place, copy)
        data = bytearray((copy / "library.sqlite").read_bytes())
        damage(data, where, rng)
        (copy / "library.sqlite").write_bytes(data)
        said = said_by(copy, docs)
        assert said == "right" or re.search(r"^[^\n]*run `qa check`[^\n]*\.$", said), f"at {where}: {said}"
        found[said.replace(str(copy), "")] += 1
        check_store(copy, docs, Config(data_dir=copy, threads=1), embedder=embedder)
        with closing(Store(copy, docs)) as store:
            equals_folder(store, docs)
        assert said_by(copy, docs) == "right"
        shutil.rmtree(copy)
    print(found)
    assert 0 < found["right"] < places


def test_a_document_is_never_cited_with_anothers_text(whole: tuple[Path, Path], tmp_path: Path) -> None:
    """One byte: the number of the text that a document is. Neither SQLite nor the file's signature tells."""
    docs, place = whole
    copy = shutil.copytree(place, tmp_path / "copy")
    db = sqlite3.connect(copy / "library.sqlite")
    harbour = "(SELECT content FROM documents WHERE path = 'harbour.txt')"
    db.execute(f"UPDATE documents SET content = {harbour} WHERE path = 'ferry.txt'")
    db.commit()
    db.close()
    assert "a document record does not match its text" in said_by(copy, docs)
    with closing(sqlite3.connect(copy / "library.sqlite")) as db:  # planted: a seal over the wrong record
        key = db.execute("SELECT key FROM contents WHERE id = (SELECT content FROM documents WHERE path = 'ferry.txt')")
        seal = document_seal("ferry.txt", key.fetchone()[0])
        db.execute("UPDATE documents SET seal = ? WHERE path = 'ferry.txt'", (seal,))
        db.commit()
    with pytest.raises(AssertionError, match=r"not the slice|not the text"):
        said_by(copy, docs)
