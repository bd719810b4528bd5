"""What is rendered: golden pages for every kind of result, and every text of them escaped."""

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from lxml import html as lxml_html

from qa.schema import Answered, DocumentInfo, Quote, Reason, Refused, Skipped
from qa.text import text_sha256
from tests.answers import TEXT, answered, conflicting, quote, refused, trace
from tests.conftest import ROOT
from tests.payloads import PAYLOADS
from ui.conversations import Conversation, Exchange, Summary
from ui.panels import (
    Corpus,
    Pending,
    render_conversations,
    render_documents,
    render_filter,
    render_outcomes,
    render_starters,
    render_thread,
)
from ui.render import REASONS, WHAT_NEXT, confidence, large_print, render_answer
from ui.sources import CHANGED, READ_DIFFERENTLY, changed_quotes, render_source, standing

GOLDEN = ROOT / "tests" / "golden"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TAGS = (
    "article aside blockquote br button dd details div dl dt footer form h2 h3 header input li mark nav p section span"
    " strong summary table tbody td th thead tr ul a"
).split()
ATTRIBUTES = (
    "aria-current aria-hidden aria-label aria-pressed class disabled download href id maxlength name placeholder role"
    " scope tabindex title type value"
).split()


def conversation(*exchanges: Exchange, title: str = "When does it open?") -> Conversation:
    return Conversation(id="a" * 32, title=title, created=NOON, updated=NOON, exchanges=exchanges)


def exchange(answer: Answered | Refused, **change: object) -> Exchange:
    return Exchange(asked_at=NOON, answer=answer).model_copy(update=change)


PAGES: dict[str, Callable[[], str]] = {
    "answered": lambda: render_answer(answered()),
    "answered-without-short": lambda: render_answer(answered(short_answer=None, asked="When does it open?")),
    "answered-in-part": lambda: render_answer(answered(not_covered=("When does it close?",), confidence=0.55)),
    "answered-changed": lambda: render_answer(answered(), changed={1: CHANGED}),
    "conflict": lambda: render_answer(conflicting(), turn=2),
    "conflict-with-question": lambda: render_answer(answered(conflicts=((0, 1),))),
    "refused": lambda: render_answer(refused()),
    "refused-plainly": lambda: render_answer(
        refused(reason="no_documents", nearest=(), trace=trace(hits=(), verdicts=()))
    ),
    "source": lambda: render_source(quote(), 1, 2, 0, TEXT),
    "source-changed": lambda: render_source(quote(), 1, 1, 0, TEXT + "More."),
    "source-gone": lambda: render_source(quote(), 1, 1, 0, None),
    "thread": lambda: render_thread(
        conversation(exchange(answered(), rating="up", comment="good"), exchange(refused())), {0: {1: CHANGED}}
    ),
    "pending": lambda: render_thread(None, {}, pending=Pending("Why?", "Reading 12 passages…")),
    "welcome": lambda: render_thread(None, {}, error="It is too long.", corpus=Corpus("my <b>notes", 1234, 2)),
    "starters": lambda: render_starters(["When does the pool open?"]),
    "filter": lambda: render_filter(["hours.md", "uploads/a.txt"]),
    "documents": lambda: render_documents(
        [
            DocumentInfo(
                path=path, title="Hours", date=None, pages=None, sha256="0" * 64, bytes=size, chunks=3, encoding="utf-8"
            )
            for path, size in (("hours.md", 900), ("uploads/a.txt", 2_400_000))
        ],
        [Skipped(path="x.odt", reason="format .odt is not supported")],
        formats=".md .txt",
        max_file_mb=50,
    ),
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_golden_pages(page: str) -> None:
    """`QA_GOLDEN=write pytest tests/test_render.py` writes them anew; read the difference before committing it."""
    made = re.sub(r"(</(?:p|div|blockquote|article|section|tr|li|header|dl)>)", r"\1\n", PAGES[page]()).rstrip() + "\n"
    file = GOLDEN / f"{page}.html"
    if os.environ.get("QA_GOLDEN") == "write":
        file.write_text(made, "utf-8")
    assert made == file.read_text("utf-8")


def test_no_golden_page_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.glob("*.html")} == set(PAGES)


def hostile_quote(payload: str) -> Quote:
    text = f"before {payload} after"
    return quote(text=text, end=17 + len(text)).model_copy(
        update=dict.fromkeys(("document", "title", "date", "locator", "heading", "before", "after"), payload)
    )


