"""`qa-eval scale`: its measurements, the arithmetic of its table and laws, and a run at a tiny size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from eval.__main__ import main
from eval.load import scale, speed, tables
from eval.load.scale import Clocks, RecordedEmbedding
from eval.load.stress import BROKEN
from qa.errors import QAError
from tests.stores import TextEmbedder

SMALL = {"passages": 10_000.0, "passages a second": 250.0, "index s": 40.0, "embedded alone s": 32.0, "p50 ms": 100.0}
LARGE = SMALL | {"passages": 99_000.0, "index s": 400.0, "embedded alone s": 300.0, "p50 ms": 199.0, "p95 ms": 300.0}


def test_laws_by_hand() -> None:
    laws = tables.scale_laws({"10,000": SMALL, "100,000": LARGE | {"passages a second of plain": 100.0}})
    assert [(round(one.value, 2), one.holds) for one in laws] == [
        (1.25, True),  # 40 / 32, at most 1.25
        (1.33, False),  # 400 / 300
        (2.5, False),  # 250 / 100, at least 3
        (1.99, True),  # 199 / 100, below 2
    ]
    assert str(laws[0]).endswith("1.25, holds")
    assert str(laws[1]).endswith("1.33, BROKEN")
    assert not tables.scale_laws({"10,000": SMALL, "100,000": LARGE | {"p50 ms": 200.0}})[-1].holds


def test_laws_that_these_sizes_cannot_show_are_left_out() -> None:
    assert [one.text for one in tables.scale_laws({"100": SMALL})] == []
    assert len(tables.scale_laws({"100,000": LARGE, f"1,000,000{scale.RECORDED}": {"p50 ms": 900.0}})) == 1


def test_the_table_by_hand() -> None:
    table = tables.scale_table({"10,000": SMALL, f"1,000,000{scale.RECORDED}": {"passages": 1e6, "p50 ms": 150.0}})
    lines = table.splitlines()
    assert lines[0] == "| | 10,000 chunks | 1,000,000 chunks, vectors recorded |"
    assert "| chunks | 10,000 | 1,000,000 |" in lines
    assert "| seconds of indexing / of embedding alone | 40.0 / 32.0 | – |" in lines
    assert "| indexing over embedding alone | 1.25 | – |" in lines
    assert "| a question, ms p50 / p95 | 100 / – | 150 / – |" in lines
    assert not [one for one in lines if "plain" in one], "a row of nothing"
    assert "embedded" in lines[-1]
    assert "recorded" not in tables.scale_table({"10,000": SMALL})


def test_recorded_vectors_are_the_first_ones_and_then_those_with_noise() -> None:
    texts = [f"text {number}" for number in range(30)]
    embedder = RecordedEmbedding(TextEmbedder(), 8)
    vectors = np.concatenate([embedder.embed(texts[:5]), embedder.embed(texts[5:12]), embedder.embed(texts[12:])])
    real = TextEmbedder().embed(texts)
    assert vectors.shape == real.shape
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[:8], real[:8])
    for number in range(8, 30):
        assert vectors[number] @ real[(number - 8) % 8] == pytest.approx(1 / (1 + scale.NOISE**2) ** 0.5, abs=0.1)
    assert len({vector.tobytes() for vector in vectors}) == 30
    again = RecordedEmbedding(TextEmbedder(), 8)
    assert np.array_equal(np.concatenate([again.embed(texts[:12]), again.embed(texts[12:])]), vectors)


def test_clocks_add_up_what_a_method_takes() -> None:
    class Watched:
        def twice(self, value: int) -> int:
            if not value:
                raise ValueError("nothing")
            return 2 * value

    clocks = Clocks()
    clocks.watch(Watched, "twice", "a name")
    assert Watched().twice(2) == 4
    first = clocks.ms["a name"]
    with pytest.raises(ValueError, match="nothing"):
        Watched().twice(0)
    assert clocks.ms["a name"] > first > 0


def test_percentiles_have_their_names() -> None:
    found = scale.percentiles({"all": [3.0, 1.0, 2.0], "search": [5.0]})
    assert found == {"p50 ms": 2.0, "p95 ms": 3.0, "p50 ms search": 5.0, "p95 ms search": 5.0}


@pytest.mark.parametrize("recorded", [None, pytest.param(30, marks=pytest.mark.slow)])
def test_every_figure_that_is_measured_has_its_row(recorded: int | None) -> None:
    """A tiny run, in processes of their own."""
    plan = scale.Plan((20,), recorded, questions=2, special_questions=1, filter_documents=4, recorded_texts=20)
    said: list[str] = []
    columns = scale.measure(plan, said.append)
    real = columns.pop("20")
    assert real["passages"] == pytest.approx(20, abs=8)
    assert list(columns) == [f"30{scale.RECORDED}"] * bool(recorded)
    for made in columns.values():
        assert made["passages"] == pytest.approx(30, abs=10)
        assert "index s" not in made
    assert real["index s"] > 0 < real["embedded alone s"]
    assert real["peak memory MB of indexing"] > 50 < real["peak memory MB of asking"]
    for kind in ("the commonest words", "a long question"):
        assert real[f"p50 ms of {kind}"] > 0
    assert real["p50 ms under a filter"] > 0
    assert real["p50 ms"] >= real["p50 ms search"] >= real["p50 ms search: nearest vectors"] > 0
    table = tables.scale_table({"20": real, **columns})
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert not [line for line in rows[1:] if line.split(" | ")[1] == "–"], "measured and not shown"
    assert "plain" not in table
    assert "20 chunks: indexing" in said


def test_the_command_prints_a_table_and_fails_on_a_broken_law(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Any] = []

    def measure(plan: scale.Plan, show: Any) -> dict[str, speed.Figures]:
        plans.append(plan)
        return {"10,000": SMALL, "100,000": LARGE}

    monkeypatch.setattr(scale, "measure", measure)
    out = tmp_path / "scale.json"
    words = ["scale", "--chunks", "10000,100000", "--recorded", "1000000", "--json", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == BROKEN
    assert "| indexing over embedding alone | 1.25 | 1.33 |" in done.output
    assert "at 100,000 chunks, at most 1.25: 1.33, BROKEN" in done.output
    assert (plans[0].chunks, plans[0].recorded) == ((10_000, 100_000), 1_000_000)
    written = json.loads(out.read_text())
    assert written["chunks"]["10,000"] == SMALL
    assert [one["holds"] for one in written["laws"]] == [True, False, True]
    assert written["versions"]["qa"]


def test_wrong_use_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["scale", "--chunks", "many"])
    assert done.exit_code == 2
    assert "is not a list of numbers like" in done.output
    with pytest.raises(QAError, match=r"has no config\.json"):
        scale.measure(scale.Plan((10,), plain=tmp_path), print)
