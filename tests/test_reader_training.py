"""The reader's losses and its way into a graph, on a network of two small layers; needs the `train` extra."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch
from transformers import MPNetConfig, MPNetModel

from eval.training import dev, export, network, streams, trainer
from eval.training.batches import collate, encode
from eval.training.data import Example
from eval.training.network import group_loss, load_reader, loss_of, run
from eval.training.own import OwnQuestion, OwnWords, Paper, Window, dev_groups
from eval.training.packaged import packaged_weights
from eval.training.place import verify
from qa.embed import MODEL, open_tokenizer
from qa.reader.encode import Encoder

TOKENIZER = MODEL.parent / "reader" / "tokenizer.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=30527, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=256,
    )  # fmt: skip
    place: Path = tmp_path_factory.mktemp("tiny")
    MPNetModel(config, add_pooling_layer=False).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(open_tokenizer(TOKENIZER))


def others(number: int) -> tuple[tuple[str, int], ...]:
    return tuple(("d", other) for other in range(6) if other != number)


def own_data() -> OwnWords:
    names, keepers = "gate door well mill barn pond".split(), "Ada Bo Cy Di Ed Fay".split()
    windows = tuple(Window(f"The {a} is kept by {b}.", "", "") for a, b in zip(names, keepers, strict=True))
    paper = Paper("Farm", "2024", "g", windows)
    questions = tuple(
        OwnQuestion(
            f"who keeps the {name}?", "C", True, (("d", n, 4, 8),), tuple(("d", o) for o in range(6) if o != n), ()
        )
        for n, name in enumerate(names)
    )
    return OwnWords({"d": paper}, questions)


def batch_of(answerable: list[float], group: list[int], place: list[int]) -> dict[str, Any]:
    return {"answerable": torch.tensor(answerable), "group": torch.tensor(group), "place": torch.tensor(place),
            "weight": torch.ones(len(group))}  # fmt: skip


def test_the_group_loss_wants_the_right_passage_or_the_empty_place_to_win() -> None:
    batch = batch_of([1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1])
    good = group_loss(torch.tensor([6.0, -6, -6, -6]), batch)
    assert good < 0.01
    assert group_loss(torch.tensor([6.0, 9, -6, -6]), batch) > 1  # a wrong one above the right one
    assert group_loss(torch.tensor([-6.0, -9, -6, -6]), batch) > 2  # the right one below "none"
    assert group_loss(torch.tensor([6.0, -6, 6, -6]), batch) > 2  # where none is right, one is sure
    by_hand = torch.nn.functional.cross_entropy(torch.tensor([[0.0, 1, 2], [0.0, 3, 4]]), torch.tensor([1, 0]))
    assert torch.isclose(group_loss(torch.tensor([1.0, 2, 3, 4]), batch), by_hand)


def test_groups_of_unlike_sizes_stand_in_one_batch() -> None:
    batch = batch_of([0, 1, 0], [0, 1, 1], [0, 0, 1])
    by_hand = (
        torch.nn.functional.cross_entropy(torch.tensor([[0.0, 1]]), torch.tensor([0]))
        + torch.nn.functional.cross_entropy(torch.tensor([[0.0, 2, 3]]), torch.tensor([1]))
    ) / 2
    assert torch.isclose(group_loss(torch.tensor([1.0, 2, 3]), batch), by_hand)


def test_the_losses_fall_and_a_pair_has_no_group(folder: Path, encoder: Encoder) -> None:
    model = load_reader(folder).train()
    batch = next(streams.group_batches(own_data(), encoder, seed=1, from_step=0, size=32))
    assert set(batch["denies"].tolist()) == {0.0, 1.0}
    adam = trainer.optimiser(model, rate=3e-3, head_rate=1e-2, denial_rate=1e-2)
    for group in adam.param_groups:
        group["lr"] = group["peak"]
    losses = [trainer.learn(model, adam, batch, smoothing=0.02) for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
    one = Example("who?", "T", "", "Bo keeps it.", True, (0, 2), "answer")
    pair = collate([(one, encode(encoder, one))], encoder.padding)
    assert "group" not in pair
    assert loss_of(run(model, pair), pair, smoothing=0.02).isfinite()


def test_a_stream_goes_on_where_it_stopped(encoder: Encoder) -> None:
    whole = streams.group_batches(own_data(), encoder, seed=3, from_step=0, size=32)
    batches = [next(whole) for _ in range(45)]
    again = streams.group_batches(own_data(), encoder, seed=3, from_step=43, size=32)
    for expected in batches[43:]:
        got = next(again)
        assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_the_rate_rises_then_falls_with_what_is_left() -> None:
    assert trainer.rate_at(0, warm_up=10, left=1.0) == 0.1
    assert trainer.rate_at(500, warm_up=10, left=0.25) == 0.25
    assert trainer.rate_at(500, warm_up=10, left=0.0) == trainer.LEAST_RATE


@pytest.mark.filterwarnings("ignore")  # the exporter's own, about itself
@pytest.mark.parametrize("outputs", [export.OUTPUTS, (*export.OUTPUTS, export.DENIES)])
def test_the_graph_has_the_outputs_asked_for(folder: Path, tmp_path: Path, outputs: tuple[str, ...]) -> None:
    reader = load_reader(folder)
    with torch.no_grad():
        for vector in (one for one in reader.parameters() if one.ndim == 1):
            vector += 0.1 * torch.rand_like(vector)  # the exporter keeps equal vectors once; trained ones differ
    sample = (torch.tensor([[0, 11, 12, 2, 2, 13, 2, 14, 15, 2]]), torch.tensor([[0, 0, 0, 0, 0, 1, 1, 2, 2, 1]]))
    model = tmp_path / "model"
    export.export(reader, TOKENIZER, model, samples=[sample], name="tiny", outputs=outputs)
    assert verify(model) < 0.2
    session = ort.InferenceSession(str(model / "model.onnx"), providers=["CPUExecutionProvider"])
    assert tuple(one.name for one in session.get_outputs()) == outputs
    weights = packaged_weights(model)
    assert ("denies.weight" in weights) == ("denies" in outputs)
    if "denies" in outputs:
        assert torch.allclose(weights["denies.weight"], reader.denies.weight.data, atol=1e-3)
        assert torch.allclose(weights["denies.bias"], reader.denies.bias.data)


def test_an_evaluation_tells_answered_from_others_by_kind(folder: Path, encoder: Encoder) -> None:
    data = own_data()
    unanswered = tuple(replace(one, kind="Uq", answerable=False, right=()) for one in data.questions)
    groups, away = dev_groups(replace(data, questions=data.questions + unanswered), 12, seed=1)
    found = dev.evaluate_own(load_reader(folder).eval(), encoder, groups, away)
    assert found["questions"] == [6, 6]
    assert found["auroc_by_kind"].keys() == {"C"}
    assert found["auroc_away"] is None  # nothing was put to other documents
    assert set(found["refused"]) == {90, 70, 50}
    assert 0 <= found["right_first"] <= 1


def test_a_difference_keeps_the_fourth_output_and_an_older_one_loads_without_it(folder: Path, tmp_path: Path) -> None:
    model, other = load_reader(folder), load_reader(folder)
    public = {name: one.clone() for name, one in network.trained(model).items() if name.startswith("encoder.")}
    network.save_difference(tmp_path / "new.safetensors", network.trained(model), public)
    network.put(other, network.load_difference(tmp_path / "new.safetensors", network.trained(other)))
    assert torch.equal(other.denies.weight, model.denies.weight)
    old = {name: one for name, one in network.trained(model).items() if not name.startswith("denies.")}
    network.save_difference(tmp_path / "old.safetensors", old, public)
    assert "denies.weight" not in network.load_difference(tmp_path / "old.safetensors", public)
