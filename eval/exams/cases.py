"""Cases: the questions of an exam and their right answers. All case files are checked before anything runs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from eval.jsonl import numbered_lines
from qa.documents import read_document
from qa.errors import DocumentError, QAError
from qa.folder import list_files
from qa.schema import Boundary

TEST_SHARE = 0.5
MAX_FILE_MB = 50.0


class CaseError(QAError):
    """Case files have mistakes. The message lists all of them, one in each line."""


class Gold(Boundary):
    """A passage that must be quoted, verbatim as in the document's text.

    `part`: of several things that are asked, which one it answers. `nth`: which occurrence, when it stands repeatedly.
    """

    document: str
    quote: str = Field(min_length=1)
    part: int | None = Field(default=None, ge=1)
    nth: int | None = Field(default=None, ge=1)


class Case(Boundary):
    """One question or conversation. All turns are asked; the answer to the last one is judged."""

    id: str = Field(min_length=1)
    kind: str = Field(min_length=1)
    turns: tuple[str, ...] = Field(min_length=1, max_length=4)
    docs: tuple[str, ...] | None = Field(default=None, min_length=1)  # the documents that may be used; None: all
    delete: tuple[str, ...] = ()  # documents that are indexed, and deleted before asking
    answerable: bool = Field(strict=True)
    gold: tuple[Gold, ...] = ()
    near: Gold | None = None  # the nearest passage of a case that has no gold
    distractors: tuple[Gold, ...] = ()
    short_answers: tuple[str, ...] = ()
    conflict: Literal["sources", "question"] | None = None
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Case":
        if self.answerable != bool(self.gold):
            raise ValueError("an answerable case needs gold, and a case with gold must be answerable")
        if any("\ud800" <= char <= "\udfff" for char in "".join(self.turns)):
            raise ValueError("a turn holds half a character (a lone surrogate)")
        if any(g.document in self.delete or g.document not in (self.docs or (g.document,)) for g in self.gold):
            raise ValueError("gold stands in a document that the case deletes or does not let be used")
        if len({gold.part is None for gold in self.gold}) > 1:
            raise ValueError("either all gold quotes have a part or none has")
        if self.conflict == "sources" and {gold.part for gold in self.gold} != {1, 2}:
            raise ValueError("a conflict of sources needs gold of parts 1 and 2")
        return self

    @property
    def split(self) -> Literal["dev", "test"]:
        """Decided by a hash of the gold passage, or of `near`, so that questions about one fact are in one split.

        Of several gold passages, the first in alphabetical order is hashed.
        """
        passage = min((gold.quote for gold in self.gold), default=self.near.quote if self.near else self.id)
        digest = hashlib.sha256(" ".join(passage.split()).encode()).digest()
        return "test" if digest[0] / 256 < TEST_SHARE else "dev"


@dataclass(frozen=True, slots=True)
class Placed:
    """A case with its passages as places in the documents: (document, start, end)."""

    case: Case
    parts: tuple[tuple[tuple[str, int, int], ...], ...]  # the gold of each part; one place of each part must be quoted
    distractors: tuple[tuple[str, int, int], ...]


def read_texts(docs: Path) -> dict[str, str]:
    """Path → text of every document in the folder, as the product reads it."""
    texts = {}
    for file in list_files(docs)[0]:
        try:
            texts[file.name] = read_document(file, max_file_mb=MAX_FILE_MB).text
        except DocumentError:
            continue
    return texts


def load_cases(paths: Sequence[Path], texts: dict[str, str]) -> list[Placed]:
    """All cases of the files with their places; raises CaseError that lists every mistake by file and line."""
    placed: list[Placed] = []
    mistakes: list[str] = []
    seen: dict[str, str] = {}
    for path in paths:
        try:
            lines = list(numbered_lines(path))
        except QAError as error:
            mistakes.append(str(error))
            continue
        if not lines:
            mistakes.append(f"{path.name}: has no cases")
        for number, line in lines:
            where = f"{path.name}:{number}"
            try:
                case = Case.model_validate(json.loads(line, object_pairs_hook=_once))
            except ValidationError as error:
                mistakes += [
                    f"{where}: {'.'.join(map(str, fault['loc'])) or 'case'}: {fault['msg']}" for fault in error.errors()
                ]
                continue
            except (ValueError, RecursionError) as error:
                told = str(error) if isinstance(error, _Twice) else "not valid JSON in UTF-8"
                mistakes.append(f"{where}: {told}")
                continue
            if case.id in seen:
                mistakes.append(f"{where}: id {case.id!r} stands in {seen[case.id]} already")
            seen.setdefault(case.id, where)
            found = _place(case, texts, where, mistakes)
            if found:
                placed.append(found)
    if mistakes:
        raise CaseError("\n".join(["the case files have mistakes:", *mistakes]))
    return placed


class _Twice(ValueError):
    """A field stands twice in a line; JSON readers would silently keep only one of the values."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(f"{next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def _place(case: Case, texts: dict[str, str], where: str, mistakes: list[str]) -> Placed | None:
    before = len(mistakes)
    for name in (*(case.docs or ()), *case.delete):
        if name not in texts:
            mistakes.append(f"{where}: {name} is not a document")
    gold = [(passage.part or 1, find(passage, texts, where, mistakes)) for passage in case.gold]
    distractors = [find(passage, texts, where, mistakes) for passage in case.distractors]
    if case.near:
        find(case.near, texts, where, mistakes)
    if len(mistakes) > before:
        return None
    numbers = sorted({part for part, _ in gold})
    parts = tuple(tuple(place for part, place in gold if part == number and place) for number in numbers)
    return Placed(case, parts, tuple(place for place in distractors if place))


def find(gold: Gold, texts: dict[str, str], where: str, mistakes: list[str]) -> tuple[str, int, int] | None:
    """The place of the passage. Adds a mistake when it is not found, or found several times and `nth` is missing."""
    text = texts.get(gold.document)
    if text is None:
        mistakes.append(f"{where}: {gold.document} is not a document")
        return None
    starts = _starts(text, gold.quote)
    if not starts:
        mistakes.append(f"{where}: not verbatim in {gold.document}: {gold.quote[:60]!r}")
    elif len(starts) > 1 and gold.nth is None:
        mistakes.append(f"{where}: stands {len(starts)} times in {gold.document}, needs nth: {gold.quote[:60]!r}")
    elif (gold.nth or 1) > len(starts):
        mistakes.append(
            f"{where}: stands {len(starts)} times in {gold.document}, nth is {gold.nth}: {gold.quote[:60]!r}"
        )
    else:
        start = starts[(gold.nth or 1) - 1]
        return gold.document, start, start + len(gold.quote)
    return None


def _starts(text: str, quote: str) -> list[int]:
    """All places where the quote starts; they may overlap."""
    found = [text.find(quote)]
    while found[-1] >= 0:
        found.append(text.find(quote, found[-1] + 1))
    return found[:-1]
