"""The types that stages and users exchange, in the order of the pipeline.

Types used inside the package are frozen dataclasses; types that leave it are frozen pydantic models. All offsets count
Unicode code points in `Document.text`; `start` is inclusive, `end` exclusive.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["text", "item", "row", "code", "heading", "header", "rule"]
"""`header` is a line of a mail's header: it answers only what is asked about the mail itself.

`rule` is text that is indexed and never quoted: lines between sections, running heads, tables of contents."""


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, list item, table row, heading … of a document, without outer white space."""

    start: int
    end: int
    kind: Kind = "text"
    level: int = 0  # of a heading; 1 is the top level
    page: int | None = None
    locator: str | None = None  # the place in the file, such as "slide 4"
    columns: tuple[str, ...] = ()  # of a table row: each cell's column name, where the table's first row does not tell


@dataclass(frozen=True, slots=True)
class Struck:
    """Text that the file shows struck through; it is never evidence.

    `text` stood at `start` and is left out of the document's text; then `start == end`. Formats whose text is the file
    itself keep it at `start:end`, and `text` is empty.
    """

    start: int
    end: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file's extracted text, title, date and other facts. `path` is relative to the folder, with `/`."""

    path: str
    text: str
    sha256: str  # of the text in UTF-8
    title: str
    date: str | None  # ISO, possibly partial: 2023, 2023-11, 2023-11-24
    pages: int | None
    encoding: str
    blocks: tuple[Block, ...]
    left_out: str | None = None  # which part of the file is missing from the text, and what to do about it
    struck: tuple[Struck, ...] = ()  # in order of their places


@dataclass(frozen=True, slots=True)
class Sentence:
    """The smallest unit that is quoted or read: a sentence, list item, table row, heading or line of code."""

    start: int
    end: int
    kind: Kind = "text"
    level: int = 0
    page: int | None = None
    locator: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """An interval of a document that is found and read as one passage: whole sentences, or part of a very long one."""

    id: str
    start: int
    end: int


class Boundary(BaseModel):
    """Base of all types that leave the package, as Python objects or as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Skipped(Boundary):
    """A file that is not indexed, or only in part, with the reason."""

    path: str
    reason: str


class DocumentInfo(Boundary):
    """One indexed document, as `qa documents` lists it."""

    path: str
    title: str
    date: str | None
    pages: int | None
    sha256: str
    bytes: int = Field(ge=0)
    chunks: int = Field(ge=0)
    encoding: str


class DocumentList(Boundary):
    """What `qa documents --json` prints."""

    documents: tuple[DocumentInfo, ...]
    skipped: tuple[Skipped, ...]


class Turn(Boundary):
    """One earlier turn of a conversation. It is used to complete the next question, and never as a source."""

    question: str
    text: str = ""


class BatchLine(Boundary):
    """One line of `qa ask --batch`."""

    id: Any = None
    question: str
    documents: tuple[str, ...] | None = None
    history: tuple[Turn, ...] = ()


class Place(Boundary):
    """Another place where the identical text of a quote stands."""

    document: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Quote(Boundary):
    """A verbatim slice: `document.text[start:end] == text` and `sha256(document.text) == document_sha256`."""

    text: str
    document: str
    title: str
    date: str | None
    page: int | None
    locator: str | None
    heading: str | None
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    document_sha256: str
    score: float = Field(ge=0, le=1)
    before: str
    after: str
    also_at: tuple[Place, ...] = ()


class TraceHit(Boundary):
    """A retrieved passage. `scores` by stage: dense (cosine), keyword (BM25; higher is better), fused, reader (0–1)."""

    document: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    part: int = Field(ge=0, description="which part of the question it was retrieved for")
    scores: dict[str, float]


class PartVerdict(Boundary):
    """The decision about one part of the question: whether the documents cover it, and why."""

    part: str
    covered: bool
    probability: float = Field(ge=0, le=1)
    why: str


class Trace(Boundary):
    """How an answer came about: all that `Assistant.replay` needs and that a person may want to check."""

    question: str
    history: tuple[Turn, ...]
    documents: tuple[str, ...] | None
    hits: tuple[TraceHit, ...]
    threshold: float
    verdicts: tuple[PartVerdict, ...]
    versions: dict[str, str]
    models: dict[str, str]
    store: str
    timings_ms: dict[str, float]
    skipped: tuple[Skipped, ...]  # at most 10, which concern the question: it names them, or their passages were found
    skipped_count: int = Field(default=0, ge=0, description="how many files are skipped in all")


Reason = Literal[
    "empty_question", "no_documents", "nothing_relevant", "not_covered", "unsupported_request", "unverified"
]


class _Result(Boundary):
    question: str
    asked: str
    text: str
    confidence: float = Field(ge=0, le=1, description="calibrated probability that the quotes answer the question")
    trace: Trace


class Answered(_Result):
    """The documents cover the question: 1–3 quotes (up to 6 when several things are asked)."""

    status: Literal["answered"] = "answered"
    short_answer: str | None
    quotes: tuple[Quote, ...] = Field(min_length=1, max_length=6)
    conflicts: tuple[tuple[int, int], ...] = ()  # pairs of quotes that disagree, counted from 1; 0 is the question
    not_covered: tuple[str, ...] = ()  # parts of the question that the documents do not answer


class Refused(_Result):
    """The documents do not cover the question. This is a result, not an exception."""

    status: Literal["refused"] = "refused"
    reason: Reason
    nearest: tuple[Quote, ...] = Field(default=(), max_length=3)  # the nearest passages; they are not an answer


Answer = Annotated[Answered | Refused, Field(discriminator="status")]


class Stage(Boundary):
    """Progress that `Assistant.stream` reports: `searching`, then `reading` with the number of passages."""

    name: Literal["searching", "reading"]
    passages: int | None = None
