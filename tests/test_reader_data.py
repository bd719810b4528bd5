"""The reader's training data: laws that every example keeps, on a small corpus; no torch, no model."""

import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.training import chat, data, forms, table_words
from eval.training import made_tables as tables
from eval.training.data import BLOCK, QUOTAS, Example, block, make, pool_of
from eval.training.pairs import REPEATS, Corpus, Pair, cut, find_spans, is_dev, load
from qa.chunks import split_document, split_sentences
from qa.documents import read_document
from qa.embed import MODEL, TITLE_TOKENS, open_tokenizer, token_ends
from qa.errors import QAError
from qa.folder import list_files
from qa.reader.encode import HEADER, PASSAGE, QUESTION_TOKENS, WINDOW_TOKENS, Encoder, best_span, characters, token_span
from qa.words import numbers, words, years
from tests.training_data import TOWNS, pair_rows, passage_of, write_lines, write_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("train")
    write_pairs(place)
    return place


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return load(folder, token_ends)


@pytest.fixture(scope="module")
def examples(corpus: Corpus) -> list[Example]:
    return block(corpus, 0, seed=1) + block(corpus, 1, seed=1)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(open_tokenizer(MODEL / "tokenizer.json"))


def test_windows_are_the_products_chunks(tmp_path: Path) -> None:
    text = passage_of("Aldburg", 3) + "\n\n" + passage_of("Bexmoor", 4)
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (file,), _ = list_files(tmp_path)
    document = read_document(file, max_file_mb=1)
    chunks = split_document(document.text, split_sentences(document), token_ends, key="")
    assert cut("a", "A", text, token_ends).windows == tuple((one.start, one.end) for one in chunks)
    assert len(chunks) > 2


def test_held_out_titles_stay_out(folder: Path) -> None:
    kept, dev = load(folder, token_ends), load(folder, token_ends, dev=True)
    assert len(kept.passages) + len(dev.passages) == len(TOWNS)
    assert not any(is_dev(row["title"]) for row in pair_rows()[0] if row["id"] in kept.passages)
    assert {is_dev(f"title {number}") for number in range(300)} == {True, False}


def test_a_block_has_every_kind_in_its_share_and_repeats(corpus: Corpus, examples: list[Example]) -> None:
    assert len(examples) == 2 * BLOCK
    assert Counter(one.kind for one in examples) == {kind: 2 * quota for kind, quota in QUOTAS.items()}
    assert block(corpus, 1, seed=1) == examples[BLOCK:]
    assert block(corpus, 1, seed=2) != examples[BLOCK:]


def test_what_is_done_without_goes_to_the_plain_kind_with_its_label(corpus: Corpus) -> None:
    made = Counter(one.kind for one in block(corpus, 0, seed=1, without=("swap", "dated")))
    assert made.keys() == QUOTAS.keys() - {"swap", "dated"}
    assert made["answer"] == QUOTAS["answer"] + QUOTAS["dated"]
    assert made["unanswerable"] == QUOTAS["unanswerable"] + QUOTAS["swap"]
    assert sum(data.quotas(("swap", "mined"), mined=True).values()) == BLOCK


def test_without_forms_questions_stand_as_they_were_asked(corpus: Corpus, examples: list[Example]) -> None:
    asked = {pair.question for pair in corpus.pairs["answer"]}
    plain = [one.question for one in block(corpus, 0, seed=1, without=("forms",)) if one.kind == "answer"]
    assert set(plain) <= asked
    assert not {one.question for one in examples if one.kind == "answer"} <= asked


def test_spans_slice_to_an_answer(corpus: Corpus, examples: list[Example]) -> None:
    answers = {answer for pair in corpus.pairs["answer"] for answer in pair.answers}
    spans = [one for one in examples if one.span]
    assert len(spans) > BLOCK / 2
    assert all(
        one.text[slice(*one.span)] in answers for one in spans if one.span and one.kind not in ("table", "polar")
    )
    assert all(one.answerable for one in spans)
    assert not any(one.span for one in examples if not one.answerable)


def test_negatives_from_answered_questions_hold_no_answer(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "PLANTED", 0.0)  # an order may name any answer
    for kind in ("elsewhere", "removed", "offtopic"):
        for number, pair in enumerate(corpus.pairs["answer"]):
            made = make(corpus, pair, kind, Random(number))
            assert made is None or not any(answer in made.text for answer in pair.answers)
            assert made is None or not made.answerable