def hostile_pages(payload: str) -> list[str]:
    one = hostile_quote(payload)
    verdicts = trace().verdicts[0].model_copy(update={"part": payload, "why": payload})
    hits = trace().hits[0].model_copy(update={"document": payload})
    told = trace(hits=(hits,), verdicts=(verdicts,), store=payload, timings_ms={payload: 1.0})
    facts = {"question": payload, "asked": f"{payload}?", "text": payload, "trace": told}
    answer = answered(
        **facts, short_answer=payload, quotes=(one, one), conflicts=((0, 1), (1, 2)), not_covered=(payload,)
    )
    refusal = refused(**facts, reason="unsupported_request", nearest=(one,))
    whole = conversation(exchange(answer, rating="down", comment=payload), exchange(refusal), title=payload)
    info = DocumentInfo(
        path=f"uploads/{payload}", title=payload, date=payload, pages=None, sha256="0", bytes=1, chunks=1, encoding="x"
    )
    around = f"{payload} {payload}"
    placed = quote(start=len(payload) + 1, end=len(around), text=payload).model_copy(
        update={"document_sha256": text_sha256(around), "document": payload}
    )
    return [
        render_thread(whole, {0: {1: CHANGED}}),
        render_thread(None, {}, pending=Pending(payload, payload), error=payload, corpus=Corpus(payload, 1, 0)),
        render_starters([payload]),
        render_filter([payload]),
        render_source(placed, 1, 2, 0, around),
        render_source(one, 1, 2, 0, None),
        render_conversations([Summary(id="a" * 32, title=payload, updated=NOON, turns=1)], "", payload),
        render_documents([info], [Skipped(path=payload, reason=payload)], formats=".txt", max_file_mb=1),
        render_outcomes([(payload, True), (payload, False)]),
    ]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_text_is_data(payload: str) -> None:
    for page in hostile_pages(payload):
        tree = lxml_html.fragment_fromstring(page, create_parent="main")
        for element in tree.iterdescendants():
            assert element.tag in TAGS
            for attribute in element.attrib:
                assert attribute in ATTRIBUTES or attribute.startswith("data-"), attribute
            assert not re.match(r"\s*(?:javascript|data|https?|//)", element.get("href", ""))
        assert payload in "".join(tree.itertext()), "it must still be readable"


def test_there_are_enough_payloads() -> None:
    assert len(set(PAYLOADS)) >= 40


def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.render.text", str)
    with pytest.raises(AssertionError):
        test_every_text_is_data("<img src=x onerror=window.hit=1>")


def test_nothing_is_printed_large_that_is_unsure_or_disputed() -> None:
    """Also of answers that were kept by a version that did print it."""
    disputed = conflicting()
    for answer, large in (
        (answered(), "at nine"),
        (answered(conflicts=((0, 1),)), "at nine"),  # the one source that contradicts the question
        (answered(short_answer=None), ""),
        (answered(confidence=0.49), ""),
        (disputed.model_copy(update={"short_answer": "at nine"}), ""),
    ):
        assert large_print(answer) == large
        assert ('class="short"' in render_answer(answer)) is bool(large)


def test_sides_that_disagree_stand_with_their_dates() -> None:
    page = render_answer(conflicting())
    assert "[1] is dated later: 2024-03-01, [2] 2019." in page
    undated = answered(
        quotes=(quote(date=None, title="Price list 2025"), quote(date=None, title="Hours", document="b.md")),
        conflicts=((1, 2),),
    )
    assert "2025 · hours.md" in render_answer(undated)
    assert "No date · b.md" in render_answer(undated)
    assert "dated later" not in render_answer(undated)


def test_names_do_not_disguise_themselves() -> None:
    assert "\u202e" not in render_answer(answered(quotes=(quote(document="a\u202etxt.exe"),)))
    assert "\u200f" in render_answer(answered(quotes=(quote(text="שלום\u200f", end=22),))), "a quote is verbatim"


def test_each_reason_has_words_and_a_next_step() -> None:
    reasons = set(Reason.__args__)  # type: ignore[attr-defined]
    assert set(REASONS) == set(WHAT_NEXT) == reasons
    for reason in reasons:
        assert "No answer" in render_answer(refused(reason=reason))


def test_the_owner_words_the_refusal() -> None:
    words = "Ask <the desk>, extension 253."
    page = render_answer(refused(), worded=words)
    assert "Ask &lt;the desk&gt;, extension 253." in page
    assert "The documents come near it" in page, "beside the reason, not in its place"
    assert "desk" not in render_answer(refused(reason="empty_question"), worded=words)
    assert render_answer(answered(), worded=words) == render_answer(answered())


def test_a_list_that_is_cut_says_so() -> None:
    one = Summary(id="a" * 32, title="x", updated=NOON, turns=1)
    assert "found by searching" in render_conversations([one], "", more=True)
    assert "found by searching" not in render_conversations([one], "")


def test_a_refusal_looks_different_and_its_passages_are_no_answer() -> None:
    page = render_answer(refused())
    assert 'class="answer refused"' in page
    assert page.index("not an answer") < page.index("<blockquote")
    assert page.index("<details") < page.index("<blockquote"), "collapsed"
    assert "answer answered" not in page


