"""The harness: each planted fault shows in the right metric, and all mistakes of a case file are reported."""

import collections
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eval.__main__ import main
from eval.exams import answerers, record, report, results
from eval.exams.cases import CaseError, Gold, Placed, find
from eval.exams.run import Exam, load_exam, make_record, run_exam
from eval.load import speed
from qa.config import PACKAGED_SEEDS
from qa.errors import QAError
from qa.schema import Answered, Quote, Refused, Trace, TraceHit, Turn
from qa.text import text_sha256
from tests.conftest import ROOT

DOCS = {
    "pool.txt": "Pool rules\n\nThe pool opens at nine. Dogs are not allowed in the pool. Bring a towel.\n\n"
    "Please close the door.\n\nThe sauna is on the second floor.\n\nPlease close the door.\n",
    "fees.txt": "Fees\n\nAdults pay 12 euros. Children pay 5 euros. Towels cost 3 euros.\n",
    "old.txt": "Old fees\n\nAdults pay 10 euros. The pool opens at ten.\n",
}
GOLD = {
    "When does the pool open?": ("pool.txt", "The pool opens at nine."),
    "What do adults pay?": ("fees.txt", "Adults pay 12 euros."),
    "Where is the sauna?": ("pool.txt", "The sauna is on the second floor."),
    "May I bring my dog?": ("pool.txt", "Dogs are not allowed in the pool."),
    "What does a towel cost?": ("fees.txt", "Towels cost 3 euros."),
    "What should be shut?": ("pool.txt", "Please close the door."),
}
OPEN = ["Who owns the pool?", "What do dogs pay?", "When was the sauna built?", "What do adults pay on Mondays?"]
FAULT = Callable[[Answered | Refused], Answered | Refused]


def lines() -> list[dict[str, Any]]:
    cases = []
    for number, (question, (document, quote)) in enumerate(GOLD.items()):
        gold: dict[str, Any] = {"document": document, "quote": quote}
        if quote == "Please close the door.":
            gold["nth"] = 2
        cases.append({"id": f"yes-{number}", "kind": "fact", "turns": [question], "answerable": True, "gold": [gold]})
    cases[1]["distractors"] = [{"document": "old.txt", "quote": "Adults pay 10 euros."}]
    for number, question in enumerate(OPEN):
        near = {"document": "pool.txt", "quote": "The pool opens at nine."}
        open_ = {"kind": "near_miss", "turns": [question], "answerable": False, "near": near}
        cases.append({"id": f"no-{number}", **open_})
    return cases


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    for name, text in DOCS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def exam(docs: Path, tmp_path_factory: pytest.TempPathFactory) -> Exam:
    path = tmp_path_factory.mktemp("cases") / "small.jsonl"
    path.write_text("".join(json.dumps(case) + "\n" for case in lines()))
    return load_exam([path], docs)


def quote(document: str, start: int, end: int, **changes: Any) -> Quote:
    text = DOCS[document]
    facts = dict.fromkeys(("date", "page", "locator", "heading"))
    facts |= {"text": text[start:end], "document": document, "title": "t", "start": start, "end": end, "score": 0.9}
    return Quote(**{**facts, "document_sha256": text_sha256(text), "before": "", "after": "", **changes})


def answered(question: str, quotes: Sequence[Quote], confidence: float = 0.9) -> Answered:
    hits = tuple(TraceHit(document=name, start=0, end=len(text), part=0, scores={}) for name, text in DOCS.items())
    trace = Trace(
        question=question, history=(), documents=None, hits=hits, threshold=0.5, verdicts=(), versions={}, models={},
        store="s", timings_ms={"search": 1.0}, skipped=(),
    )  # fmt: skip
    marks = " ".join(f"[{number}]" for number in range(1, len(quotes) + 1))
    return Answered(
        question=question,
        asked=question,
        text=marks,
        confidence=confidence,
        trace=trace,
        short_answer=None,
        quotes=tuple(quotes),
    )


