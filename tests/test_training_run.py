"""The whole training command on made-up data and a tiny network, interrupted at each step; needs the `train` extra."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import MPNetConfig, MPNetModel

from eval.training import calibrate, card, export, gather, place, trainer
from eval.training.__main__ import Plan, make
from eval.training.swap import check_sums
from eval.training.trainer import Settings
from qa.errors import ModelError
from qa.reader.packaged import FILES, MODEL
from tests.training_data import TOWNS, held_out_towns, write_own_words, write_pairs

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter's own, about itself
SETTINGS = Settings(minutes=0.03, batch=8, dev_questions=6, evaluations=0, frozen=0, save_minutes=0.001, threads=1)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan on made-up data, with a network of two small layers."""
    root: Path = tmp_path_factory.mktemp("training")
    for name in ("data", "start", "into"):
        (root / name).mkdir()
    write_pairs(root / "data", [*TOWNS, *held_out_towns(2)])
    write_own_words(root / "data")
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=30527, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=256,
    )  # fmt: skip
    MPNetModel(config, add_pooling_layer=False).save_pretrained(root / "start")
    (root / "start" / "tokenizer.json").write_bytes((MODEL / "tokenizer.json").read_bytes())
    (root / "into" / "README.md").write_text(f"# Reader\n\n{card.BEGIN}\nold\n{card.END}\n\n## Data\n", "utf-8")
    return Plan(
        root / "data", root / "out", root / "start", into=root / "into", weights=None, sample=20, settings=SETTINGS,
    )  # fmt: skip


def interrupted(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """The function, interrupted before or after its work, as if the process had been asked to stop."""

    def stop(*args: Any, **options: Any) -> Any:
        if after:
            function(*args, **options)
        raise KeyboardInterrupt

    return stop


STEPS = [
    (gather, "gather"),
    (trainer, "learn"),
    (export, "write"),
    (export, "write_sums"),
    (calibrate, "fitted_on"),
    (calibrate, "write_sums"),
    (place, "check_sums"),
    (card, "with_section"),
]


def test_interrupted_at_each_step_it_goes_on_and_the_place_stays_whole(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in plan.into.iterdir()}
    for module, name in STEPS:
        for after in (False, True):
            with monkeypatch.context() as patched:
                patched.setattr(module, name, interrupted(getattr(module, name), after=after))
                with pytest.raises(KeyboardInterrupt):
                    make(plan)
            assert {path.name: path.read_bytes() for path in plan.into.iterdir()} == before, f"after {name}"
            if plan.model.exists():
                check_sums(plan.model, FILES)
    shown: list[str] = []
    make(plan, shown.append)
    assert shown == [
        "gather: done before",
        "train: done before",
        "export: done before",
        "calibrate: done before",
        "place: begins",
    ]
    check_sums(plan.into, FILES)
    assert place.verify(plan.model) < place.MAX_APART
    fitted = json.loads((plan.into / "calibration.json").read_text("utf-8"))
    assert fitted["fitted_on"] == {"half": 1, "seed": 1, "sample": 20}
    text = (plan.into / "README.md").read_text("utf-8")
    assert text.startswith("# Reader\n")
    assert text.endswith("## Data\n")
    assert "own words with each document alone, second half" in text
    assert "old" not in text.split()
    assert {path.name for path in plan.into.iterdir()} == {*FILES, "SHA256SUMS", "README.md"}


def test_a_folder_of_another_plan_is_refused(plan: Plan) -> None:
    with pytest.raises(ModelError, match="other values of settings"):
        make(replace(plan, settings=replace(SETTINGS, seed=2)))


def test_numbers_that_are_not_torchs_are_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="away from torch"):
        place.place(plan.model, tmp_path / "into", max_apart=-1.0)
    assert not (tmp_path / "into").exists()


def test_a_calibrated_reader_is_not_exported_over(plan: Plan) -> None:
    with pytest.raises(ModelError, match="holds a calibrated reader"):
        export.export_run(plan.start, plan.run / "reader.safetensors", plan.model, plan.data)
    check_sums(plan.model, FILES)
