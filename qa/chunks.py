"""`Document` → sentences and chunks: intervals of the document, placed by slicing, never by searching.

Laws (tests/invariants.py): text is a slice; starts strictly increase; a chunk starts no earlier than the one
before it ends, less one sentence of overlap; what no chunk covers is white space; same bytes, same ids.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import nupunkt

from qa.schema import Block, Chunk, Document, Sentence
from qa.words import CLINGING, FUNCTION_WORDS

VERSION = "2"  # part of the store's fingerprint: raise it when boundaries change
CHUNK_WORDS = 60  # about: a sentence joins a run when at least half of it lies within
CHUNK_TOKENS = 112  # of the reader's 192; 5 are marks, the rest the question's, then title, date and headings
CHUNK_CHARS = 1000  # binds only where the tokenizer sees no words, as in an endless string of letters
LONG_SENTENCE_CHARS = 500  # a longer sentence is indexed in pieces

TokenEnds = Callable[[str], Sequence[int]]
"""Text → where each of the models' tokens ends, in characters, ascending; special tokens left out."""

_WORD = re.compile(r"\S+")
_SPACES = re.compile(r"\s*")
_WIDE_END = re.compile(  # what the library does not know; a Japanese quotation goes on with a particle (「…。」と)
    r"[。！？｡।॥؟۔]+(?:[」』”’）)\]]+(?![ぁ-ゖ、，」』”’）)\]]))?(?![」』”’）)\]])(?=\s*\S)"
)
_GOES_ON = re.compile(r"(?<![^\W_])[^\W\d_]{1,3}\.\Z|[!?][\"'”’»)\]]*\Z")  # a short abbreviation; “Who?” said he
_RAISED = r"[¹²³⁰⁴-⁹]+(?:[,⁻–-][¹²³⁰⁴-⁹]+)*"
_DIGITS = r"\d{1,3}(?:[,–-]\d{1,3})*"
_CLOSING = r"[\"'”“’»«)\]]"  # some close in German
_NOTES = re.compile(  # references behind a full stop belong to what stands before
    rf"(?:(?:\[\d{{1,3}}\])+|{_CLOSING}*{_RAISED}|{_CLOSING}+{_DIGITS})(?=\s|\Z)"
)
# Where the library sees no end, as in papers and PDFs: “… found.12 The …”.
_NOTED_END = re.compile(rf"(?<=[.!?…])(?P<closing>{_CLOSING}*)(?:{_RAISED}|(?P<digits>{_DIGITS}))(?=\s)")
_NUMBERED = frozenset(
    "no approx aprox arts chap eqns figs inkl mind para paras refs secs sect vols табл".split()
)  # No.5
_WORD_BEFORE = re.compile(r"(?<![\w./@-])[^\W\d_]+(?=[.!?…]\Z)")  # that of a file's name is none
_CLAUSE_END = re.compile(r"[;:,][\"'”’)\]]*(?=\s)|[、，；：]|[)\]](?=\s)|\s(?=[-–—]\s)")


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    words: int
    tokens: int
    is_heading: bool
    clings: bool  # takes back part of the sentence before it: both stay in one run


def split_sentences(document: Document) -> list[Sentence]:
    """The document's sentences in order, without outer white space; no other text is outside of all of them."""
    return [
        Sentence(start, end, block.kind, block.level, block.page, block.locator)
        for block in document.blocks
        for start, end in _sentence_spans(document.text, block)
    ]


def split_document(text: str, sentences: Sequence[Sentence], token_ends: TokenEnds, *, key: str) -> list[Chunk]:
    """Runs of whole sentences within CHUNK_WORDS and CHUNK_TOKENS, neighbours sharing one sentence.

    A heading opens a run. A sentence that exceeds a limit by itself is cut into pieces, at clauses where it
    has any, else at white space, else between tokens. Ids are `key-start-end`; `key` names the content.
    """
    pieces = [piece for sentence in sentences for piece in _pieces(text, sentence, token_ends)]
    chunks: list[Chunk] = []
    first = 0
    while first < len(pieces):
        last = first + 1  # exclusive
        while last < len(pieces) and _fits(pieces[first : last + 1]) and not _opens(pieces, first, last):
            last += 1
        start, end = pieces[first].start, pieces[last - 1].end
        chunks.append(Chunk(f"{key}-{start}-{end}", start, end))
        shares = (
            last < len(pieces)
            and last - first > 1
            and not pieces[last].is_heading
            and _fits(pieces[last - 1 : last + 1])
        )
        first = last - 1 if shares else last
    return chunks


def clause_ends(text: str, start: int, end: int) -> list[int]:
    """Where clauses end inside `text[start:end]`: after , ; : a closing bracket, or before a dash. Ascending."""
    return [match.end() for match in _CLAUSE_END.finditer(text, start, end)]


