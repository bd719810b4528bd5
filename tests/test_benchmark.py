"""Public benchmarks: files read and refused, gold in its place, figures by hand; and the plain peer of `speed`."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from llama_index.core.base.embeddings.base import BaseEmbedding

from eval.__main__ import main
from eval.benchmarks import benchmark, outcomes
from eval.benchmarks.cascade import Cascade
from eval.benchmarks.outcomes import BenchmarkOutcome
from eval.benchmarks.questions import Question, Reach
from eval.load import plain
from qa.config import Config
from qa.errors import QAError
from qa.schema import PartVerdict
from qa.stages import Passage, Reading
from tests.answers import answered, quote, refused, trace
from tests.readers import PluggedReader, made_passage

PASSAGES = [
    {"id": "p1", "title": "Apple_trees", "text": "Apples ripen in autumn. Pears ripen in late summer."},
    {"id": "p2", "title": "Apple_trees", "text": "An apple tree lives for about eighty years."},
    {"id": "p3", "title": "Zebras", "text": "Zebras live in Africa. A zebra sleeps standing."},
]
QUESTIONS: list[dict[str, Any]] = [
    {"id": "q1", "question": "When do apples ripen?", "answerable": True, "answers": ["autumn", "in autumn"],
     "starts": [16, 13], "title": "Apple_trees", "doc_ids": ["p1"]},
    {"id": "q2", "question": "How long does an apple tree live?", "answerable": True, "answers": ["eighty years"],
     "starts": [30], "title": "Apple_trees", "doc_ids": ["p2"]},
    {"id": "q3", "question": "Where do zebras hunt?", "answerable": False, "answers": [], "starts": [],
     "title": "Zebras", "doc_ids": ["p3"]},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def squad2(tmp_path: Path) -> Path:
    folder = tmp_path / "bench"
    folder.mkdir()
    write(folder / "squad2-dev-passages.jsonl.gz", PASSAGES)
    write(folder / "squad2-dev-questions.jsonl.gz", QUESTIONS)
    return folder


def load(source: Path, docs: Path, **options: Any) -> list[Question]:
    docs.mkdir()
    chosen = {"reach": "all", "half": None, "sample": 0, "seed": 1, **options}
    return benchmark.load("squad2", source, docs, **chosen)


def test_confidence_is_that_of_the_least_sure_part_that_would_be_answered() -> None:
    question = Question("q", "When and where?", True, None, (), (), 1)
    parts = tuple(PartVerdict(part="", covered=True, probability=p, why="") for p in (0.9, 0.6, 0.1))
    answer = answered(trace=trace(verdicts=parts), quotes=(quote(score=0.9), quote(score=0.6)))
    assert outcomes.outcome(question, answer, 0.5).confidence == 0.6
    assert outcomes.outcome(question, answer, 0.7).confidence == 0.9
    assert outcomes.outcome(question, answer, 0.95).confidence == 0.9  # the surest says how near it came
    assert outcomes.outcome(question, refused(), 0.5).confidence == 0.0  # nothing was quoted


class Preferring(PluggedReader):
    """Prefers the passages of this text, and notes how many it was given."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.seen = text, list[int]()

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        self.seen.append(len(passages))
        return [Reading(passage, None, float(passage.text == self.text)) for passage in passages]


def test_in_a_cascade_the_second_reads_what_the_first_finds_best() -> None:
    first, second = Preferring(text="c"), Preferring(text="c")
    readings = Cascade(first, second, keep=2).read("?", [made_passage(text) for text in "abcd"])
    assert [(reading.passage.text, reading.score) for reading in readings] == [("c", 1.0), ("a", 0.0)]
    assert (first.seen, second.seen) == ([4], [2])