def test_swapped_details_do_not_stand_in_the_passage(corpus: Corpus) -> None:
    seen = 0
    for number, pair in enumerate(corpus.pairs["answer"] * 5):
        made = make(corpus, pair, "swap", Random(number), plain=True)
        if made is None:
            continue
        seen += 1
        new = set(words(made.question)) - set(words(pair.question))
        assert made.question != pair.question
        assert not made.answerable
        assert new
        around = corpus.passages[pair.passage].text
        assert not new & set(words(around)) - {"'s"}
        assert not (numbers(made.question) - numbers(pair.question)) & numbers(around)
    assert seen > 40


@pytest.mark.parametrize(
    ("question", "text", "wanted"),
    [
        ("Who sailed in 1912?", "In 1912 the club sailed.", r"Who sailed in (?!1912)\d{4}\?"),
        ("How many of the 30 boats?", "Of 30 boats ten sank.", r"How many of the (?!30 )\d+ boats\?"),
        ("What lies on the northern bank?", "The northern bank.", r"What lies on the (south|east|west)ern bank\?"),
        ("What came before the war?", "Before the war came hunger.", r"What came after the war\?"),
        ("When was Ann Lee in Rome?", "Ann Lee came to Rome.", r"When was (Bob Ray in Rome|Ann Lee in Bob Ray)\?"),
    ],
)
def test_swaps_by_kind(question: str, text: str, wanted: str) -> None:
    names = ["Bob Ray", "Ann Ray"]
    made = [one for seed in range(20) for one in forms.swaps(question, text, text, names, Random(seed))]
    assert made
    assert any(re.fullmatch(wanted, one) for one in made)
    assert all(re.fullmatch(wanted, one) or "n't" in one for one in made)


def test_no_swap_of_what_is_no_evidence() -> None:
    assert not [
        one
        for seed in range(30)
        for one in forms.swaps("Who sailed in 1912?", "The club sailed, not others.", "", ["Bob"], Random(seed))
    ]


def test_dates_are_evidence_where_only_the_header_has_them(corpus: Corpus) -> None:
    seen = Counter[str]()
    for number, pair in enumerate(corpus.pairs["answer"] * 3):
        for kind in ("dated", "misdated"):
            made = make(corpus, pair, kind, Random(number), plain=True)
            if made is None:
                continue
            seen[kind] += 1
            (year,) = years(made.question) - years(pair.question)
            month = re.search(rf"({'|'.join(forms.MONTHS)}) {year}", made.question)
            agrees = int(made.date[:4]) == year and (
                not month or not made.date[5:7] or forms.MONTHS.index(month[1]) + 1 == int(made.date[5:7])
            )
            assert agrees == made.answerable == (kind == "dated")
            assert not years(made.text)
    assert min(seen["dated"], seen["misdated"]) > 20


def test_planted_orders_change_neither_label_nor_answer(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("answer", "unanswerable", "removed"):
        for number, pair in enumerate(pool_of(corpus, kind)):
            made = []
            for share in (0.0, 1.0):
                monkeypatch.setattr(data, "PLANTED", share)
                made.append(make(corpus, pair, kind, Random(number)))
            clean, planted = made
            if not clean or not planted:
                assert clean is planted is None
                continue
            assert planted.answerable == clean.answerable
            assert len(planted.text) > len(clean.text)
            assert {*clean.text.split()} <= {*planted.text.split()}
            if clean.span:
                assert planted.span
                assert planted.text[slice(*planted.span)] == clean.text[slice(*clean.span)]


def test_both_classes_get_the_same_forms(examples: list[Example]) -> None:
    def shares(answerable: bool) -> list[float]:
        asked = [one.question for one in examples if one.answerable == answerable and one.kind != "chat"]
        return [
            sum("?" not in one for one in asked) / len(asked),
            sum(one == one.lower() for one in asked) / len(asked),
            sum("  " in one or " ?" in one or "``" in one or "''" in one for one in asked),
        ]

    for one, other in zip(shares(True), shares(False), strict=True):
        assert abs(one - other) < 0.06  # four deviations at this size


def test_headers_say_nothing_about_the_label(examples: list[Example]) -> None:
    plain = [one for one in examples if one.kind in ("answer", "unanswerable", "hardneg") and not years(one.question)]
    for has in (lambda one: bool(one.title), lambda one: bool(one.date)):
        yes = [has(one) for one in plain if one.answerable]
        no = [has(one) for one in plain if not one.answerable]
        assert abs(sum(yes) / len(yes) - sum(no) / len(no)) < 0.1


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("What is AC / DC ?", "What is AC/DC?"),
        ("Who wrote `` Emma '' , and when ?", 'Who wrote "Emma", and when?'),
        ("What ’s a non - smoker", "What's a non-smoker?"),
        ("Did it rise?:", "Did it rise?"),
        ("did n't he ( Bob ) win ?", "didn't he (Bob) win?"),
        ("  ", ""),
    ],
)
def test_one_spelling_for_all_sources(raw: str, normal: str) -> None:
    assert forms.normalise(raw) == normal


