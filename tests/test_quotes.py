"""Spans → quotes: promise 3 in full, promises 1 and 2, when two quotes are one, and what stands around a quote."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa.chunks import split_document, split_sentences
from qa.documents import read_document
from qa.embed import token_ends
from qa.errors import QuoteError
from qa.folder import File
from qa.quotes import MAX_CHARS, MAX_SENTENCES, make_quotes, quote_spans, same_text, verify_quote
from qa.schema import Document, Quote, Sentence
from qa.stages import Reading
from qa.store.local import Library
from qa.text import text_sha256
from tests import files
from tests.invariants import exact_slice, whole_sentences
from ui.render import render_quote
from ui.sources import render_source

TAKES_BACK = re.compile(r"\W*(?:not|unless|except)\b", re.IGNORECASE)


def sentences_of(text: str) -> list[Sentence]:
    """A line is a sentence; one that begins with # a heading, with | a row, with = a rule, with - an item."""
    kinds = {"#": "heading", "|": "row", "=": "rule", "-": "item"}
    return [Sentence(m.start(), m.end(), kinds.get(m[0][0], "text")) for m in re.finditer(r"[^\n]+", text)]  # type: ignore[arg-type]


def quoted(text: str, span: str, passage: str | None = None) -> str | None:
    start = text.index(passage) if passage else 0
    at = text.index(span, start)
    found = quote_spans(text, sentences_of(text), (start, start + len(passage or text)), (at, at + len(span)))
    return found and text[slice(*found)]


# -- promise 3: whole sentences ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "span", "quote"),
    [
        ("One.\nTwo is here.\nThree.", "Two is here.", "Two is here."),
        ("One.\nTwo is here.\nThree.", "is", "Two is here."),
        ("One.\nTwo.\nThree.\nFour.\nFive.", "Two.\nThree", "Two.\nThree."),
        ("One.\nTwo.\nThree.\nFour.\nFive.", "One.\nTwo.\nThree.\nFour.", "One.\nTwo.\nThree."),
        ("Free for all.\nExcept children.\nNext.", "Free", "Free for all.\nExcept children."),
        (
            "Free for all.\n(Not for dogs.)\nUnless small.\nNext.",
            "Free",
            "Free for all.\n(Not for dogs.)\nUnless small.",
        ),
        ("Free for all.\nexcept children.\nNext.", "children", "Free for all.\nexcept children."),
        ("Open daily.\nBut not on Sundays.\nNext.", "Sundays", "Open daily.\nBut not on Sundays."),
        ("Open daily.\n[1] Excluding Sundays.", "Open", "Open daily.\n[1] Excluding Sundays."),
        ("Open daily.\nNoted by all.\nNothing else.", "Open", "Open daily."),
        ("# Not a sentence\nOpen daily.", "Open", "Open daily."),
        ("Rows\n| a | b |\n=---\n| c | d |", "| c", "| c | d |"),
        ("Not first.\nOther.", "first", "Not first."),
    ],
)
def test_a_quote_is_whole_sentences_with_what_takes_them_back(text: str, span: str, quote: str) -> None:
    assert quoted(text, span) == quote


def test_rules_are_not_quoted() -> None:
    assert quoted("# Heading\n=---\nText.", "=---") is None


def test_a_heading_is_quoted_alone() -> None:
    text = "# The gate closes at six\nRing the bell.\nExcept on Mondays."
    assert quoted(text, "closes at six") == "# The gate closes at six"
    assert quoted(text, "six\nRing") == "Ring the bell.\nExcept on Mondays."


LIST = "You may not bring:\n- dogs\n- knives\n- radios"


@pytest.mark.parametrize(
    ("text", "span", "quote"),
    [
        (LIST, "dogs", "You may not bring:\n- dogs"),
        (LIST, "knives", "You may not bring:\n- dogs\n- knives"),
        (LIST, "You may not bring", "You may not bring:\n- dogs\n- knives"),
        (LIST, "radios", "- radios"),
        ("Bring a towel.\n- dogs", "dogs", "- dogs"),
        ("You may not bring:\n- " + "x" * 490, "x" * 9, "- " + "x" * 490),
    ],
)
def test_an_item_is_quoted_with_the_sentence_that_it_hangs_on_where_both_fit(text: str, span: str, quote: str) -> None:
    assert quoted(text, span) == quote