@pytest.mark.parametrize("reach", ["document", "all"])
def test_gold_stands_where_it_is_said_to(squad2: Path, tmp_path: Path, reach: Reach) -> None:
    found = load(squad2, tmp_path / "docs", reach=reach)
    assert [len(one.parts) for one in found] == [1, 1, 0]
    for question, row in zip(found, QUESTIONS, strict=True):
        for (document, start, end), answer in zip(question.gold, row["answers"], strict=True):
            assert (tmp_path / "docs" / document).read_text("utf-8")[start:end] == answer
    assert len(list((tmp_path / "docs").iterdir())) == (3 if reach == "document" else 2)


def test_halves_by_title_keep_only_their_documents(squad2: Path, tmp_path: Path) -> None:
    assert [one.id for one in load(squad2, tmp_path / "one", half=1)] == ["q1", "q2"]
    assert [one.id for one in load(squad2, tmp_path / "two", half=2)] == ["q3"]
    assert [len(list((tmp_path / name).iterdir())) for name in ("one", "two")] == [1, 1]
    assert len(load(squad2, tmp_path / "some", sample=2)) == 2
    assert load(squad2, tmp_path / "a", sample=2, seed=5) == load(squad2, tmp_path / "b", sample=2, seed=5)


def test_evidence_sentences_are_parts_and_beir_documents_are_not(tmp_path: Path) -> None:
    questions = [
        {"id": "c1", "question": "When do they ripen?", "answerable": True, "answers": [], "doc_ids": ["p1"],
         "evidence": ["Apples ripen in autumn.", "Pears ripen in late summer."]},
        {"id": "c2", "question": "Who eats them?", "answerable": False, "answers": [], "doc_ids": ["p1"],
         "evidence": []},
    ]  # fmt: skip
    write(tmp_path / "clapnq-dev-passages.jsonl.gz", PASSAGES)
    write(tmp_path / "clapnq-dev-questions.jsonl.gz", questions)
    (tmp_path / "docs").mkdir()
    options: dict[str, Any] = {"reach": "all", "half": None, "sample": 0, "seed": 1}
    one, other = benchmark.load("clapnq", tmp_path, tmp_path / "docs", **options)
    assert (len(one.parts), other.parts) == (2, ())
    rows = [{"_id": one["id"], "title": one["title"], "text": one["text"]} for one in PASSAGES]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "queries.jsonl").write_text('{"_id": "b1", "text": "apples?"}\n')
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query\tcorpus\tscore\nb1\tp1\t1\nb1\tp2\t1\nb1\tp3\t0\n")
    (tmp_path / "more").mkdir()
    (query,) = benchmark.load("beir", tmp_path, tmp_path / "more", **options)
    assert len(query.parts) == 1
    assert len(query.gold) == 2


@pytest.mark.parametrize("reach", ["document", "all"])
def test_a_benchmark_runs_through_the_pipeline(squad2: Path, tmp_path: Path, reach: Reach) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    seen: list[tuple[int, int]] = []
    config = Config(data_dir=tmp_path, threads=1)
    found = benchmark.run(
        "squad2", squad2, scratch, config, reach=reach, half=None, sample=0, seed=1, show=lambda *at: seen.append(at)
    )
    assert seen[-1] == (3, 3)
    assert all(one.quoted and 0 <= one.confidence <= 1 for one in found)  # at threshold 0 nothing is refused
    assert found[0].right(0.0)
    assert found[0].retrieved
    if reach == "document":
        assert {place[0] for place in found[2].quoted} == {found[2].question.document}


