"""Documents → sentences → chunks: the laws of intervals, sentence boundaries, limits of words, tokens and work."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import qa.chunks
from qa import embed
from qa.chunks import (
    CHUNK_CHARS,
    CHUNK_TOKENS,
    CHUNK_WORDS,
    LONG_SENTENCE_CHARS,
    clause_ends,
    split_document,
    split_sentences,
)
from qa.embed import token_ends
from qa.formats import read_html, read_markdown, read_plain
from qa.schema import Chunk, Document, Sentence
from qa.text import text_sha256
from tests.invariants import chunk_laws

MARKS = 4  # around question and passage in the reader's window


def document(text: str, name: str = "a.txt") -> Document:
    extract = {".txt": read_plain, ".md": read_markdown, ".html": read_html}[PurePath(name).suffix](text)
    return Document(name, extract.text, text_sha256(extract.text), "T", None, None, "utf-8", extract.blocks)


def sentences(text: str, name: str = "a.txt") -> list[str]:
    read = document(text, name)
    return [read.text[one.start : one.end] for one in split_sentences(read)]


def split(text: str, name: str = "a.txt") -> tuple[str, list[Sentence], list[Chunk]]:
    read = document(text, name)
    found = split_sentences(read)
    return read.text, found, split_document(read.text, found, token_ends, key="k")


def chunks(text: str, name: str = "a.txt") -> list[str]:
    whole, _, found = split(text, name)
    return [whole[chunk.start : chunk.end] for chunk in found]


def sentence_laws(text: str, found: Sequence[Sentence]) -> None:
    """Sentences lie in the text, in order, without overlap or outer white space, and cover all but white space."""
    at = 0
    for one in found:
        assert at <= one.start < one.end <= len(text), "outside of the text, out of order or overlapping"
        assert not text[at : one.start].strip(), "lost"
        assert text[one.start : one.end] == text[one.start : one.end].strip(), "white space around a sentence"
        at = one.end
    assert not text[at:].strip(), "lost"


def overlap_law(text: str, found: Sequence[Sentence], parts: Sequence[Chunk]) -> None:
    """Neighbouring chunks share at most one sentence, or one piece of an over-long sentence."""
    for this, following in pairwise(parts):
        inside = [one for one in found if one.start < this.end and one.end > following.start]
        assert len(inside) <= 1, "more than one sentence shared"
        for one in inside:
            whole = one.start == following.start and one.end == this.end
            assert whole or exceeds(text, one), "part of a sentence shared"


def limit_laws(text: str, found: Sequence[Sentence], parts: Sequence[Chunk]) -> None:
    """A chunk keeps the limits of words and tokens, and has whole sentences unless one alone exceeds a limit."""
    for part in parts:
        assert len(token_ends(text[part.start : part.end])) <= CHUNK_TOKENS
        assert part.end - part.start <= CHUNK_CHARS
        inside = [one for one in found if one.start < part.end and one.end > part.start]
        cut = [one for one in inside if one.start < part.start or one.end > part.end]
        assert all(exceeds(text, one) for one in cut), "a sentence is cut that fits"
        last = text[inside[-1].start : inside[-1].end].lstrip(" -([“").lower()
        if not cut and not last.startswith(("not", "except", "unless")):
            words = [len(text[one.start : one.end].split()) for one in inside]
            assert len(words) == 1 or sum(words[:-1]) + words[-1] / 2 <= CHUNK_WORDS, "too many words"


def exceeds(text: str, one: Sentence) -> bool:
    return one.end - one.start > LONG_SENTENCE_CHARS or len(token_ends(text[one.start : one.end])) > CHUNK_TOKENS


def every_law(text: str, name: str = "a.txt") -> None:
    whole, found, parts = split(text, name)
    sentence_laws(whole, found)
    chunk_laws(whole, parts)
    overlap_law(whole, found, parts)
    limit_laws(whole, found, parts)
    assert split(text, name) == (whole, found, parts), "same bytes, other ids"
    assert [part.id for part in parts] == [f"k-{part.start}-{part.end}" for part in parts]


# -- sentences ---------------------------------------------------------------------------------

BOUNDARIES = [  # | is a boundary
    "Dr. Smith met Mr. Jones in the U.S. on Jan. 5.|It cost 3.5 million, e.g. for rent.|The U.S. Army won.",
    "The U.K. is not in the E.U.|It left.|J. K. Rowling wrote it.|He is a Ph.D.|They vs. George W. Bush, Jr. won.",
    "Prices rose by 3.14 percent in No. 5.|See Fig. 3, p. 12.|Version v1.2.3 is out.|Mail a.b@c.com.",
    "He said “Stop.”|Then he left.|“Is it?” she asked.|(He did.)|‘Yes.’|[He came.]|She waited.|“I love you.”|He went.",
    "Wait... what?|No…|Never.|Really?!|Then… he left.|And ... so on.",
    "It was 5 p.m. on Monday.|The Act (No. 5 of 2020) applies.|Cost: $5.|$6 is more.|#3 is next.",
    "She works at Acme Inc.|He works for the U.S. Government.|They met.",
    "He left.She came.|It ended.",
    "She did.[2]|They ran.[3][14]|He walked.[1]",
    "It was announced.1|The lamp was found.12,13|He said “stop.”3|It burned.¹|In 1834.²|“No!”²⁻³|So he did.4–6|No.",
    "Er rief „Halt.“3|Dann ging es weiter.¹|Ende.",
    "See Fig.2 Smith and fig.3 Rules, 2.5 Tonnes, the U.S.4 Army, approx.5 Miles and area.² net, max.2 Personen.|Done.",
    "They (Doe et al.12 BERT, Dr.¹ Smith) read libssl.so.3 From и ст.5 Конституції, 3 qm.² Fläche, x.² + y.",
    "Yahoo! is a company.|“Who?” said he.|Who? said she.|Stop!|Now.",
    "Das kostet ca. 5 Euro bzw. mehr.|Живе на вул. сонячній, д. 5.|Ціна 5 тис. грн. на рік.|У 2024 р. звільнено 1358.",
    "这是第一句。|这是第二句！|他说“好。”|第三句？|最后……也许。",
    "これは文です。|「はい。」と言った。|（例外。）|次の文｡|最後",
    "第一句。 |第二句。\u3000|第三句！？|第四句",
    "हिन्दी वाक्य है।|दूसरा वाक्य है।|जملة?|Done.",
    "جملة أولى؟|جملة ثانية۔|جملة.",
    "No refund.|Except for U.S. citizens.|unless agreed.|Not this.",
    "one sentence\nover lines, and\tmore.|Another\r\none.",
]


@pytest.mark.parametrize("marked", BOUNDARIES)
def test_sentence_boundaries(marked: str) -> None:
    text = "".join(
        part + (" " if part[-1] in ".!?…”’)]।؟۔" or part[-1].isdigit() else "") for part in marked.split("|")
    ).strip()
    assert sentences(f"<p>{text}</p>", "a.html") == [" ".join(part.split()) for part in marked.split("|")]


def test_no_sentence_crosses_the_end_of_a_block() -> None:
    items, table = "- item one. It has two\n- item two", "| a. b | c |\n|---|---|\n| D. E | f |"
    text = f"# Heading\n\nText without end\n\n{items}\n\n{table}\n\n    x. Y. z"
    assert sentences(text, "a.md") == [
        "# Heading",
        "Text without end",
        "- item one.",
        "It has two",
        "- item two",
        "| a. b | c |",
        "|---|---|",
        "| D. E | f |",
        "x. Y. z",
    ]


def test_clause_ends() -> None:
    text = "One, two: “three,” four (five) six – seven; 1,358 a-b 10:30 e,f"
    assert [text[:end].split()[-1] for end in clause_ends(text, 0, len(text))] == [
        "One,",
        "two:",
        "“three,”",
        "(five)",
        "six",
        "seven;",
    ]


# -- chunks ------------------------------------------------------------------------------------


def sentence(words: int, number: int = 0) -> str:
    return f"S{number} " + "word " * (words - 2) + "end."


def test_about_sixty_words_with_one_sentence_of_overlap() -> None:
    found = chunks(" ".join(sentence(10, number) for number in range(50)))
    assert {len(chunk.split()) for chunk in found[:-1]} == {60}
    assert [chunk.split()[0] for chunk in found[:3]] == ["S0", "S5", "S10"]
    assert found[0].endswith(sentence(10, 5))
    assert found[-1].endswith(sentence(10, 49))


def test_a_heading_opens_a_chunk_and_stays_with_what_follows() -> None:
    text = "Intro text.\n\n# One\n\n## Two\n\nBody text.\n\n### Three\n\nMore text.\n\n# Last"
    assert chunks(text, "a.md") == ["Intro text.", "# One\n\n## Two\n\nBody text.", "### Three\n\nMore text.", "# Last"]


def test_a_long_sentence_is_cut_at_clauses_then_at_white_space() -> None:
    clauses = "the clause number one goes on for nine words, " * 30
    assert all(chunk.endswith(",") for chunk in chunks(clauses)[:-1])
    assert all(len(chunk.split()) > 20 for chunk in chunks(clauses)[:-1])
    assert all(chunk.split()[-1] == "unbroken" for chunk in chunks("unbroken " * 400))
    assert {len(chunk) for chunk in chunks("x" * 3000)} == {CHUNK_CHARS}


@pytest.mark.parametrize(
    "opening", ["Except", "Unless", "Not", "(Except", "- Not", "“Unless", "[1] Except", "But not", "Nor"]
)
@pytest.mark.parametrize("before", [5, 30, 35, 40, 45, 50, 55])
@pytest.mark.parametrize("words", [10, 20, 40, 58])
def test_a_restricting_sentence_stays_with_the_one_before_it(opening: str, before: int, words: int) -> None:
    rule, exception = sentence(words, 1), f"{opening} the children of the members of the club, who enter at any time."
    text = f"{sentence(before)} {rule}\n{exception} {sentence(20, 2)} {sentence(20, 3)}"
    assert any(f"{rule}\n{exception}" in chunk for chunk in chunks(text))


def test_the_window_holds_title_question_and_passage() -> None:
    titles = ["Короткий заголовок про українців " * 10, "ABC-DEF/GHI " * 30, "短い日本語の題名" * 10]
    for title in titles:
        for chunk in chunks("Zażółć gęślą jaźń 1,358 x-y-z antidisestablishmentarianism " * 60):
            held = len(token_ends(embed.passage_text(title, chunk)))
            assert held <= CHUNK_TOKENS + embed.TITLE_TOKENS
            assert held + MARKS + 28 <= embed.WINDOW_TOKENS, "no room for a question"


@pytest.mark.parametrize("before", range(30, 70, 5))
def test_a_list_stays_with_the_sentence_that_it_hangs_on(before: int) -> None:
    lead, item = "These things may not be brought into the house at any time:", "- dogs and other animals of any size"
    text = f"{sentence(before)}\n{lead}\n\n{item}\n{item}\n"
    assert any(f"{lead}\n\n{item}" in chunk for chunk in chunks(text, "a.md"))


def test_windows_of_a_long_paragraph_end_no_sentence_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence library sees windows of a bounded length, which may not change what it finds."""
    text = " ".join(
        f"{sentence(5 + number % 30, number)} Dr. No paid 3.5 euros, i.e. too much." for number in range(300)
    )
    seen: list[int] = []
    library = qa.chunks.nupunkt.sentence_spans
    whole = [end for _, end in library(text)]
    monkeypatch.setattr(qa.chunks.nupunkt, "sentence_spans", lambda part: seen.append(len(part)) or library(part))
    found = split(text)[1]
    assert max(seen) <= qa.chunks.WINDOW_CHARS < len(text)
    assert sum(seen) <= 2 * len(text), "linear"
    assert [one.end for one in found] == [len(text[:end].rstrip()) for end in whole]


