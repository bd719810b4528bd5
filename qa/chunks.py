"""`Document` → sentences and chunks. Both are intervals of the document's text; no offset is found by searching.

Laws (tests/invariants.py): a chunk's text is a slice; starts strictly increase; neighbouring chunks overlap by at most
one sentence; only white space lies outside of all chunks; the same bytes give the same ids.
"""

import itertools
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import nupunkt

from qa.schema import Block, Chunk, Document, Sentence, Struck
from qa.words import CLINGING, FUNCTION_WORDS

VERSION = "3"  # of cutting: raise it when boundaries change
CHUNK_WORDS = 60  # roughly: a sentence joins a chunk when at least half of it lies within this limit
CHUNK_TOKENS = 112  # of the reader's 192; 5 are special tokens, the rest is for question, title, date and headings
CHUNK_CHARS = 1000  # matters only where the tokenizer finds no words, as in a very long string of letters
LONG_SENTENCE_CHARS = 500  # a longer sentence is indexed in pieces
WINDOW_CHARS = 2000  # that the sentence library sees at once: its time grows with the square of the length, …
WINDOW_MARGIN = 200  # … and what it says of a window's last characters is asked again with what follows them

TokenEnds = Callable[[str], Sequence[int]]
"""Text → the end of each of the models' tokens, as offsets in characters, ascending, without special tokens."""

_WORD = re.compile(r"\S+")
_WORDY = re.compile(r"\w")
_SPACES = re.compile(r"\s*")
_BLANK_LINE = re.compile(r"(?:\r\n|\n|\r(?!\n))[^\S\r\n]*(?=[\r\n])")
# Sentence ends that the library does not know. After a quotation a Japanese sentence can go on (「…。」と).
_WIDE_END = re.compile(r"[。！？｡।॥؟۔]+(?:[」』”’）)\]]+(?![ぁ-ゖ、，」』”’）)\]]))?(?![」』”’）)\]])(?=\s*\S)")
_GOES_ON = re.compile(r"(?<![^\W_])[^\W\d_]{1,3}\.\Z|[!?][\"'”’»)\]]*\Z")  # short abbreviations, and “Who?” he said
_RAISED = r"[¹²³⁰⁴-⁹]+(?:[,⁻–-][¹²³⁰⁴-⁹]+)*"
_DIGITS = r"\d{1,3}(?:[,–-]\d{1,3})*"
_CLOSING = r"[\"'”“’»«)\]]"  # “ and « are closing marks in German
_NOTES = re.compile(  # references to notes after a full stop belong to the sentence before them
    rf"(?:(?:\[\d{{1,3}}\])+|{_CLOSING}*{_RAISED}|{_CLOSING}+{_DIGITS})(?=\s|\Z)"
)
# A sentence end that the library does not find, in papers and PDFs: “… found.12 The …”.
_NOTED_END = re.compile(rf"(?<=[.!?…])(?P<closing>{_CLOSING}*)(?:{_RAISED}|(?P<digits>{_DIGITS}))(?=\s)")
_NUMBERED = frozenset(
    "no approx aprox arts chap eqns figs inkl mind para paras refs secs sect vols табл".split()
)  # abbreviations that are followed by a number, as in No.5
_WORD_BEFORE = re.compile(r"(?<![\w./@-])[^\W\d_]+(?=[.!?…]\Z)")  # not a part of a file name
_CLAUSE_END = re.compile(r"[;:,][\"'”’)\]]*(?=\s)|[、，；：]|[)\]](?=\s)|\s(?=[-–—]\s)")


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    words: int
    tokens: int
    is_heading: bool
    hangs: bool  # it is a list item
    leads: bool  # a list hangs on it ("You may not bring:"), so the first item stays in its chunk
    clings: bool  # it restricts the sentence before it ("Unless …"), so both stay in one chunk


def split_sentences(document: Document) -> list[Sentence]:
    """The document's sentences in order, without outer white space; only white space lies outside of all of them."""
    kept = [one for one in document.struck if one.start < one.end]
    return [
        Sentence(
            start,
            end,
            "rule" if kept and _is_struck(document.text, start, end, kept) else block.kind,
            block.level,
            block.page,
            block.locator,
            block.columns,
        )
        for block in document.blocks
        for start, end in _sentence_spans(document.text, block)
    ]


