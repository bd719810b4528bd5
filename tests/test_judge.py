"""The judge: every rule, kept and broken; and what a run asks an answerer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eval.exams import answerers, record, report
from eval.exams.cases import CaseError, load_cases, read_texts
from eval.exams.judge import Judgement, judge
from eval.exams.run import Exam, load_exam, make_record, run_exam
from qa.schema import Answered, Place, Quote, Refused, Trace, TraceHit, Turn
from qa.text import text_sha256

FIRST, SECOND, OTHER = "The gate opens at nine.", "The gate closes at five.", "Dogs stay outside."
LONG = "It is said that " + "the keeper of the gate knows many things, " * 12 + "and so on."
TEXTS = {
    "a.txt": f"{FIRST} {SECOND}\n\n{OTHER}\n\n{LONG}\n",
    "b.txt": f"The gate opens at ten.\n\n{OTHER}\n",
}
GATE: dict[str, Any] = {"id": "c", "kind": "fact", "turns": ["When does the gate open?"], "answerable": True}


def gold(text: str, document: str = "a.txt", **more: Any) -> dict[str, Any]:
    return {"document": document, "quote": text, **more}


def quote(text: str, document: str = "a.txt", **changes: Any) -> Quote:
    start = TEXTS[document].index(text)
    facts: dict[str, Any] = dict.fromkeys(("date", "page", "locator", "heading"))
    facts |= {"text": text, "document": document, "start": start, "end": start + len(text), "title": "t", "score": 0.9}
    return Quote(**{**facts, "document_sha256": text_sha256(TEXTS[document]), "before": "", "after": "", **changes})


def trace(*found: tuple[str, str]) -> Trace:
    hits = [quote(text, document) for text, document in found]
    return Trace(
        question="q", history=(), documents=None, threshold=0.5, verdicts=(), versions={}, models={}, store="s",
        hits=tuple(TraceHit(document=h.document, start=h.start, end=h.end, part=0, scores={}) for h in hits),
        timings_ms={}, skipped=(),
    )  # fmt: skip


def answer(*quotes: Quote, found: Sequence[tuple[str, str]] = ((FIRST, "a.txt"),), **more: Any) -> Answered:
    base = {"question": "q", "asked": "q", "text": "t", "confidence": 0.9, "short_answer": None}
    return Answered(**{**base, "quotes": quotes, "trace": trace(*found), **more})  # type: ignore[arg-type]


def refusal(*nearest: Quote, found: Sequence[tuple[str, str]] = ((FIRST, "a.txt"),)) -> Refused:
    base = {"question": "q", "asked": "q", "text": "t", "confidence": 0.1, "reason": "not_covered"}
    return Refused(**{**base, "nearest": nearest, "trace": trace(*found)})  # type: ignore[arg-type]


def judged(tmp_path: Path, case: dict[str, Any], given: Answered | Refused) -> Judgement:
    path = tmp_path / "case.jsonl"
    path.write_text(json.dumps(case), encoding="utf-8")
    (placed,) = load_cases([path], TEXTS)
    return judge(placed, given, TEXTS)


ONE = {**GATE, "gold": [gold(FIRST)], "short_answers": ["nine"]}
BOTH = {**GATE, "gold": [gold(FIRST, part=1), gold(SECOND, part=2)]}
NONE = {**GATE, "answerable": False, "near": gold(FIRST)}
FAR = quote(OTHER, "b.txt")


@pytest.mark.parametrize(
    ("case", "given", "outcome", "cause"),
    [
        (ONE, answer(quote(FIRST)), "correct", None),
        (ONE, answer(FAR, FAR, quote(FIRST)), "correct", None),
        (ONE, answer(FAR, FAR, FAR, quote(FIRST)), "incorrect", "quoted_wrongly"),
        (ONE, answer(quote(LONG), quote(FIRST)), "incorrect", "quoted_wrongly"),  # over 500 characters
        (ONE, answer(quote(LONG[:500]), quote(FIRST)), "correct", None),
        (ONE, answer(quote(LONG[:501]), quote(FIRST)), "incorrect", "quoted_wrongly"),
        (ONE, answer(quote(SECOND)), "incorrect", "read_wrongly"),
        (ONE, answer(quote(SECOND), found=[(f"{FIRST} {SECOND}", "a.txt")]), "incorrect", "quoted_wrongly"),
        (ONE, answer(quote(SECOND), found=[(OTHER, "b.txt")]), "incorrect", "not_retrieved"),
        (ONE, refusal(), "not_attempted", "refused"),
        (ONE, refusal(found=[(OTHER, "b.txt")]), "not_attempted", "not_retrieved"),
        (ONE, refusal(found=[]), "not_attempted", "refused"),
        (BOTH, answer(quote(FIRST), quote(SECOND), found=[(f"{FIRST} {SECOND}", "a.txt")]), "correct", None),
        (BOTH, answer(FAR, FAR, FAR, FAR, quote(FIRST), quote(SECOND)), "correct", None),
        (BOTH, answer(quote(FIRST)), "incorrect", "not_retrieved"),  # the second part is in no hit
        (BOTH, answer(quote(FIRST), found=[(FIRST, "a.txt"), (SECOND, "a.txt")]), "incorrect", "read_wrongly"),
        (NONE, refusal(quote(FIRST)), "refused_rightly", None),
        (NONE, answer(quote(FIRST)), "answered_wrongly", "should_refuse"),
    ],
)
def test_the_rules(tmp_path: Path, case: dict[str, Any], given: Any, outcome: str, cause: str | None) -> None:
    found = judged(tmp_path, case, given)
    assert (found.outcome, found.cause, found.right) == (outcome, cause, cause is None)


@pytest.mark.parametrize(
    "changes",
    [
        {"start": 1, "end": 1 + len(FIRST)},  # the right words at another place
        {"end": 10**9},  # a slice forgives this
        {"text": FIRST[:-1]},
        {"text": "", "end": 0},
        {"document": "b.txt"},
        {"document": "gone.txt"},
        {"document_sha256": "0" * 64},
        {"also_at": (Place(document="b.txt", start=0, end=len(FIRST)),)},
        {"also_at": (Place(document="gone.txt", start=0, end=0),)},
    ],
)
def test_what_is_not_the_slice_it_claims_to_be_is_never_right(tmp_path: Path, changes: dict[str, Any]) -> None:
    wrong = quote(FIRST).model_copy(update=changes)
    for case, given in ((ONE, answer(wrong)), (NONE, refusal(wrong))):
        found = judged(tmp_path, case, given)
        assert (found.right, found.cause, len(found.inexact), found.quotes) == (False, "inexact", 1, 1)


def test_a_quote_that_ends_beyond_the_text_is_inexact(tmp_path: Path) -> None:
    last = f"{OTHER}\n"
    case = {**GATE, "gold": [gold(OTHER, "b.txt")]}
    assert judged(tmp_path, case, answer(quote(last, "b.txt"))).right
    assert judged(tmp_path, case, answer(quote(last, "b.txt", end=10**9))).cause == "inexact"
    place = quote(last, "b.txt")
    for end, exact in ((place.end, True), (place.end + 1, False)):
        also = (Place(document="b.txt", start=place.start, end=end),)
        assert judged(tmp_path, ONE | {"gold": [gold(OTHER)]}, answer(quote(OTHER, also_at=also))).right is exact


def test_a_distractor_first_is_wrong_unless_it_is_gold_too(tmp_path: Path) -> None:
    case = {**ONE, "distractors": [gold("The gate opens at ten.", "b.txt")]}
    assert not judged(tmp_path, case, answer(quote("The gate opens at ten.", "b.txt"), quote(FIRST))).right
    assert judged(tmp_path, case, answer(quote(FIRST), quote("The gate opens at ten.", "b.txt"))).right
    both = {**case, "gold": [gold(FIRST), gold("The gate opens at ten.", "b.txt")]}
    assert judged(tmp_path, both, answer(quote("The gate opens at ten.", "b.txt"))).right


def test_shares_of_one_case(tmp_path: Path) -> None:
    found = judged(tmp_path, BOTH, answer(quote(FIRST), FAR, found=[(OTHER, "b.txt"), (FIRST, "a.txt")]))
    assert (found.quote_precision, found.quote_recall) == (0.5, 0.5)
    assert (found.ranked, found.parts) == ((frozenset(), frozenset({0})), 2)
    nothing = judged(tmp_path, NONE, refusal())
    assert (nothing.quote_precision, nothing.quote_recall, nothing.ranked) == (None, None, None)


def test_short_answers_count_where_the_case_lists_them(tmp_path: Path) -> None:
    for given, expected in (("Nine.", 1.0), ("at nine", 0.0), (None, 0.0)):
        assert judged(tmp_path, ONE, answer(quote(FIRST), short_answer=given)).exact_match == expected
    assert judged(tmp_path, ONE, answer(quote(FIRST), short_answer="at nine")).token_f1 == pytest.approx(2 / 3)
    assert judged(tmp_path, ONE, refusal()).token_f1 == 0.0


def test_the_large_print_is_judged_where_one_could_be_right(tmp_path: Path) -> None:
    for given, expected in (("It opens at nine", "right"), ("at ten", "wrong"), (None, "absent")):
        assert judged(tmp_path, ONE, answer(quote(FIRST), short_answer=given)).large_print == expected
    assert judged(tmp_path, ONE, refusal()).large_print is None
    yes = {**ONE, "short_answers": ["yes"]}
    assert judged(tmp_path, yes, answer(quote(FIRST), short_answer="at nine")).large_print is None
    for named in ({"short_answers": []}, {"short_answers": ["Yes", "No"]}):
        assert judged(tmp_path, {**ONE, **named}, answer(quote(FIRST), short_answer="nine")).large_print is None
    assert judged(tmp_path, BOTH, answer(quote(FIRST))).exact_match is None


@pytest.mark.parametrize(
    ("conflict", "pairs", "found", "right"),
    [
        ("sources", [(1, 2)], True, 1),
        ("sources", [(2, 1), (1, 3)], True, 1),
        ("sources", [(1, 3)], False, 0),
        ("sources", [(0, 1)], False, 0),
        ("sources", [(1, 9)], False, 0),
        ("question", [(0, 1)], True, 1),
        ("question", [(0, 3)], False, 0),
        ("question", [(1, 2)], False, 0),
        (None, [(1, 2)], False, 0),
        (None, [], False, 0),
    ],
)
def test_conflicts(tmp_path: Path, conflict: str | None, pairs: list[tuple[int, int]], found: bool, right: int) -> None:
    case = {**BOTH, "conflict": conflict}
    verdict = judged(tmp_path, case, answer(quote(FIRST), quote(SECOND), FAR, conflicts=tuple(pairs)))
    assert (verdict.conflict_found, verdict.conflicts_right, verdict.conflicts_marked) == (found, right, len(pairs))
    assert verdict.conflict_expected is (conflict is not None)


def make_exam(tmp_path: Path, cases: Sequence[dict[str, Any]]) -> Exam:
    docs = tmp_path / "docs"
    docs.mkdir(exist_ok=True)
    for name, text in TEXTS.items():
        (docs / name).write_bytes(text.encode())
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(case) + "\n" for case in cases))
    return load_exam([path], docs)


def test_figures_count_marked_pairs_and_failed_answers(tmp_path: Path) -> None:
    cases = [{**BOTH, "id": "1", "conflict": "sources"}, {**BOTH, "id": "2"}, {**ONE, "id": "3"}, {**NONE, "id": "4"}]
    given: list[Any] = [
        answer(quote(FIRST), quote(SECOND), FAR, conflicts=((1, 2), (1, 3)), found=[(FIRST, "a.txt")]),
        answer(quote(FIRST), quote(SECOND), conflicts=((1, 2),), found=[(FIRST, "a.txt"), (SECOND, "a.txt")]),
        {"status": "?"},
        answer(quote(FIRST), conflicts=()),
    ]
    queue = iter(given)
    results, _ = run_exam(make_exam(tmp_path, cases), lambda docs: lambda *asked: next(queue))
    found = record.figures(results)
    assert found["conflict_precision"] == pytest.approx(1 / 3)
    assert (found["conflict_recall"], found["conflict_counts"]) == (1.0, [1, 3, 1, 1])
    assert (found["errors"], found["answerable_right"], found["refused"]) == (1, pytest.approx(2 / 3), 0.0)
    assert found["refused_interval"] == [0.0, 0.0]
    assert (found["recall_at_12"], found["mrr"]) == (0.75, 1.0)
    assert record.group_figures(results).keys() >= {"cases", "cases/dev", "cases:fact"}
    late = [one.model_copy(update={"seconds": float(number)}) for number, one in enumerate(results)]
    assert record.figures(late)["latency_ms"]["total"] == {"p50": 1000.0, "p95": 3000.0}  # type: ignore[index, call-overload]


def test_a_run_asks_every_turn_of_the_documents_that_are_there(tmp_path: Path) -> None:
    cases = [
        {**ONE, "id": "gone", "delete": ["b.txt"]},
        {**ONE, "id": "talk", "turns": ["Hello?", "And when does it open?"], "docs": ["a.txt"]},
        {**ONE, "id": "plain"},
    ]
    asked: list[Any] = []
    folders: list[set[str]] = []

    def open_(docs: Path) -> answerers.Answerer:
        names = {path.name for path in docs.iterdir()}
        folders.append(names)

        def give(question: str, history: Sequence[Turn], documents: Sequence[str] | None) -> Answered:
            asked.append((question, [turn.question for turn in history], documents, names))
            return answer(quote(FIRST)).model_copy(update={"trace": trace().model_copy(update={"store": str(names)})})

        return give

    results, facts = run_exam(make_exam(tmp_path, cases), open_)
    assert [one.id for one in results] == ["gone", "talk", "plain"]
    assert folders == [{"a.txt", "b.txt"}, {"a.txt", "b.txt"}, {"a.txt"}]
    assert facts["store"] == str({"a.txt", "b.txt"}) or facts["store"] == str({"b.txt", "a.txt"})
    (first, second, third, last) = asked
    assert first[:3] == ("Hello?", [], ("a.txt",))
    assert second[:3] == ("And when does it open?", ["Hello?"], ("a.txt",))
    assert (third[2], last[3]) == (None, {"a.txt"})
    assert (tmp_path / "docs" / "b.txt").exists()


def test_a_quote_of_a_deleted_document_is_inexact(tmp_path: Path) -> None:
    exam = make_exam(tmp_path, [{**ONE, "delete": ["b.txt"]}])
    results, _ = run_exam(exam, lambda docs: lambda *asked: answer(quote(FIRST), FAR))
    assert results[0].judgement
    assert results[0].judgement.inexact == (f"b.txt:{FAR.start}-{FAR.end}",)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gold": [gold(FIRST)], "delete": ["a.txt"]}, "deletes"),
        ({"gold": [gold(FIRST)], "docs": ["b.txt"]}, "does not let be used"),
        ({"docs": []}, "docs"),
        ({"answerable": "yes"}, "answerable"),
        ({"turns": []}, "turns"),
        ({"turns": ["?"] * 5}, "turns"),
        ({"turns": ["\ud800"]}, "half a character"),
        ({"gold": [gold(FIRST, nth=2)]}, "nth is 2"),
        ({"conflict": "sources"}, "parts 1 and 2"),
    ],
)
def test_cases_that_could_never_be_right_are_mistakes(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(CaseError, match=told):
        make_exam(tmp_path, [{**ONE, **change}])


def test_case_files_as_people_write_them(tmp_path: Path) -> None:
    exam = make_exam(tmp_path, [ONE])
    path = tmp_path / "cases.jsonl"
    path.write_text("\n" + json.dumps(ONE) + "\r\n\r\n")
    assert len(load_cases([path], exam.texts)) == 1
    for text, told in (("", "has no cases"), ('{"id": "1", "id": "2"}', "'id' stands twice"), ("[" * 10**5, "JSON")):
        path.write_text(text)
        with pytest.raises(CaseError, match=told):
            load_cases([path], exam.texts)
    assert read_texts(exam.docs) == TEXTS


class Broken:
    """Answerers that each break one rule of the interface."""

    @staticmethod
    def raises(*asked: Any) -> Any:
        raise RuntimeError("two\nlines")

    @staticmethod
    def ends(*asked: Any) -> Any:
        raise SystemExit(0)

    @staticmethod
    def hangs(*asked: Any) -> Any:
        import time

        time.sleep(5)

    @staticmethod
    def cannot_be_written(*asked: Any) -> Any:
        return answer(quote(FIRST)).model_copy(update={"text": "\ud800"})

    @staticmethod
    def nothing(*asked: Any) -> Any:
        return None


@pytest.mark.parametrize("name", ["raises", "ends", "hangs", "cannot_be_written", "nothing"])
def test_whatever_an_answerer_does_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    exam = make_exam(tmp_path, [ONE])
    (result,), _ = run_exam(exam, lambda docs: getattr(Broken, name), timeout_s=0.2)
    assert result.error
    assert "\n" not in result.error
    assert not result.right


def test_an_answerer_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    for opener in (lambda docs: 1 / 0, lambda docs: "no function"):
        with pytest.raises(answerers.AnswererError):
            answerers.open_on(opener, tmp_path)  # type: ignore[arg-type]


def test_other_systems_need_only_a_status_and_places(tmp_path: Path) -> None:
    exam = make_exam(tmp_path, [{**ONE, "id": "1"}, {**NONE, "id": "2"}, {**ONE, "id": "3"}])
    good = {"text": FIRST, "document": "a.txt", "start": 0, "end": len(FIRST)}
    given = iter([{"status": "answered", "quotes": [good]}, {"status": "refused"},
                  {"status": "answered", "quotes": [{**good, "start": 1}]}])  # fmt: skip
    results, _ = run_exam(exam, lambda docs: lambda *asked: next(given))
    assert [one.right for one in results] == [True, True, False]


def test_everything_shown_in_the_report_is_escaped(tmp_path: Path) -> None:
    attack = "<script>alert(1)</script>"
    exam = make_exam(tmp_path, [{**ONE, "id": attack, "kind": attack, "note": attack, "turns": [attack]}])
    wrong = quote(SECOND, before=attack, after=attack, document_sha256="0" * 64)
    for given in (answer(wrong.model_copy(update={"text": attack, "document": attack})), refusal(wrong)):
        results, facts = run_exam(exam, lambda docs, given=given: lambda *asked: given)  # type: ignore[misc]
        results = [one.model_copy(update={"exam": attack, "gold": (one.gold[0].model_copy(update={"quote": attack}),)})
                   for one in results]  # fmt: skip
        html = report.render(make_record(results, {"x": facts}, 1.0, {"answerer": attack}))
        assert attack not in html
        assert html.count("&lt;script&gt;") >= 8
    failed = results[0].model_copy(update={"error": attack, "judgement": None, "answer": None})
    html = report.render(make_record([failed], {}, 1.0, {}))
    assert attack not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</small>" in html