# -- any text ----------------------------------------------------------------------------------

WORDS = (
    "the the The cat sat on 1,358 3.5 e.g. U.S. Dr. No. not Except Unless and, (so) [1] “Yes.” ‘no’ end. end! end? ..."
    " … ; : – Володимир тис. г. був. 漢字 。 「文。」 です、 대통령은 끝났다. 👍 👨‍👩‍👧‍👦 🇺🇦 ½ x_y"
    " e\u0301 a\u0301\u0301 क्षि। ﷺ ﬁ İ \u200b \u00ad \ufeff ԱԲ ไทย جملة؟ - * # 1. | > ``` --- 10² \\ $5 <b> &amp;"
    " antidisestablishmentarianism http://a.b/c?d=e"
).split()
SPACES = [" ", " ", " ", "  ", "", "\n", "\n\n", "\r\n", "\r", "\t", "\u00a0", "\u3000", "\u2028", "\n- ", "\n# "]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Text with few different words, so that parts of it are alike, and sometimes with a part repeated many times."""
    few = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
    parts = draw(st.lists(st.tuples(st.sampled_from(few), st.sampled_from(SPACES)), max_size=60))
    text = "".join(word + space for word, space in parts)
    return text * draw(st.sampled_from([1, 1, 2, 40])) + draw(st.sampled_from(["", "\n", "end", " "]))


@given(texts(), st.sampled_from(["a.txt", "a.md"]))
def test_any_text_keeps_every_law(text: str, name: str) -> None:
    every_law(text[:6000], name)


@given(st.text(max_size=300), st.integers(1, 30))
@example("0A0\x85ˀ:0::", 23)  # half a word may be more tokens than it was in the whole
def test_any_characters_keep_every_law(text: str, times: int) -> None:
    every_law((text * times)[:3000])


@given(
    st.sampled_from(WORDS + [chr(0xAC00 + n * 588) for n in range(19)] + ["각", "\u1112\u1161\u11ab"]),
    st.integers(1, 300),
)
def test_one_word_without_spaces_keeps_every_law(word: str, times: int) -> None:
    every_law(word * times)


SAMPLES = {
    "repetitive": "The same sentence. " * 300,
    "repetitive lines": "The same line\n" * 300,
    "Chinese": "他们在二零二四年回家了，一共一千三百五十八人。" * 60,
    "Chinese without stops": "漢字仮名交じり文" * 300,
    "Korean": "대통령은 회의가 끝났다고 말했다. " * 60,
    "Korean, several tokens a letter": ("각" * 20 + "-") * 20,
    "Cyrillic": "Президент заявив, що 1358 українців повернулися додому. " * 40,
    "emoji": "👨‍👩‍👧‍👦🇺🇦👍🏽 " * 300,
    "marks": "a\u0301\u0327 e\u0301 " * 400 + "z" + "\u0301" * 2000,
    "CRLF": "One line here.\r\nAnother line there.\r\n\r\n" * 80,
    "no newline": "word " * 999 + "end",
    "dots": "." * 3000,
    "abbreviations": "U.S. " * 600,
    "numbers": "1.5 2,300 " * 300,
    "table": "| a | b |\n|---|---|\n" + "| one cell | another 1,358 |\n" * 100,
    "headings": "# One\n## Two\n### Three\n" * 40,
    "list": "- item, not much\n  - Except this\n" * 100,
    "white space": " \n\t\r\n" * 50,
    "nothing": "",
}


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_every_law(text: str, name: str) -> None:
    every_law(text, name)


def test_the_laws_see_planted_violations() -> None:
    text, found, parts = split("First one here. Second one here. Third one here.")
    three = [Chunk(f"{n}", one.start, one.end) for n, one in enumerate(found)]
    overlap_law(text, found, three)
    for planted in (
        [Chunk("a", 0, found[2].end), Chunk("b", found[1].start, len(text))],
        [Chunk("a", 0, found[1].end), Chunk("b", found[1].start + 3, len(text))],
    ):
        with pytest.raises(AssertionError, match="shared"):
            overlap_law(text, found, planted)
    with pytest.raises(AssertionError, match="cut that fits"):
        limit_laws(text, found, [Chunk("a", 0, 5)])
    with pytest.raises(AssertionError):
        sentence_laws(text, found[:2])
    assert len(parts) == 1


# -- bounded work ------------------------------------------------------------------------------

MEGABYTES_5 = 5_000_000


@pytest.mark.parametrize("unit", ["word soup here ", "a", "漢字", "e\u0301", "👍", "a,"], ids=ascii)
def test_a_line_of_five_megabytes_costs_bounded_work(unit: str) -> None:
    text = unit * (MEGABYTES_5 // len(unit.encode()))
    seen = 0

    def counting(piece: str) -> list[int]:
        nonlocal seen
        seen += len(piece)
        return list(range(4, len(piece), 4)) if unit.isascii() else list(range(1, len(piece) + 1))

    found = split_sentences(document(text))
    parts = split_document(text, found, counting, key="k")
    chunk_laws(text, parts)
    assert seen <= 6 * len(text), "the tokenizer sees each character a bounded number of times"
    assert len(parts) <= len(text) / 50


def test_the_real_tokenizer_reads_a_long_line() -> None:
    for unit in ("word soup here ", "漢字", "각"):
        text = unit * (300_000 // len(unit.encode()))
        chunk_laws(text, split(text)[2])