def split_document(text: str, sentences: Sequence[Sentence], token_ends: TokenEnds, *, key: str) -> list[Chunk]:
    """Runs of whole sentences within CHUNK_WORDS and CHUNK_TOKENS; neighbouring chunks share one sentence if possible.

    A heading starts a chunk. A sentence that alone exceeds a limit is cut into pieces: at clause ends if it has any,
    else at white space, else between tokens. Ids are `key-start-end`; `key` stands for the content.
    """
    pieces = [
        piece
        for sentence, names in zip(sentences, _name_tokens(text, sentences, token_ends), strict=True)
        for piece in _pieces(text, sentence, token_ends, names)
    ]
    chunks: list[Chunk] = []
    first = 0
    while first < len(pieces):
        last = first + 1  # exclusive
        while last < len(pieces) and _fits(pieces[first : last + 1]) and not _opens(pieces, first, last):
            last += 1
        if _parts_a_list(pieces, first, last):
            last -= 1
        start, end = pieces[first].start, pieces[last - 1].end
        chunks.append(Chunk(f"{key}-{start}-{end}", start, end))
        shares = (
            last < len(pieces)
            and last - first > 1
            and not pieces[last].is_heading
            and not pieces[last].leads
            and _fits(pieces[last - 1 : last + 1])
        )
        first = last - 1 if shares else last
    return chunks


def _is_struck(text: str, start: int, end: int, kept: Sequence[Struck]) -> bool:
    """Whether all words of the interval stand in struck text; `kept` are those that the text holds, in order."""
    at, found = start, False
    for one in kept[bisect_right(kept, start, key=lambda one: one.end) :]:
        if one.start >= end:
            break
        if _WORDY.search(text, at, max(at, one.start)):
            return False
        at, found = min(one.end, end), True
    return found and not _WORDY.search(text, at, end)


def clause_ends(text: str, start: int, end: int) -> list[int]:
    """Where clauses end in `text[start:end]`, ascending: after , ; : or a closing bracket, and before a dash."""
    return [match.end() for match in _CLAUSE_END.finditer(text, start, end)]


def _fits(run: Sequence[_Piece]) -> bool:
    """Whether the run keeps the limits of a chunk. For CHUNK_WORDS, half of the last piece is counted."""
    words = sum(piece.words for piece in run[:-1]) + run[-1].words / 2
    return (
        (words <= CHUNK_WORDS or run[-1].clings)
        and sum(piece.tokens for piece in run) <= CHUNK_TOKENS
        and run[-1].end - run[0].start <= CHUNK_CHARS
    )


def _opens(pieces: Sequence[_Piece], first: int, last: int) -> bool:
    """Whether the piece at `last` is a heading that follows other text than headings: there a new chunk starts."""
    return pieces[last].is_heading and not all(piece.is_heading for piece in pieces[first:last])


def _sentence_spans(text: str, block: Block) -> Iterator[tuple[int, int]]:
    if block.kind not in ("text", "item"):
        yield block.start, block.end
        return
    start = block.start
    for end in _library_ends(text, block.start, block.end):
        notes = _NOTES.match(text, end, block.end)
        end = notes.end() if notes else end
        if start < end and not _goes_on(text, start, end, block.end):
            for inside in (*_ends_inside(text, start, end), end):
                yield start, inside
                start = _after_spaces(text, inside, block.end)


def _parts_a_list(pieces: Sequence[_Piece], first: int, last: int) -> bool:
    """Whether the chunk would end with the sentence that the list behind it hangs on."""
    return last < len(pieces) and last - first > 1 and pieces[last - 1].leads and pieces[last].hangs


