"""A changing folder and a ledger of every text that was in it, to check what answers cite.

An answer may cite a text only if the file of that name had this text at some moment between the question and the
answer. A text that was deleted or replaced before the question began must not be cited, and an unknown text never.
"""

import math
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eval.load import corpus
from qa.documents import read_document
from qa.errors import DocumentError
from qa.folder import File, list_files, signature
from qa.schema import Answered, Refused

EDITED = (".md", ".txt")
MAX_FILE_MB = 50.0


@dataclass(slots=True)
class Standing:
    """How long a file had a text: it began at `start_s` or earlier and ended at `end_s` or later."""

    sha256: str
    start_s: float
    end_s: float = math.inf


class Ledger:
    """A folder, changed only through this class, and every text that was in it. Safe to share between threads."""

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder, self.aside = folder, aside
        self.texts: dict[str, str] = {}
        self._standings: dict[str, list[Standing]] = {}
        self._lock = threading.Lock()
        aside.mkdir(parents=True, exist_ok=True)
        for file in list_files(folder)[0]:
            with suppress(DocumentError):  # a file that cannot be read is not indexed either
                self._note(file.name, self._read(file.path))

    def names(self) -> list[str]:
        """The names of the files that are in the folder now."""
        with self._lock:
            return sorted(name for name, known in self._standings.items() if known[-1].end_s == math.inf)

    def text(self, name: str) -> str:
        """The last text of the file of this name."""
        with self._lock:
            return self.texts[self._standings[name][-1].sha256]

    def put(self, name: str, data: bytes) -> None:
        """Write or replace the file in one atomic step."""
        fresh = self.aside / f"fresh{Path(name).suffix}"
        fresh.write_bytes(data)
        text = self._read(fresh)
        self._note(name, text)  # noted before the file is in the folder: no answer can quote a text not yet known
        before = self._standings[name][-2:-1]
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(self.folder / name)
        for replaced in before:
            replaced.end_s = min(replaced.end_s, time.monotonic())

    def delete(self, name: str) -> bytes:
        """Delete the file; returns its content."""
        data = (self.folder / name).read_bytes()
        (self.folder / name).unlink()
        with self._lock:
            self._standings[name][-1].end_s = time.monotonic()
        return data

    def faults(self, answer: Answered | Refused, start_s: float, end_s: float) -> list[str]:
        """What is wrong with an answer to a question that was asked at `start_s` and answered at `end_s`."""
        found = []
        for quote in answer.quotes if isinstance(answer, Answered) else answer.nearest:
            text = self.texts.get(quote.document_sha256)
            if text is None:
                found.append(f"{quote.document}: a text that never stood on disk")
                continue
            places = [(quote.document, quote.start, quote.end)]
            places += [(place.document, place.start, place.end) for place in quote.also_at]
            if text[quote.start : quote.end] != quote.text or quote.end - quote.start != len(quote.text):
                found.append(f"{quote.document}: not the slice at {quote.start}:{quote.end}")
            found += [
                f"{document}: cited although it was gone or another when the question began"
                for number, (document, *_) in enumerate(places)
                if not self._stood(document, None if number else quote.document_sha256, start_s, end_s)
            ]
        return found

    def _stood(self, name: str, sha256: str | None, start_s: float, end_s: float) -> bool:
        """Whether the file had this text (None: any text) at some moment between `start_s` and `end_s`."""
        with self._lock:
            return any(
                known.start_s <= end_s and start_s <= known.end_s and sha256 in (None, known.sha256)
                for known in self._standings.get(name, ())
            )

    def _note(self, name: str, document: tuple[str, str]) -> None:
        sha256, text = document
        with self._lock:
            self.texts[sha256] = text
            self._standings.setdefault(name, []).append(Standing(sha256, time.monotonic()))

    def _read(self, path: Path) -> tuple[str, str]:
        document = read_document(File(path, path.name, signature(path.stat())), max_file_mb=MAX_FILE_MB)
        return document.sha256, document.text


class Changer:
    """Makes random changes, drawn from a seed, to a folder; at least half as many documents stay in it."""

    def __init__(self, ledger: Ledger, seed: int = corpus.SEED) -> None:
        self._ledger = ledger
        self._rng = random.Random(seed)  # noqa: S311  # measurements, not secrets
        self._least = len(ledger.names()) // 2
        self._taken: dict[str, bytes] = {}
        self._made = 10**5  # far from the numbers of the documents in the folder

    def change(self) -> str:
        """Change one file; returns the kind of the change."""
        rng, ledger, names = self._rng, self._ledger, self._ledger.names()
        edited = [name for name in names if name.endswith(EDITED)]
        kinds = ["add", *["delete"] * (len(names) > self._least), *["restore"] * bool(self._taken)]
        kinds += ["edit", "edit", "copy"] * bool(edited)
        kind = rng.choice(kinds)
        if kind == "delete":
            name = rng.choice(names)
            self._taken[name] = ledger.delete(name)
        elif kind == "restore":
            name = rng.choice(sorted(self._taken))
            ledger.put(name, self._taken.pop(name))
        elif kind == "edit":  # an inserted paragraph moves all places after it
            name = rng.choice(edited)
            paragraphs = (ledger.folder / name).read_text("utf-8", "surrogateescape").split("\n\n")
            paragraphs.insert(rng.randrange(len(paragraphs) + 1), self._page().fact)
            ledger.put(name, "\n\n".join(paragraphs[:200]).encode("utf-8", "surrogateescape"))
        elif kind == "copy":
            name = rng.choice(edited)
            copy = Path(name).with_name(f"copy-{rng.randrange(20)}{Path(name).suffix}").as_posix()
            ledger.put(copy, (ledger.folder / name).read_bytes())
        else:
            page = self._page()
            ledger.put(f"added/{Path(page.name).name}", page.text.encode())
        return kind

    def _page(self) -> corpus.Page:
        self._made += 1
        return corpus.page(self._made)