LONG = "The rule holds in every case that the members have thought of until today, and it holds for all of them"
CLAUSES = ", ".join([LONG] * 7) + "."
"""A sentence of some 700 characters that denies nothing."""


def test_a_long_sentence_is_quoted_up_to_a_clause_end() -> None:
    quote = quoted(CLAUSES, "The rule")
    assert quote
    assert 300 < len(quote) <= MAX_CHARS
    assert quote == CLAUSES[: len(quote)]
    assert quote.endswith(",")
    assert quoted(CLAUSES.replace(", ", "; "), "The rule") == quote.replace(",", ";")


@pytest.mark.parametrize(
    "denial",
    ("unless so|except in May|not in May|which doesn’t matter|but it is false|which the court denied|and nobody may"
     "|without children|if they pay|other than dogs|however late").split("|"),
)  # fmt: skip
def test_a_long_sentence_is_not_cut_before_what_denies_it(denial: str) -> None:
    assert quoted(f"{CLAUSES[:-1]}, {denial}.", "The rule") is None


@pytest.mark.parametrize("following", ["Except children.", "Not so in May.", "Unless it rains."])
def test_a_long_sentence_that_the_next_one_takes_back_is_not_quoted(following: str) -> None:
    assert quoted(f"{CLAUSES}\n{following}", "The rule") is None
    assert quoted(f"{CLAUSES}\nAnother thing.", "The rule") is not None


def test_a_long_sentence_is_not_quoted_without_the_answer() -> None:
    assert quoted(CLAUSES[:-1] + " and for 1,358 people.", "1,358") is None
    assert quoted(CLAUSES[:-1] + " and for 1,358 people.", "1,358 people.") is None
    assert quoted("However, " + "word " * 120 + "end.", "However") is None, "a scrap"
    assert quoted("word " * 120 + "end.", "word") is None, "no clause end"
    dashes = ("word " * 30 + "– ") * 5 + "end."
    assert quoted(dashes, "word") is None, "a dash opens an aside as often as it ends a clause"


def test_a_sentence_longer_than_its_passage_is_cut_inside_it() -> None:
    passage = CLAUSES[:250]
    quote = quoted(CLAUSES, "The rule", passage)
    assert quote
    assert quote == CLAUSES[: len(quote)]
    assert len(quote) <= len(passage)
    assert quoted(f"Before. {CLAUSES}\nNext.", "Next", passage=f"{CLAUSES[300:]}\nNext.") == "Next."


def test_a_second_sentence_that_does_not_fit_is_left_out() -> None:
    first, second = "First " + "word " * 50 + "end.", "Second " + "word " * 50 + "end."
    assert quoted(f"{first}\n{second}", f"end.\n{second}") == first
    assert quoted(f"{first}\n{second}", first, passage=first) == first


PIECES = [
    "You may not bring:",
    "- dogs",
    "Free.",
    "Not so.",
    "Except dogs.",
    "Unless old.",
    "A longer sentence stands here.",
    "# Head",
    "| row |",
    "=--",
]
PIECES += ["word " * 40 + "end.", ", ".join(["a clause of five words"] * 30) + ".", "Notable.", "“Not this.”"]