@given(st.text(max_size=60), st.integers(0, 10_000))
def test_forms_never_fail(text: str, seed: int) -> None:
    assert isinstance(forms.vary(forms.normalise(text), Random(seed)), str)


def test_a_typo_changes_one_word() -> None:
    question = "How many bridges cross the river?"
    for seed in range(50):
        typed = forms.mistype(question, Random(seed))
        assert sum(a != b for a, b in zip(question.split(), typed.split(), strict=True)) <= 1


def test_terse_keeps_what_is_asked() -> None:
    assert forms.terse("Who was not the mayor of Bonn before 1990?") == "Who not mayor Bonn before 1990?"


def test_chat_is_never_a_question_of_the_corpus(corpus: Corpus) -> None:
    asked = {pair.question for pair in corpus.pairs["answer"]}
    assert not asked & {chat.say(town, Random(seed)) for seed, town in enumerate(TOWNS * 20)}


def test_the_evidence_tells_which_of_several_places() -> None:
    text = "Bonn is small. The capital was Bonn until 1990. Bonn lies on the Rhine."
    passage = cut("p", "t", text, token_ends)
    (span,) = find_spans(passage, "What was the capital?", ["Bonn"], ["The capital was Bonn until 1990."])
    assert text[: span[0]] == "Bonn is small. The capital was "
    (span,) = find_spans(passage, "On what river does it lie?", ["Rhine"], [])
    assert text[slice(*span)] == "Rhine"
    assert find_spans(passage, "?", ["Berlin"], []) == ()


def test_an_answer_is_not_part_of_a_word() -> None:
    passage = cut("p", "t", "The particle is art.", token_ends)
    assert find_spans(passage, "What is it?", ["art"], []) == ((16, 19),)


def test_tables_hold_what_is_asked_or_do_not() -> None:
    names = ["Ashby", "Borley", "Cotton End", "Dunmere", "Elford", "Fenwick", "Garston", "Holt", "Ickby", "Jarrow"]
    shapes = Counter[str]()
    for seed in range(400):
        answered = bool(seed % 2)
        made = tables.sheet(names, Random(seed), answered=answered)
        assert (made.span is not None) == answered
        assert made == tables.sheet(names, Random(seed), answered=answered)
        if made.span:
            cell, before = made.text[slice(*made.span)], made.text[: made.span[0]]
            line = made.text[before.rfind("\n") + 1 :].split("\n")[0]
            assert cell == cell.strip() != ""
            assert cell in line
        shapes["header above"] += "|" in made.heading
        shapes["table"] += "|" in made.text
    assert shapes["header above"] > 40
    assert shapes["table"] - shapes["header above"] > 40


def test_a_table_without_the_row_does_not_name_what_is_asked() -> None:
    lost = [tables.sheet([], Random(seed), answered=False) for seed in range(300)]
    rows = [one for one in lost if not any(condition in one.question for condition in table_words.CONDITIONS)]
    named = [any(tables.bare(part) in one.text for part in _entities(one.question)) for one in rows]
    assert 0.2 < sum(named) / len(named) < 0.8  # the row is missing, or only the column


def _entities(question: str) -> list[str]:
    return [entity for _, pool, _ in table_words.GROUPS for entity in pool if entity in question]


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The side gate is locked at ten every evening.", "Is the side gate locked at ten every evening?"),
        ("Visitors must leave their bags in the lockers.", "Must Visitors leave their bags in the lockers?"),
        ("No dog may enter the large reading room.", "May any dog enter the large reading room?"),
        ("Ann Lee has never led the school for pilots.", "Has Ann Lee never led the school for pilots?"),
        ("The club has a bar on the upper floor.", None),
        ("It is locked at ten every single evening.", None),
        ("In May, the gate is locked at ten o'clock.", None),
        ("The gate closes at ten every single evening.", None),
    ],
)
def test_statements_become_questions_of_yes_or_no(sentence: str, question: str | None) -> None:
    assert forms.polar(sentence) == question