def refused(question: str) -> Refused:
    trace = answered(question, [quote("pool.txt", 0, 10)]).trace
    return Refused(question=question, asked=question, text="no", confidence=0.1, trace=trace, reason="not_covered")


def oracle(exam: Exam) -> dict[str, Answered | Refused]:
    """Question → its perfect answer."""
    found: dict[str, Answered | Refused] = {}
    for placed in exam.cases:
        question = placed.case.turns[-1]
        gold = [part[0] for part in placed.parts]
        found[question] = answered(question, [quote(*one) for one in gold]) if gold else refused(question)
    return found


def figures(exam: Exam, fault: FAULT = lambda answer: answer) -> dict[str, Any]:
    right = oracle(exam)
    results, _ = run_exam(exam, lambda docs: lambda question, history, documents: fault(right[question]))
    return dict(record.figures(results))


def changed(answer: Answered | Refused, change: Callable[[Quote], Quote]) -> Answered | Refused:
    if isinstance(answer, Refused):
        return answer
    return answer.model_copy(update={"quotes": tuple(change(one) for one in answer.quotes)})


def test_perfect_answers_have_perfect_figures(exam: Exam) -> None:
    found = figures(exam)
    for name in ("answerable_right", "refused", "refusal_precision", "refusal_recall", "exactness", "quote_precision"):
        assert found[name] == 1.0, name
    assert (found["aurc"], found["causes"]) == (0.0, {})
    assert found["ece"] == pytest.approx(0.1)


def test_always_answering_shows_in_refusal_recall(exam: Exam) -> None:
    def always(answer: Answered | Refused) -> Answered | Refused:
        return answered(answer.question, [quote("pool.txt", 12, 35)]) if isinstance(answer, Refused) else answer

    found = figures(exam, always)
    assert (found["refusal_recall"], found["refused"], found["answerable_right"]) == (0.0, 0.0, 1.0)
    assert found["causes"] == {"should_refuse": 4}


def test_never_answering_shows_in_not_attempted(exam: Exam) -> None:
    found = figures(exam, lambda answer: refused(answer.question))
    assert (found["not_attempted"], found["answerable_right"], found["refusal_recall"]) == (6, 0.0, 1.0)
    assert found["refusal_precision"] == 0.4
    assert found["causes"] == {"refused": 6}


def test_quoting_whole_files_shows_as_quoted_wrongly(exam: Exam) -> None:
    def whole(answer: Answered | Refused) -> Answered | Refused:
        return changed(answer, lambda one: quote(one.document, 0, len(DOCS[one.document]) - 1))

    long = {name: text + "\nMore of it." * 50 for name, text in DOCS.items()}
    found = figures(exam, whole)
    assert found["answerable_right"] == 1.0  # these files are shorter than the limit …
    DOCS.update(long)
    try:
        texts = replace(exam, texts=dict(long))
        found = figures(texts, whole)
    finally:
        DOCS.update({name: text[: -len("\nMore of it." * 50)] for name, text in long.items()})
    assert found["answerable_right"] == 0.0  # … and longer ones are not
    assert found["causes"] == {"quoted_wrongly": 6}
    assert found["exactness"] == 1.0


def test_one_altered_character_shows_in_exactness(exam: Exam) -> None:
    def altered(answer: Answered | Refused) -> Answered | Refused:
        return changed(answer, lambda one: one.model_copy(update={"text": one.text.replace("12", "13")}))

    found = figures(exam, altered)
    assert found["exactness"] == pytest.approx(5 / 6)
    assert found["correct"] == 5


@pytest.mark.parametrize("shift", ["file", "occurrence"])
def test_a_wrong_place_shows_in_quote_precision(exam: Exam, shift: str) -> None:
    def misplaced(one: Quote) -> Quote:
        if shift == "occurrence":
            first = DOCS["pool.txt"].index("Please close the door.")
            return quote("pool.txt", first, first + len(one.text)) if one.text.startswith("Please") else one
        start = DOCS["old.txt"].index("Adults")
        return quote("old.txt", start, start + 20) if one.text.startswith("Adults") else one

    found = figures(exam, lambda answer: changed(answer, misplaced))
    assert found["quote_precision"] == pytest.approx(5 / 6)
    assert (found["incorrect"], found["exactness"]) == (1, 1.0)