def _fits(run: Sequence[_Piece]) -> bool:
    """Whether the run is a chunk: half of its last piece lies within CHUNK_WORDS, all within the other limits."""
    words = sum(piece.words for piece in run[:-1]) + run[-1].words / 2
    return (
        (words <= CHUNK_WORDS or run[-1].clings)
        and sum(piece.tokens for piece in run) <= CHUNK_TOKENS
        and run[-1].end - run[0].start <= CHUNK_CHARS
    )


def _opens(pieces: Sequence[_Piece], first: int, last: int) -> bool:
    """Whether the piece at `last` is a heading behind something else than headings."""
    return pieces[last].is_heading and not all(piece.is_heading for piece in pieces[first:last])


def _sentence_spans(text: str, block: Block) -> Iterator[tuple[int, int]]:
    if block.kind not in ("text", "item"):
        yield block.start, block.end
        return
    start = block.start
    for _, found in nupunkt.sentence_spans(text[block.start : block.end]):
        end = block.start + found
        notes = _NOTES.match(text, end, block.end)
        end = notes.end() if notes else end
        if start < end and not _goes_on(text, start, end, block.end):
            for inside in (*_ends_inside(text, start, end), end):
                yield start, inside
                start = _after_spaces(text, inside, block.end)


def _goes_on(text: str, start: int, end: int, limit: int) -> bool:
    """Whether the library found an end too early: what follows does not begin like a sentence."""
    following = text[_after_spaces(text, end, limit) : limit][:1]
    behind = _GOES_ON.search(text, max(start, end - 8), end)
    return behind is not None and (following.islower() or (behind[0][-1] == "." and following.isdigit()))


def _ends_inside(text: str, start: int, end: int) -> list[int]:
    """Where sentences end within what the library takes for one."""
    noted = (match for match in _NOTED_END.finditer(text, start, end) if _is_noted_end(text, match, end))
    return sorted(match.end() for match in itertools.chain(_WIDE_END.finditer(text, start, end), noted))


def _is_noted_end(text: str, match: re.Match[str], limit: int) -> bool:
    """Whether a sentence ends with these references; behind what may be shortened (Sect.3, Dr.¹) it does not."""
    begins = _after_spaces(text, match.end(), limit)
    following = text[begins : min(begins + 8, limit)].lstrip("\"'“‘«([")[:1]
    if not following.isalnum() or following.islower():
        return False
    before = text[max(0, match.start() - 40) : match.start()]
    found = _WORD_BEFORE.search(before)
    word = found[0] if found else ""
    sure = bool(match["closing"]) or before[-1:] in "!?" or word in FUNCTION_WORDS
    if match["digits"] is None:
        return sure or len(word) >= 4 or before[-2:-1].isdigit()
    long = len(word) >= (4 if word.islower() else 6)
    return following.isupper() and (sure or long) and word.lower() not in _NUMBERED


def _after_spaces(text: str, start: int, end: int) -> int:
    return _SPACES.match(text, start, end).end()  # type: ignore[union-attr]  # matches the empty string


def _pieces(text: str, sentence: Sentence, token_ends: TokenEnds) -> Iterator[_Piece]:
    start, is_heading = sentence.start, sentence.kind == "heading"
    while start < sentence.end:
        end, tokens = _piece_end(text, start, sentence.end, token_ends)
        words = sum(1 for _ in _WORD.finditer(text, start, end))
        clings = start == sentence.start and CLINGING.match(text, start, end) is not None
        yield _Piece(start, end, words, tokens, is_heading, clings)
        start = _after_spaces(text, end, sentence.end)


def _piece_end(text: str, start: int, limit: int, token_ends: TokenEnds) -> tuple[int, int]:
    """Where a piece that begins there ends, at the limit or where it is cut before it, and how many tokens it has."""
    end = min(limit, start + LONG_SENTENCE_CHARS)
    must_cut = end < limit
    ends = token_ends(text[start:end])
    while must_cut or len(ends) > CHUNK_TOKENS:
        if len(ends) > CHUNK_TOKENS:  # before the character that goes beyond: some are several tokens
            end = start + max((at for at in ends[:CHUNK_TOKENS] if at < ends[CHUNK_TOKENS]), default=1)
        end, must_cut = _cut(text, start, end), False
        ends = token_ends(text[start:end])  # anew: half a word may be more tokens than it was in the whole
    return end, len(ends)


def _cut(text: str, start: int, limit: int) -> int:
    """The last clause end in the later two thirds of the interval, else the last white space, else its end."""
    floor = start + (limit - start) // 3
    clauses = [at for at in clause_ends(text, start, limit) if at > floor]
    if clauses:
        return start + len(text[start : clauses[-1]].rstrip())
    space = max((match.start() for match in re.finditer(r"\s", text[start:limit])), default=0)
    return start + len(text[start : start + space].rstrip()) if space else limit