def test_what_is_asked_of_a_statement_stands_there_or_was_taken_out(examples: list[Example]) -> None:
    said, unsaid = ([one for one in examples if one.kind == kind] for kind in ("polar", "unsaid"))
    assert said
    assert unsaid
    for one in said:
        assert one.span
        assert forms.polar(one.text[slice(*one.span)])
    assert not any(one.span or one.answerable for one in unsaid)


def test_headings_that_say_nothing_come_with_every_label(examples: list[Example]) -> None:
    plain = [one for one in examples if one.kind in ("answer", "unanswerable", "hardneg")]
    yes, no = ([bool(one.heading) for one in plain if one.answerable == label] for label in (True, False))
    assert 0.05 < sum(yes) / len(yes) < 0.2
    assert abs(sum(yes) / len(yes) - sum(no) / len(no)) < 0.06


def test_inputs_hold_question_header_and_whole_passage(encoder: Encoder, examples: list[Example]) -> None:
    for one in examples[:400]:
        coded = encoder.encode(one.question, one.title, one.date, one.text, heading=one.heading)
        assert len(coded.ids) == len(coded.segments) <= WINDOW_TOKENS
        assert coded.segments.count(PASSAGE) == len(coded.offsets)
        assert coded.segments[coded.first : coded.first + len(coded.offsets)] == [PASSAGE] * len(coded.offsets)
        assert coded.offsets[-1][1] >= len(one.text.rstrip()) - 1 or len(coded.offsets) == len(token_ends(one.text))
        if one.span:
            first, last = token_span(coded, *one.span) or (0, 0)
            assert characters(coded, first, last) == one.span


def test_the_best_span_lies_inside_the_passage(encoder: Encoder) -> None:
    coded = encoder.encode("Who came?", "Bonn", "2023", "Ann Lee came to Rome.")
    start, end = np.zeros(len(coded.ids)), np.zeros(len(coded.ids))
    start[coded.first], end[coded.first + 1] = 2.0, 2.0
    end[0] = start[-1] = 9.0  # not of the passage
    assert characters(coded, *best_span(start, end, coded)) == (0, 7)
    end[coded.first + 1], end[coded.first], start[coded.first + 1] = 0.0, 3.0, 4.0
    assert characters(coded, *best_span(start, end, coded)) == (0, 3)  # never ends before it starts


@given(st.text(max_size=600), st.text(max_size=200), st.sampled_from(["", "2023", "2023-11-24"]), st.text(max_size=900))
def test_inputs_keep_their_limits(encoder: Encoder, question: str, title: str, date: str, text: str) -> None:
    coded = encoder.encode(question, title, date, text)
    assert len(coded.ids) <= WINDOW_TOKENS
    assert coded.ids[coded.first + len(coded.offsets)] == coded.ids[-1]
    assert coded.segments.count(HEADER) <= TITLE_TOKENS + 12
    assert coded.first <= QUESTION_TOKENS + 3 + TITLE_TOKENS + 12
    assert token_span(coded, len(text), len(text)) is None


def test_data_without_a_kind_of_pairs_are_refused_by_name() -> None:
    with pytest.raises(QAError, match="of the kind unanswerable"):
        pool_of(Corpus({}, (), {"answer": []}, {}, {}, {}), "unanswerable")


def test_what_search_found_joins_the_blocks(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "PLANTED", 0.0)  # an order may name any answer
    lines: list[dict[str, Any]] = [
        {"id": "f", "kind": "found", "text": "It was Bo.", "answers": ["Bo"], "span": [7, 9]},
        {"id": "m", "kind": "mined", "text": "It rained.", "answers": [], "span": None},
    ]
    write_lines(tmp_path / "mined.jsonl.gz", (line | {"question": "Who?", "title": "T"} for line in lines))
    made = block(load(folder, token_ends, mined=tmp_path / "mined.jsonl.gz"), 0, seed=1)
    assert len(made) == BLOCK
    assert {(one.kind, one.text, one.span) for one in made if one.kind in ("found", "mined")} == {
        ("found", "It was Bo.", (7, 9)),
        ("mined", "It rained.", None),
    }


def test_a_pair_without_its_answer_is_left_out(folder: Path, tmp_path: Path) -> None:
    passages, pairs = pair_rows()
    broken = [pair | {"answers": ["nowhere"]} if pair["answerable"] else pair for pair in pairs]
    for name, lines in (("passages", passages), ("pairs", broken + pairs[:1])):
        write_lines(tmp_path / f"{name}.jsonl.gz", lines)
    kept: list[Pair] = load(tmp_path, token_ends).pairs["answer"]
    assert [pair.id for pair in kept] == [pairs[0]["id"]] * REPEATS  # it is not SQuAD's