def test_the_right_words_under_the_wrong_file_name_are_inexact(exam: Exam) -> None:
    found = figures(exam, lambda a: changed(a, lambda one: one.model_copy(update={"document": "old.txt"})))
    assert found["exactness"] == 0.0


def test_a_distractor_first_is_wrong(exam: Exam) -> None:
    start = DOCS["old.txt"].index("Adults")

    def second(answer: Answered | Refused) -> Answered | Refused:
        if isinstance(answer, Refused) or not answer.quotes[0].text.startswith("Adults"):
            return answer
        return answered(answer.question, [quote("old.txt", start, start + 20), *answer.quotes])

    assert figures(exam, second)["correct"] == 5


def test_slow_answers_show_in_latency(exam: Exam) -> None:
    def slow(answer: Answered | Refused) -> Answered | Refused:
        time.sleep(0.05)
        return answer

    fast, late = figures(exam), figures(exam, slow)
    assert late["answerable_right"] == 1.0
    assert late["latency_ms"]["total"]["p50"] >= 50 > fast["latency_ms"]["total"]["p50"]


def test_random_confidence_shows_in_ece_and_aurc(exam: Exam) -> None:
    draw = random.Random(3)

    def unsure(answer: Answered | Refused) -> Answered | Refused:
        if isinstance(answer, Refused):
            answer = answered(answer.question, [quote("pool.txt", 12, 35)])
        return answer.model_copy(update={"confidence": draw.random()})

    def sure(answer: Answered | Refused) -> Answered | Refused:
        if isinstance(answer, Refused):
            return answered(answer.question, [quote("pool.txt", 12, 35)], 0.02)
        return answer.model_copy(update={"confidence": 0.98})

    assert figures(exam, sure)["ece"] < 0.05 < 0.2 < figures(exam, unsure)["ece"]
    assert figures(exam, sure)["aurc"] < figures(exam, unsure)["aurc"]


def test_an_answerer_that_fails_is_counted_as_wrong(exam: Exam) -> None:
    results, _ = run_exam(exam, lambda docs: lambda question, history, documents: {"status": "maybe"})
    found = record.figures(results)
    assert (found["errors"], found["answerable_right"], found["refused"]) == (10, 0.0, 0.0)
    assert not any(one.right for one in results)


def test_mistakes_are_reported_in_full_by_line(docs: Path, tmp_path: Path) -> None:
    good = lines()
    bad = [
        good[0],
        {**good[1], "id": good[0]["id"]},
        {**good[1], "id": "a", "surprise": 1},
        {**good[1], "id": "b", "gold": [{"document": "fees.txt", "quote": "Adults pay 13 euros."}]},
        {**good[1], "id": "c", "gold": [{"document": "nowhere.txt", "quote": "x"}]},
        {**good[1], "id": "d", "gold": [{"document": "pool.txt", "quote": "Please close the door."}]},
        {**good[1], "id": "e", "gold": []},
        {**good[1], "id": "f", "docs": ["nowhere.txt"]},
    ]
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(case) + "\n" for case in bad) + "not json\n")
    with pytest.raises(CaseError) as caught:
        load_exam([path, tmp_path / "missing.jsonl"], docs)
    told = str(caught.value)
    for number in range(2, 10):
        assert f"bad.jsonl:{number}:" in told, number
    assert "bad.jsonl:1:" not in told
    assert "missing.jsonl" in told
    done = CliRunner().invoke(main, ["run", str(path), "--docs", str(docs)])
    assert done.exit_code == 1
    assert "bad.jsonl:9: not valid JSON" in done.output


