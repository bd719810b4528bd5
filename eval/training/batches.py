"""Training examples → padded tensors. For training only."""

import numpy as np
import torch

from eval.training.data import Example
from qa.reader.encode import Encoded, Encoder, token_span

BATCH = 32
PAD_TO = 16  # each new shape costs the CPU library a compilation, once


def encode(encoder: Encoder, example: Example) -> Encoded:
    return encoder.encode(example.question, example.title, example.date, example.text, heading=example.heading)


def collate_groups(groups: list[list[tuple[Example, Encoded]]], padding: int) -> dict[str, torch.Tensor]:
    """Tensors of all passages of several questions, with the number of each one's question and its place there."""
    batch = collate([pair for group in groups for pair in group], padding)
    batch["group"] = torch.tensor([number for number, group in enumerate(groups) for _ in group])
    batch["place"] = torch.tensor([place for group in groups for place in range(len(group))])
    return batch


def collate(group: list[tuple[Example, Encoded]], padding: int) -> dict[str, torch.Tensor]:
    """Tensors of the group, padded to a multiple of PAD_TO; start and end are 0 for no answer, -1 for unknown."""
    width = -(-max(len(encoded.ids) for _, encoded in group) // PAD_TO) * PAD_TO
    ids = np.full((len(group), width), padding, np.int64)
    segments, mask = np.zeros_like(ids), np.zeros_like(ids)
    places = np.zeros((len(group), 2), np.int64)
    for row, (example, encoded) in enumerate(group):
        ids[row, : len(encoded.ids)], segments[row, : len(encoded.ids)], mask[row, : len(encoded.ids)] = (
            encoded.ids,
            encoded.segments,
            1,
        )
        if example.answerable:
            places[row] = (example.span and token_span(encoded, *example.span)) or (-1, -1)
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "segments": torch.from_numpy(segments),
        "start": torch.from_numpy(places[:, 0].copy()),
        "end": torch.from_numpy(places[:, 1].copy()),
        "answerable": torch.tensor([float(example.answerable) for example, _ in group]),
        "denies": torch.tensor([float(example.denies) for example, _ in group]),
        "weight": torch.tensor([example.weight for example, _ in group]),
    }