def _library_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Where the library ends a sentence in the interval, ascending. It sees windows, so that the time is linear."""
    while end - start > WINDOW_CHARS:
        limit = start + WINDOW_CHARS
        ends = [start + found for _, found in nupunkt.sentence_spans(text[start:limit])]
        sure = [found for found in ends if found <= limit - WINDOW_MARGIN]
        yield from sure
        start = sure[-1] if sure else _last_space(text, start, limit - WINDOW_MARGIN)
    yield from (start + found for _, found in nupunkt.sentence_spans(text[start:end]))


def _last_space(text: str, start: int, end: int) -> int:
    """Behind the last white space of the interval; its end where there is none."""
    spaces = [match.end() for match in re.finditer(r"\s", text[start:end])]
    return start + spaces[-1] if spaces else end


def _goes_on(text: str, start: int, end: int, limit: int) -> bool:
    """Whether the library found a sentence end too early: the text after it does not begin like a sentence."""
    following = text[_after_spaces(text, end, limit) : limit][:1]
    behind = _GOES_ON.search(text, max(start, end - 8), end)
    return behind is not None and (following.islower() or (behind[0][-1] == "." and following.isdigit()))


def _ends_inside(text: str, start: int, end: int) -> list[int]:
    """The sentence ends inside an interval that the library takes for one sentence."""
    noted = (match for match in _NOTED_END.finditer(text, start, end) if _is_noted_end(text, match, end))
    return sorted(match.end() for match in itertools.chain(_WIDE_END.finditer(text, start, end), noted))


def _is_noted_end(text: str, match: re.Match[str], limit: int) -> bool:
    """Whether a sentence ends at these references to notes. After a possible abbreviation (Sect.3, Dr.¹) none does."""
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


def _name_tokens(text: str, sentences: Sequence[Sentence], token_ends: TokenEnds) -> Iterator[int]:
    """For each sentence, the tokens of its columns' names: of a table row, which is read with them (`qa.reading`)."""
    header, last = 0, -1  # the tokens of the table's first row, and where its last row ends; -1: no table is open
    for sentence in sentences:
        if sentence.kind != "row":
            last = last if sentence.kind == "rule" else -1  # such as the line below a header
            yield 0
            continue
        is_first = last < 0 or _BLANK_LINE.search(text, last, sentence.start) is not None
        if is_first:
            header = len(token_ends(text[sentence.start : min(sentence.end, sentence.start + LONG_SENTENCE_CHARS)]))
        yield len(token_ends(": ".join(sentence.columns))) if sentence.columns else 0 if is_first else header
        last = sentence.end


def _pieces(text: str, sentence: Sentence, token_ends: TokenEnds, names: int) -> Iterator[_Piece]:
    start, is_heading = sentence.start, sentence.kind == "heading"
    while start < sentence.end:
        end, tokens = _piece_end(text, start, sentence.end, token_ends)
        words = sum(1 for _ in _WORD.finditer(text, start, end))
        clings = start == sentence.start and CLINGING.match(text, start, end) is not None
        leads = sentence.kind == "text" and end == sentence.end and text[end - 1] == ":"
        tokens += names if start == sentence.start else 0
        yield _Piece(start, end, words, tokens, is_heading, sentence.kind == "item", leads, clings)
        start = _after_spaces(text, end, sentence.end)


def _piece_end(text: str, start: int, limit: int, token_ends: TokenEnds) -> tuple[int, int]:
    """(end, number of tokens) of the piece that begins at `start`; it ends at `limit` or is cut before it."""
    end = min(limit, start + LONG_SENTENCE_CHARS)
    must_cut = end < limit
    ends = token_ends(text[start:end])
    while must_cut or len(ends) > CHUNK_TOKENS:
        if len(ends) > CHUNK_TOKENS:  # cut before the character of the first token too many; a character can be several
            end = start + max((at for at in ends[:CHUNK_TOKENS] if at < ends[CHUNK_TOKENS]), default=1)
        end, must_cut = _cut(text, start, end), False
        ends = token_ends(text[start:end])  # counted again: a cut word can have more tokens than before
    return end, len(ends)


def _cut(text: str, start: int, limit: int) -> int:
    """The last clause end in the later two thirds of the interval, else the last white space, else its end."""
    floor = start + (limit - start) // 3
    clauses = [at for at in clause_ends(text, start, limit) if at > floor]
    if clauses:
        return start + len(text[start : clauses[-1]].rstrip())
    space = max((match.start() for match in re.finditer(r"\s", text[start:limit])), default=0)
    return start + len(text[start : start + space].rstrip()) if space else limit