@given(st.data(), st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
def test_any_span_of_any_passage_keeps_promise_3(data: st.DataObject, lines: list[str]) -> None:
    text = "\n".join(lines)
    sentences = sentences_of(text)
    first = data.draw(st.integers(0, len(sentences) - 1))
    last = data.draw(st.integers(first, len(sentences) - 1))
    passage = (sentences[first].start, sentences[last].end - data.draw(st.sampled_from([0, 0, 1, 50])))
    at = data.draw(st.integers(0, len(text) - 1))
    found = quote_spans(text, sentences, passage, (at, data.draw(st.integers(at + 1, len(text)))))
    if found is None:
        return
    start, end = found
    assert passage[0] <= start < end <= passage[1], "outside of the passage"
    assert end - start <= MAX_CHARS
    inside = [one for one in sentences if one.start < end and one.end > start]
    quotable = [one for one in inside if one.kind not in ("heading", "rule")] or inside[:1]
    assert quotable[0].kind != "rule"
    assert inside[-1].kind != "heading" or len(inside) == 1, "a heading is quoted alone"
    assert start in [one.start for one in quotable]
    assert len(quotable) <= MAX_SENTENCES
    if end == inside[-1].end:
        fits = len(quotable) < MAX_SENTENCES and inside[-1] is not sentences[-1]
        following = sentences[sentences.index(inside[-1]) + 1] if fits else None
        if following and TAKES_BACK.match(text, following.start) and following.kind == "text":
            assert following.end > passage[1] or following.end - start > MAX_CHARS, "cut before what takes it back"
    else:
        assert text[end - 1] in ",;:)"
        assert not re.search(r"\b(?:not|unless|except)\b", text[end : inside[-1].end], re.IGNORECASE)


# -- promise 1: exact slice --------------------------------------------------------------------

TEXT = "He paid $5 (five). He did not pay $6 \\ a.b*c? “Да” 👍 e\u0301."


def a_quote(start: int, end: int, text: str = TEXT) -> Quote:
    return Quote(
        text=text[start:end], document="a.txt", title="T", date=None, page=None, locator=None, heading=None,
        start=start, end=end, document_sha256=text_sha256(text), score=0.5, before="", after="",
    )  # fmt: skip


@given(st.data())
def test_verify_accepts_the_slice_and_nothing_else(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(TEXT) - 1))
    quote = a_quote(start, data.draw(st.integers(start + 1, len(TEXT))))
    verify_quote(quote, TEXT)
    at = data.draw(st.integers(0, len(quote.text) - 1))
    other = data.draw(st.sampled_from(sorted(set(TEXT) - {quote.text[at]})))
    shift = data.draw(st.integers(1, 5))
    planted = {
        "one character": {"text": quote.text[:at] + other + quote.text[at + 1 :]},
        "one character less": {"text": quote.text[:at] + quote.text[at + 1 :]},
        "one character more": {"text": quote.text[:at] + other + quote.text[at:]},
        "end beyond": {"end": quote.end + shift},
        "end before": {"end": max(quote.end - shift, 0)},
        "start before": {"start": max(quote.start - shift, 0)} if quote.start else {"start": quote.start + 1},
        "other text": {"document_sha256": text_sha256(TEXT + " ")},
    }
    for change in planted.values():
        with pytest.raises(QuoteError, match=r"quoted|stands"):
            verify_quote(quote.model_copy(update=change), TEXT)


def test_verify_sees_a_text_that_has_changed_elsewhere() -> None:
    with pytest.raises(QuoteError, match="not the text that was quoted"):
        verify_quote(a_quote(0, 7), TEXT + "!")
    with pytest.raises(QuoteError):
        verify_quote(a_quote(3, 3), TEXT)


# -- when two quotes are one -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Free for all.", "FREE  for\nall."),
        ("“It’s” ‘free’.", "\"It's\" 'free'."),
        ("«Так»", '"так"'),
        ("a\u00a0b", "a b"),
    ],
)
def test_the_same_but_for_case_space_and_quote_marks(one: str, other: str) -> None:
    assert same_text(one) == same_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("within 30 days", "within 14 days"),
        ("1,358 people", "1358 people"),
        ("10² people", "102 people"),
        ("½ cup", "1/2 cup"),
        ("1.5", "15"),
        ("10 2", "102"),
        ("-5 degrees", "5 degrees"),
        ("5 km", "5 k m"),
        ("they do not pay", "they don't pay"),
        ("they may pay", "they may not pay"),
        ("free", "not free"),
        ("Anna paid", "Anne paid"),
        ("Mr. Weiß", "Mr. Weiss"),
        ("José", "Jose"),
        ("Jos\u00e9", "Jose\u0301"),
        ("a-b", "a b"),
        ("yes.", "yes?"),
        ("5′", "5'"),
        ("$5", "€5"),
        ("ﬁve", "five"),
        ("５", "5"),
    ],
)
def test_not_the_same_where_a_number_name_or_negation_differs(one: str, other: str) -> None:
    assert same_text(one) != same_text(other)