def test_figures_at_a_threshold(tmp_path: Path) -> None:
    gold = (("a", 0, 10),)
    yes = Question("y", "?", True, "a", (gold,), ("ten",), 1)
    no = Question("n", "?", False, "a", (), (), 1)
    rows = [
        (yes, 0.9, gold, "ten"), (yes, 0.6, (("a", 20, 30),), "ten"), (yes, 0.4, gold, None), (yes, 0.3, (), None),
        (no, 0.7, gold, None), (no, 0.2, gold, None),
    ]  # fmt: skip
    results = [
        BenchmarkOutcome(Question(f"{n}", *list(vars_of(q))[1:]), sure, quoted, (sure,) * len(quoted), short, bool(n))
        for n, (q, sure, quoted, short) in enumerate(rows)
    ]
    found = outcomes.summary(results, 0.5)
    assert (found["answerable"], found["right_never_refusing"]) == (4, 0.5)
    assert found["answerable_right"] == 0.25  # of 0.9, 0.6, 0.4 and 0.3 two are answered and one is right
    assert found["unanswerable_refused"] == 0.5
    assert found["balanced_accuracy"] == 0.375
    low, high = found["balanced_accuracy_interval"]
    assert 0 <= low <= 0.375 <= high <= 1
    assert found["auroc_answerable"] == pytest.approx((2 + 1 + 1 + 1) / 8)
    assert found["refused_at_50%"] == 0.5
    assert outcomes.summary(results[:4], 0.5)["balanced_accuracy_interval"] is None


def test_a_quote_below_the_threshold_is_not_shown() -> None:
    gold = (("a", 0, 10),)
    both = BenchmarkOutcome(
        Question("y", "?", True, "a", (gold,), (), 1), 0.9, (("a", 20, 30), *gold), (0.9, 0.4), None, True
    )
    assert [both.right(threshold) for threshold in (0.0, 0.4, 0.5, 0.95)] == [True, True, False, False]
    assert [len(both.shown(threshold)) for threshold in (0.0, 0.5, 0.95)] == [2, 1, 0]
    assert outcomes.answers_at([both], 0.5) == ([0.9], [False])
    assert outcomes.answers_at([both], 0.95) == ([], [])


def test_a_benchmark_is_drawn(tmp_path: Path) -> None:
    gold = (("a", 0, 10),)
    yes = Question("y", "?", True, "a", (gold,), (), 1)
    results = [
        BenchmarkOutcome(yes, 0.1 * n, gold if n % 2 else (("b", 0, 1),), (0.1 * n,), None, True) for n in range(1, 10)
    ]
    outcomes.plot(results, 0.3, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


def vars_of(question: Question) -> list[Any]:
    """The fields' values in order."""
    return [getattr(question, name) for name in Question.__dataclass_fields__]


def test_files_that_are_not_a_benchmark_are_named(squad2: Path, tmp_path: Path) -> None:
    for name, data in (
        ("passages", b"no gzip"),
        ("passages", gzip.compress(b"{}\n")[:-9]),
        ("passages", gzip.compress(b"no json\n")),
        ("passages", gzip.compress(b'{"id": 1}\n')),
        ("questions", gzip.compress(b'{"id": "1", "doc_ids": ["gone"]}\n')),
    ):
        kept = (squad2 / f"squad2-dev-{name}.jsonl.gz").read_bytes()
        (squad2 / f"squad2-dev-{name}.jsonl.gz").write_bytes(data)
        done = CliRunner().invoke(main, ["benchmark", "squad2", str(squad2)])
        assert done.exit_code == 1
        assert len(done.output.strip().splitlines()) == 1
        (squad2 / f"squad2-dev-{name}.jsonl.gz").write_bytes(kept)
    (tmp_path / "corpus.jsonl").write_text('{"_id": "1", "text": "x"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "x"}\n')
    (tmp_path / "docs").mkdir()
    with pytest.raises(QAError, match=r"test\.tsv"):
        benchmark.load("beir", tmp_path, tmp_path / "docs", reach="all", half=None, sample=0, seed=1)


class Letters(BaseEmbedding):
    """How often each of three letters stands in a text."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(text.count(letter)) for letter in "abc"]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def test_the_plain_peer_finds_the_nearest(tmp_path: Path) -> None:
    retriever = plain.index([("1", "aaa"), ("2", "bbb"), ("3", "ccc")], tmp_path / "store", Letters())
    assert retriever.retrieve("bb")[0].node.get_content() == "bbb"