@pytest.mark.parametrize(
    ("value", "words"), [(1, "Very"), (0.9, "Very"), (0.89, "Likely"), (0.5, "More likely"), (0.49, "Uncertain")]
)
def test_confidence_in_words_with_the_number(value: float, words: str) -> None:
    shown = confidence(value)
    assert words in shown
    assert f"{value:.0%}" in shown
    assert f"about {round(100 * value)} are expected" in shown


def test_only_the_cited_occurrence_is_marked() -> None:
    second = TEXT.rindex("The pool opens at nine.")
    page = render_source(quote(start=second, end=second + 23), 1, 1, 0, TEXT)
    tree = lxml_html.fragment_fromstring(page)
    (mark,) = tree.xpath("//mark")
    assert mark.text == "The pool opens at nine."
    assert mark.getparent().text == TEXT[:second]
    assert mark.tail == TEXT[second + 23 :]


def test_what_has_changed_is_flagged_and_never_marked() -> None:
    assert "<mark" not in render_source(quote(), 1, 1, 0, TEXT.replace("towel", "book"))
    assert "has changed" in render_source(quote(), 1, 1, 0, TEXT.replace("towel", "book"))
    assert "no longer among" in render_source(quote(), 1, 1, 0, None)
    assert changed_quotes([quote(), quote(start=18, end=41)], {"hours.md": TEXT}) == {}
    assert changed_quotes([quote(), quote(text="The pool opens at ten.")], {"hours.md": TEXT}) == {2: CHANGED}
    assert changed_quotes([quote()], {}) == {1: CHANGED}
    assert changed_quotes([quote()], {"hours.md": TEXT + "More."}, lambda quote: True) == {1: READ_DIFFERENTLY}
    assert changed_quotes([quote()], {"hours.md": TEXT}, lambda quote: True) == {}
    panel = render_source(quote(), 1, 1, 0, TEXT + "More.", read_differently=lambda quote: True)
    assert "The file is unchanged; it is read differently by this version." in panel
    assert "has changed" not in panel
    assert "<mark" not in panel


def test_a_long_document_is_shown_around_the_place() -> None:
    text = "".join(f"Line {number} of many.\n" for number in range(3000))
    start = text.index("Line 1500")
    one = quote(start=start, end=start + 18, text=text[start : start + 18])
    one = one.model_copy(update={"document_sha256": text_sha256(text)})
    page = render_source(one, 1, 1, 0, text)
    assert len(page) < 20_000
    assert "Show earlier text" in page
    assert "Show later text" in page
    assert "Line 1499 of many." in page
    assert "Line 900 of many." not in page
    wider = render_source(one, 1, 1, 0, text, earlier=1)
    assert "Line 900 of many." in wider
    assert "Line 2100 of many." not in wider, "only on the side that was asked for"
    whole = render_source(one, 1, 1, 0, text, earlier=9, later=9)
    assert lxml_html.fragment_fromstring(whole).xpath("string(//div[@class='verbatim'])") == text
    assert "left out" not in whole


def test_more_of_a_text_ends_where_a_browser_would_not_bear_it() -> None:
    text = "x\n" * 2_000_000 + "The end." + "x\n" * 2_000_000
    one = quote(start=4_000_000, end=4_000_008, text="The end.", document_sha256=text_sha256(text))
    page = render_source(one, 1, 1, 0, text, earlier=4, later=3)
    assert "Show earlier text" not in page
    assert "Show later text" in page
    assert len(page) < 3_000_000


def test_golden_results_are_valid() -> None:
    for result in (answered(), refused(), conflicting()):
        assert json.loads(result.model_dump_json())["status"] == result.status


def test_other_places_are_named_only_while_the_words_stand_there() -> None:
    (cited, *_) = conflicting().quotes
    (place,) = cited.also_at
    there = "x" * place.start + cited.text
    assert standing(cited, {place.document: there}.get).also_at == (place,)
    assert standing(cited, {place.document: there[1:]}.get).also_at == ()
    assert standing(cited, {}.get).also_at == ()


def test_what_is_left_out_of_an_indexed_document_stands_in_its_row() -> None:
    info = DocumentInfo(
        path="rules.pdf", title="", date=None, pages=3, sha256="0" * 64, bytes=1, chunks=1, encoding="pdf"
    )
    skipped = [Skipped(path="old.pdf", reason="is encrypted"), Skipped(path="rules.pdf", reason="page 2 without text")]
    page = render_documents([info], skipped, formats=".pdf", max_file_mb=1)
    assert page.count("rules.pdf") == 1
    assert "left out: page 2 without text" in page
    assert "1 indexed, 1 passage, 1 left out." in page