def test_the_split_is_by_gold_passage(exam: Exam) -> None:
    one = exam.cases[0].case
    paraphrase = one.model_copy(update={"id": "other", "turns": ("opening time of the pool",)})
    assert one.split == paraphrase.split
    sides = {one.model_copy(update={"gold": (Gold(document="x", quote=str(n)),)}).split for n in range(50)}
    assert sides == {"dev", "test"}


def test_a_fall_beyond_noise_fails_and_a_small_one_does_not(exam: Exam) -> None:
    many = replace(exam, cases=tuple(_copy(placed, n) for n in range(3) for placed in exam.cases))
    right = oracle(exam)
    good, _ = run_exam(many, lambda docs: lambda question, history, documents: right[question])
    worse, _ = run_exam(many, lambda docs: lambda question, history, documents: refused(question))
    rows = {row["metric"]: row for row in record.compare(good, worse)}
    assert rows["answerable_right"]["falls"]
    assert len(rows["answerable_right"]["lost"]) == 18
    assert not rows["refused"]["falls"]
    few = [one for one in good if one.id.endswith("-0") and one.answerable][:2]
    assert record.compare(few, [one.model_copy(update={"right": False}) for one in few])[0]["falls"]  # all of them
    assert record.missing(good, few) == [f"small {one.id}" for one in good if one not in few]
    one_less = [good[0].model_copy(update={"right": False}), *good[1:]]
    assert not any(row["falls"] for row in record.compare(good, one_less))
    assert not any(row["falls"] for row in record.compare(worse, good))


def _copy(placed: Placed, number: int) -> Placed:
    case = placed.case.model_copy(update={"id": f"{placed.case.id}-{number}"})
    return Placed(case, placed.parts, placed.distractors)


def test_the_report_is_self_contained_and_escaped(exam: Exam) -> None:
    attack = "<script>alert(1)</script>"
    found, facts = run_exam(exam, lambda docs: lambda question, history, documents: refused(question))
    found = [result.model_copy(update={"turns": (attack,)}) for result in found]
    made = make_record(found, {exam.name: facts}, 1.0, {"answerer": "x"})
    html = report.render(made)
    assert attack not in html
    assert html.count("class=case") == 6
    assert "http://" not in html.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "src=" not in html
    assert record.Record.model_validate_json(made.model_dump_json()) == made


def test_a_record_is_printed_as_tables_in_markdown(exam: Exam, tmp_path: Path) -> None:
    right = oracle(exam) | {"When does the pool open?": refused("When does the pool open?")}
    found, facts = run_exam(exam, lambda docs: lambda question, history, documents: right[question])
    made = make_record(found, {exam.name: facts}, 1.0, {"answerer": "x"})
    (tmp_path / "record.json").write_text(made.model_dump_json())
    printed = CliRunner().invoke(results.main, [str(tmp_path / "record.json")])
    assert printed.exit_code == 0, printed.output
    lines = printed.output.splitlines()
    assert lines[0].startswith("| | small/")
    by_label = {line.split(" | ")[0]: line for line in lines}
    assert len({line.count(" | ") for line in lines[: len(report.ROWS) + 2]}) == 1
    assert "(" in by_label["| answerable, answered right"]
    assert " of " in by_label["| answerable, answered right"]
    assert "| small: fact | 0.83 (5 of 6) | – |" in lines
    assert "| small: near_miss | – | 1.00 (4 of 4) |" in lines