@example("\x1f«0")
@given(st.text(max_size=40))
def test_sameness_ignores_nothing_else(text: str) -> None:
    plain = same_text(text)
    assert same_text(plain) == plain
    assert same_text(f" {text}\n") == plain
    for sign in "x5.-²½é":
        assert same_text(text + sign) != plain


# -- from hits to quotes -----------------------------------------------------------------------


class Shelf:
    """A library of small files, without vectors; `quote` asks for the sentence that holds a text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = Library(folder / "library.sqlite")

    def add(self, name: str, content: str | bytes) -> Document:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        document = read_document(File(path, name, (1, 1, 1)), max_file_mb=1)
        key = document.sha256
        state = self.library.content_state(key)
        if state is None:
            sentences = split_sentences(document)
            parts = split_document(document.text, sentences, token_ends, key=key)
            self.library.add_pending(key, document, sentences, parts)
            state = self.library.content_state(key)
        assert state
        self.library.publish(state[0], File(path, name, (1, 1, 1)))
        return document

    def readings(self, text: str) -> list[Reading]:
        """The passages that hold `text`, in order, each with the sentence that it stands in as its span."""
        found = []
        for passage in self.library.passages([chunk for chunk, _ in self.library.search(text, 50)]):
            at = passage.text.find(text)
            if at >= 0:
                at += passage.start
                sentence = next(one for one in passage.sentences if one.start <= at < one.end)
                found.append(Reading(passage, (sentence.start, sentence.end), 0.5))
        return sorted(found, key=lambda reading: (reading.passage.document, reading.passage.start))

    def quotes(self, text: str) -> list[Quote]:
        passages = [reading.passage for reading in self.readings(text)]
        assert passages, "planted text was not found"
        made = make_quotes(self.library, [(reading, 0.5) for reading in self.readings(text)])
        for quote in made:
            whole = next(passage for passage in passages if passage.document == quote.document)
            stored = self.library.text(whole.content)
            exact_slice(quote, stored)
            whole_sentences(quote, stored)
            assert any(
                passage.document == quote.document and passage.start <= quote.start and quote.end <= passage.end
                for passage in passages
            ), "promise 2: not inside a passage that was retrieved"
        return made

    def quote(self, text: str) -> Quote:
        (quote,) = self.quotes(text)
        return quote


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.library.close()


FILLER = "\n\n".join(
    f"Paragraph {n} says nothing of interest and goes on for some fifteen words about it." for n in range(8)
)


def test_a_quote_knows_its_place(shelf: Shelf) -> None:
    text = "# Rules\n\n## Pool\n\nIt opens at nine. Children enter free. It closes at five.\n"
    document = shelf.add("a.md", f"---\ndate: 2024-05\n---\n{text}")
    quote = shelf.quote("Children enter")
    assert quote.text == "Children enter free."
    assert quote.start == document.text.index("Children")
    assert (quote.document, quote.title, quote.date, quote.heading) == ("a.md", "Rules", "2024-05", "Rules › Pool")
    assert (quote.before, quote.after) == ("It opens at nine.", "It closes at five.")
    assert (quote.page, quote.locator, quote.also_at) == (None, None, ())


@pytest.mark.parametrize(
    "sentence",
    [
        "It costs $5 (five) + 10% * 2.",
        "Use a\\b, ^a.*b$ or [x|y]?",
        "See {n} <b>&amp;</b> %s %(a)s there.",
        "Він сказав: «Так» 👍 e\u0301 10².",
    ],
)
def test_no_sign_in_a_quote_means_anything(shelf: Shelf, sentence: str) -> None:
    shelf.add("a.txt", f"First one here.\n{sentence}\nLast one here.")
    assert shelf.quote(sentence).text == sentence


def test_a_repeated_sentence_keeps_its_own_place(shelf: Shelf) -> None:
    text = f"The fee is five.\n\n{FILLER}\n\nThe fee is five.\n\n{FILLER}\n\nThe fee is five."
    document = shelf.add("a.txt", text)
    shelf.add("b.txt", f"Another document. THE FEE  is five.\n{FILLER}")
    places = [match.start() for match in re.finditer("The fee", text)]
    for reading in shelf.readings("The fee"):
        (quote,) = make_quotes(shelf.library, [(reading, 0.5)])
        assert reading.passage.start <= quote.start < reading.passage.end
        assert quote.start in places
        assert not quote.also_at
    both = make_quotes(
        shelf.library, [(reading, 0.5) for reading in [*shelf.readings("The fee"), *shelf.readings("THE FEE")]]
    )
    assert [(quote.document, quote.start) for quote in both] == [("a.txt", 0)]
    others = [("a.txt", places[1]), ("a.txt", places[2]), ("b.txt", len("Another document. "))]
    assert [(place.document, place.start) for place in both[0].also_at] == others
    assert all(document.text[p.start : p.end] == both[0].text for p in both[0].also_at if p.document == "a.txt")


def test_the_same_file_twice_is_one_quote_with_two_places(shelf: Shelf) -> None:
    shelf.add("b.txt", "Title\n\nThe fee is five.")
    shelf.add("a.txt", "Title\n\nThe fee is five.")
    quote = shelf.quote("The fee")
    assert quote.document == "a.txt"
    assert [(place.document, place.start, place.end) for place in quote.also_at] == [("b.txt", 7, 23)]


def test_statements_that_differ_stay_two_quotes(shelf: Shelf) -> None:
    for number, end in enumerate(("is 30 days.", "is 14 days.", "is not 30 days.", "is 30² days.", "is 302 days.")):
        shelf.add(f"{number}.txt", f"Title {number}\n\nThe term {end}")
    assert [quote.text for quote in shelf.quotes("The term")] == [
        "The term is 30 days.",
        "The term is 14 days.",
        "The term is not 30 days.",
        "The term is 30² days.",
        "The term is 302 days.",
    ]


def test_quotes_do_not_overlap(shelf: Shelf) -> None:
    shelf.add("a.txt", "Free for all here.\nExcept the children.\nOther.")
    first, second = *shelf.readings("Free for all"), *shelf.readings("Free for all")
    assert first.span
    second = replace(second, span=(first.span[1] + 5, len("Free for all here.\nExcept the children.\nOther")))
    assert [quote.text for quote in make_quotes(shelf.library, [(first, 0.5), (second, 0.4)])] == [
        "Free for all here.\nExcept the children."
    ]


def test_a_sentence_found_in_two_passages_is_in_one_place(shelf: Shelf) -> None:
    shelf.add("a.txt", " ".join(f"Sentence {n} goes on for ten words and then ends." for n in range(30)))
    shared = [n for n in range(30) if len(shelf.readings(f"Sentence {n} goes")) == 2]
    assert shared
    assert shelf.quote(f"Sentence {shared[0]} goes").also_at == ()


def test_before_a_list_item_stands_what_introduces_the_list(shelf: Shelf) -> None:
    shelf.add(
        "a.md",
        "Not this.\n\nMembers may bring:\n\n- food of their own\n- water in bottles\n  - also tea\n- a towel\n\nEnd.",
    )
    quote = shelf.quote("also tea")
    assert (quote.text, quote.before, quote.after) == ("- also tea", "Members may bring:", "- a towel")


@pytest.mark.parametrize("name", ["a.md", "a.html"])
def test_before_a_table_row_stands_its_header(shelf: Shelf, name: str) -> None:
    rows = [("Year", "People"), ("2023", "1,101"), ("2024", "1,358"), ("2025", "77")]
    lines = [f"| {year} | {people} |" for year, people in rows]
    page = "<p>Text.<table>" + "".join(f"<tr><td>{year}<td>{people}" for year, people in rows) + "</table>"
    shelf.add(name, page if name == "a.html" else "\n".join(["Text.", "", lines[0], "|---|---|", *lines[1:]]))
    quote = shelf.quote("1,358")
    shown = [text.strip("| ") for text in (quote.text, quote.before, quote.after)]
    assert shown == ["2024 | 1,358", "Year | People", "2025 | 77"]


FIRST = [["Ticket", "Weekday"], ["Adult", "£5.00"], ["Child", "£3.00"]]
SECOND = [["Room", "Seats"], ["Birch", "12"], ["Harbour", "30"]]


def two_slides(presentation: Any) -> None:
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Prices"
    for rows in (FIRST, SECOND):
        table = slide.shapes.add_table(3, 2, 0, 0, 914400, 914400).table
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                table.cell(number, column).text = text


def two_sheets(book: Any) -> None:
    book.active.title = "Prices"
    for rows, sheet in ((FIRST, book.active), (SECOND, book.create_sheet("Rooms"))):
        for row in rows:
            sheet.append(row)


def plain_sheets(book: Any) -> None:
    two_sheets(book)
    book.active.title, book.worksheets[1].title = "Sheet1", "Sheet2"


def one_sheet(book: Any) -> None:
    book.active.title = "Prices"
    for row in [*FIRST, [], ["Rooms of 2024"], *SECOND]:
        book.active.append(row)


def two_tables(document: Any) -> None:
    document.add_heading("Prices", 1)
    for rows in (FIRST, SECOND):
        files.add_table(document, rows)


def two_drawn(drawn: Any) -> None:
    files.write_lines(drawn, ["Prices"], size=20)
    files.write_lines(
        drawn, ["A line of text that is longer than the cells are, so that the heading is larger."], top=700
    )
    files.write_table(drawn, FIRST, top=600)
    files.write_table(drawn, SECOND, top=500)


def page_of(*tables: list[list[str]]) -> str:
    rows = ["".join(f"<tr><td>{one}<td>{other}" for one, other in table) for table in tables]
    return "<h1>Prices</h1>" + "".join(f"<table>{table}</table>" for table in rows)


def marked(*tables: list[list[str]]) -> str:
    lines = [f"| {one} | {other} |" for table in tables for one, other in table]
    return "\n".join(["# Prices", "", lines[0], "|---|---|", *lines[1:3], "", lines[3], "|---|---|", *lines[4:]])


TWO_TABLES: dict[str, tuple[str | bytes, tuple[str | None, int | None, str | None]]] = {
    "a.md": (marked(FIRST, SECOND), ("Prices", None, None)),
    "crlf.md": (marked(FIRST, SECOND).replace("\n", "\r\n"), ("Prices", None, None)),
    "a.html": (page_of(FIRST, SECOND), ("Prices", None, None)),
    "a.docx": (files.docx_bytes(two_tables), ("Prices", None, None)),
    "a.pptx": (files.pptx_bytes(two_slides), ("Prices", None, "slide 1")),
    "sheets.xlsx": (files.xlsx_bytes(two_sheets), ("Rooms", None, "sheet Rooms, row 3")),
    "plain.xlsx": (files.xlsx_bytes(plain_sheets), ("Sheet2", None, "sheet Sheet2, row 3")),
    "sheet.xlsx": (files.xlsx_bytes(one_sheet), ("Prices", None, "sheet Prices, row 8")),
    "a.pdf": (files.pdf_bytes(two_drawn), ("Prices", 1, None)),
    "a.csv": (files.csv_bytes(SECOND), (None, None, "row 3")),
    "a.tsv": (files.csv_bytes(SECOND, delimiter="\t"), (None, None, "row 3")),
}


@pytest.mark.parametrize("name", TWO_TABLES)
def test_tables_in_sequence_have_their_own_headers(shelf: Shelf, name: str) -> None:
    content, place = TWO_TABLES[name]
    shelf.add(name, content)
    quote = shelf.quote("Harbour")
    assert [text.strip("| ") for text in (quote.text, quote.before)] == ["Harbour | 30", "Room | Seats"]
    assert (quote.heading, quote.page, quote.locator) == place
    page = render_quote(quote, 1, 0)
    assert re.search(r'class="small columns">(?:\| )?Room \| Seats', page)
    assert "Ticket" not in page, "in the chat, too, it stands under its own header and beside no other"
    assert "Ticket" not in render_source(quote, 1, 1, 0, None)
    if "Adult" in shelf.library.text(1):
        assert shelf.quote("Child").before.strip("| ") == "Ticket | Weekday"
        assert "Child" not in shelf.quote("Room | Seats").before


def test_the_header_of_a_table_of_a_thousand_rows(shelf: Shelf) -> None:
    shelf.add(
        "a.csv", files.csv_bytes([["Name", "Age"], *([f"person{number}", str(number)] for number in range(1000))])
    )
    quote = shelf.quote("person987")
    assert (quote.before, quote.locator, quote.after) == ("Name | Age", "row 989", "person988 | 988")


def test_what_a_citation_needs_comes_from_every_format(shelf: Shelf) -> None:
    for ending, planted, place in (
        (".pdf", "children may", (1, None, "Rules of the pool")),
        (".docx", "five pounds", (None, None, "Field trip guide › Before you go › Fees")),
        (".pptx", "queue on the left", (None, "slide 2, notes", "Timetable")),
        (".xlsx", "12,345.6", (None, "sheet Q3, row 3", "Q3")),
        (".json", "Child", (None, "$.tickets[1]", None)),
        (".jsonl", "5.50", (None, "line 1", None)),
        (".eml", "closed on Friday", (None, None, "Pool closed")),
    ):
        shelf.add(f"a{ending}", files.SAMPLES[ending]())
        quote = next(one for one in shelf.quotes(planted) if one.document == f"a{ending}")
        assert (quote.page, quote.locator, quote.heading) == place, ending


@pytest.mark.parametrize("following", ["Not the small ones, who have to pay.", "# Exceptions\n\nSome pay."])
def test_no_quote_before_what_takes_it_back_and_does_not_fit(shelf: Shelf, following: str) -> None:
    long = "All of the children enter free, " + "as has been said on many occasions, " * 12 + "every day."
    shelf.add("a.md", f"{long}\n\n{following} {'word ' * 40}end.\n\n{FILLER}")
    assert shelf.quotes("All of the children") == []
    shelf.add("b.md", f"{long}\n\nNotably so. {'word ' * 40}end.\n\n{FILLER}")
    assert [quote.document for quote in shelf.quotes("All of the children")] == ["b.md"]


@pytest.mark.parametrize("change", ["text", "sha256"])
def test_a_quote_that_fails_is_never_made(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    shelf.add("a.txt", "The fee is five here.")
    (reading,) = shelf.readings("The fee")
    assert len(make_quotes(shelf.library, [(reading, 0.5)])) == 1
    if change == "sha256":
        reading = replace(reading, passage=replace(reading.passage, sha256=text_sha256("other")))
    else:
        monkeypatch.setattr(shelf.library, "text", lambda content: "The fee is nine here.")
    assert make_quotes(shelf.library, [(reading, 0.5)]) == []


class Purged(Library):
    """A library from which another process purges everything whenever `step` begins."""

    def __init__(self, other: Library, step: str) -> None:
        super().__init__(other.path)
        self.other, self.step = other, step

    def _meanwhile(self, step: str) -> None:
        if step == self.step:
            self.other.drop([one.path for one in self.other.documents()])
            self.other.purge()

    def context(self, content: int, start: int, end: int) -> tuple[str, str]:
        self._meanwhile("context")
        return super().context(content, start, end)

    def text(self, content: int) -> str:
        text = super().text(content)
        self._meanwhile("text")
        return text


@pytest.mark.parametrize("step", ["text", "context"])
def test_a_quote_is_of_one_moment(shelf: Shelf, step: str) -> None:
    shelf.add("a.md", "# Fees\n\n| Name | Price |\n| --- | --- |\n| Rope | 5 |\n| Tent | 90 |\n")
    shelf.add("b.md", "# Boats\n\nA rope for a boat costs 7.\n")
    hits = [(reading, 0.5) for reading in (*shelf.readings("Tent"), *shelf.readings("boat"))]
    expected = make_quotes(shelf.library, hits)
    assert [(quote.heading, quote.before) for quote in expected] == [("Fees", "| Name | Price |"), ("Boats", "")]
    library = Purged(shelf.library, step)
    assert make_quotes(library, hits) == expected
    assert shelf.library.documents() == []
    library.close()