def test_only_a_record_is_printed_as_tables(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    for name, message in (("other.json", "is not a run record"), ("gone.json", "cannot be read")):
        done = CliRunner().invoke(results.main, [str(tmp_path / name)])
        assert done.exit_code == 1
        assert message in done.output


def test_an_http_endpoint_can_answer(exam: Exam) -> None:
    right = oracle(exam)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert set(asked) == {"question", "history", "documents"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(right[asked["question"]].model_dump_json().encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    results, _ = run_exam(exam, answerers.open_answerer(f"http://127.0.0.1:{server.server_port}/ask"))
    server.shutdown()
    server.server_close()
    assert all(one.right for one in results)


def test_a_python_callable_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = answerers.open_answerer("tests.test_eval:refuse_all")
    assert answerers.ask(opened(Path()), "x?", [Turn(question="y")], None, {}).status == "refused"
    with pytest.raises(answerers.AnswererError):
        answerers.open_answerer("no.such:thing")
    with pytest.raises(answerers.AnswererError):
        answerers.ask(lambda question, history, documents: {"status": "answered"}, "x", [], None, {})


def refuse_all(docs: Path) -> Callable[..., Refused]:
    return lambda question, history, documents: refused(question)


PACKAGED = {"seeds": PACKAGED_SEEDS, "handbook": ROOT / "eval" / "handbook"}


@pytest.fixture(scope="module", params=sorted(PACKAGED))
def packaged(request: pytest.FixtureRequest) -> Exam:
    return load_exam([ROOT / "eval" / "cases" / f"{request.param}.jsonl"], PACKAGED[request.param])


def test_a_passage_stands_on_one_side_of_the_split(packaged: Exam) -> None:
    sides: dict[tuple[str, int, int], str] = {}
    for placed in packaged.cases:
        case, mistakes = placed.case, list[str]()
        if len(placed.parts) > 1:
            continue  # asks for several facts, which may be of both sides
        for one in case.gold or filter(None, [case.near]):
            place = find(one, packaged.texts, case.id, mistakes)
            assert place
            assert sides.setdefault(place, case.split) == case.split, f"{case.id}: {one.quote}"


def test_the_packaged_exams_hold_what_they_should(packaged: Exam) -> None:
    kinds = collections.Counter(placed.case.kind for placed in packaged.cases)
    both = [any(placed.case.answerable is yes for placed in packaged.cases) for yes in (True, False)]
    assert all(both)
    if packaged.name == "seeds":
        assert len(packaged.cases) >= 120
        assert kinds["near_miss"] >= 40
        assert kinds.keys() >= {"fact", "multi_source", "distractor", "false_premise", "off_topic", "chit_chat"}
        assert kinds.keys() >= {"request", "injection", "form", "conversation"}
        assert {len(placed.case.turns) for placed in packaged.cases} >= {1, 2, 3, 4}
    else:
        assert 16 <= len(packaged.texts) <= 19
        endings = collections.Counter(Path(name).suffix for name in packaged.texts)
        assert endings.keys() == {".md", ".html", ".txt", ".pdf", ".docx", ".xlsx", ".pptx"}
        asked = collections.Counter(
            Path((case.gold[0] if case.gold else case.near).document).suffix
            for case in (placed.case for placed in packaged.cases)
            if case.gold or case.near
        )
        assert all(asked[ending] >= 6 for ending in endings)
        assert len(packaged.cases) >= 200
        assert sum(placed.case.conflict == "sources" for placed in packaged.cases) >= 25
        assert kinds["look_alike"] >= 25
        assert any(placed.case.docs for placed in packaged.cases)
        assert any(placed.case.delete for placed in packaged.cases)


def test_the_committed_baseline_is_of_these_cases() -> None:
    kept = record.Baseline.model_validate_json((ROOT / "eval" / "baseline.json").read_text("utf-8"))
    exams = [load_exam([ROOT / "eval" / "cases" / f"{name}.jsonl"], docs) for name, docs in PACKAGED.items()]
    cases = {(exam.name, placed.case.id): placed.case for exam in exams for placed in exam.cases}
    assert {(one.exam, one.id) for one in kept.verdicts} == cases.keys()
    for one in kept.verdicts:
        case = cases[one.exam, one.id]
        assert (one.kind, one.split, one.answerable) == (case.kind, case.split, case.answerable)


def test_runs_are_kept_and_compared(docs: Path, tmp_path: Path) -> None:
    cases = tmp_path / "many.jsonl"
    many = [{**case, "id": f"{case['id']}-{number}"} for number in range(3) for case in lines()]
    cases.write_text("".join(json.dumps(case) + "\n" for case in many))
    run = ["run", str(cases), "--docs", str(docs), "--answerer"]
    kept, whole, worse = (str(tmp_path / "made" / name) for name in ("kept.json", "whole.json", "worse.json"))
    first = CliRunner().invoke(main, [*run, "tests.test_eval:quote_the_gold", "--keep", kept, "--json", whole])
    assert first.exit_code == 0, first.output
    assert len(Path(kept).read_text("utf-8").splitlines()) == 31
    same = CliRunner().invoke(main, [*run, "tests.test_eval:quote_the_gold", "--baseline", kept])
    assert same.exit_code == 0
    assert "many answerable_right: 1.000 → 1.000" in same.output
    fallen = CliRunner().invoke(main, [*run, "tests.test_eval:refuse_all", "--baseline", whole, "--json", worse])
    assert fallen.exit_code == 1
    assert "many answerable_right: 1.000 → 0.000 (-1.000" in fallen.output
    assert "  - yes-0-2  fact  not_attempted  When does the pool open?" in fallen.output
    compared = CliRunner().invoke(main, ["compare", whole, worse])
    assert compared.exit_code == 1
    assert "FALLS BEYOND NOISE" in compared.output
    back = CliRunner().invoke(main, ["compare", worse, kept])
    assert back.exit_code == 0
    assert "  + yes-0-2  fact" in back.output


@pytest.mark.parametrize("text", ["", "[]", '{"results": 1}', '{"verdicts": [1]}', "no json"])
def test_a_file_that_is_no_run_record_is_an_error(docs: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "run.json"), str(tmp_path / "gone.json")])
    assert done.exit_code == 1
    assert "is not a run record" in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_an_answerer_that_fails_fails_the_run(docs: Path, tmp_path: Path) -> None:
    cases = tmp_path / "small.jsonl"
    cases.write_text("".join(json.dumps(case) + "\n" for case in lines()))
    done = CliRunner().invoke(main, ["run", str(cases), "--docs", str(docs), "--answerer", "tests.test_eval:fail"])
    assert done.exit_code == 1
    assert "small yes-0: " in done.output


def in_this_process(name: str, docs: Path, store: Path, questions: Sequence[str], **_: Any) -> speed.Figures:
    return dict(getattr(speed, name)(docs, store, questions))


@pytest.mark.parametrize("part", [in_this_process, pytest.param(speed.one_part, marks=pytest.mark.slow)])
def test_speed_measures_each_part(docs: Path, part: Callable[..., speed.Figures]) -> None:
    questions = ["When does the pool open?"] * 3
    tables = speed.measure(docs, questions, rounds=1, plain=None, show=lambda text: None, part=part)
    assert set(tables) == {"fresh", "empty", "index", "ask", "ratios"}
    assert tables["index"]["passages"] >= 3
    assert tables["ask"]["questions"] == 3
    assert tables["ask"]["p50 ms"] >= tables["ask"]["p50 ms search"] > 0
    alone = "p50 ms of the models alone"
    assert 0 < tables["ask"]["p50 ms of their matrix products alone"] < tables["ask"][alone]
    assert tables["ratios"]["indexing time over embedding alone"] > 0


def test_a_part_that_fails_in_its_process_is_named(docs: Path) -> None:
    with pytest.raises(QAError, match="'fresh' failed"):
        speed.measure(docs / "gone", ["x?"], rounds=1, plain=None, show=lambda text: None)


def quote_the_gold(docs: Path) -> Callable[..., Answered | Refused]:
    def answer(question: str, history: Sequence[Turn], documents: Sequence[str] | None) -> Answered | Refused:
        if question not in GOLD:
            return refused(question)
        document, text = GOLD[question]
        start = DOCS[document].rfind(text)  # the second of two
        return answered(question, [quote(document, start, start + len(text))])

    return answer


def fail(docs: Path) -> Callable[..., Refused]:
    return lambda question, history, documents: {"status": "nonsense"}  # type: ignore[return-value]
