"""Endless batches of training examples, the same for the same seed, from any step on. For training only."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from random import Random

import torch

from eval.training import data, own
from eval.training.batches import collate, collate_groups, encode
from eval.training.cell_names import with_cell_names
from eval.training.data import Example
from eval.training.own import OwnWords
from eval.training.pairs import Corpus
from qa.reader.encode import Encoder
from qa.rows import is_row

Batch = dict[str, torch.Tensor]
NAMED_TABLES = 0.65  # of the made-up tables are read with the names of their columns in front of the cells


def pair_batches(
    corpus: Corpus,
    encoder: Encoder,
    *,
    seed: int,
    from_step: int,
    first_block: int = 0,
    without: Collection[str] = (),
    size: int,
) -> Iterator[Batch]:
    """Batches of single passages from `from_step` on: blocks in order, in a batch passages of similar length."""
    number, done = divmod(from_step, -(-data.BLOCK // size))
    while True:
        block = data.block(corpus, first_block + number, seed=seed, without=without)
        random = Random(f"{seed}:{number}:names")
        examples = [_named_table(example, random) for example in block]
        coded = [(example, encode(encoder, example)) for example in examples]
        coded.sort(key=lambda pair: len(pair[1].ids))
        batches = [coded[at : at + size] for at in range(0, len(coded), size)]
        Random(f"{seed}:{number}:batches").shuffle(batches)
        for batch in batches[done:]:
            yield collate(batch, encoder.padding)
        number, done = number + 1, 0


def group_batches(questions: OwnWords, encoder: Encoder, *, seed: int, from_step: int, size: int) -> Iterator[Batch]:
    """As `pair_batches`, of whole groups: as many in a batch as have about `size` passages."""
    count = max(1, round(size / own.SIZE))
    number, done = divmod(from_step, -(-own.BLOCK // count))
    while True:
        groups = own.block(questions, number, seed=seed)
        coded = [[(example, encode(encoder, example)) for example in group] for group in groups]
        coded.sort(key=lambda group: max(len(encoded.ids) for _, encoded in group))
        batches = [coded[at : at + count] for at in range(0, len(coded), count)]
        Random(f"{seed}:{number}:groups").shuffle(batches)
        for batch in batches[done:]:
            yield collate_groups(batch, encoder.padding)
        number, done = number + 1, 0


def _named_table(example: Example, random: Random) -> Example:
    """Some examples of made-up tables with the names of their columns in front of the cells."""
    if not example.kind.endswith(("table", "tabled")) or random.random() > NAMED_TABLES:
        return example
    lines, start = list[tuple[int, int]](), 0
    for line in example.text.split("\n"):
        lines.append((start, start + len(line)))
        start += len(line) + 1
    *path, last = example.heading.split(" › ")
    if is_row(last):
        header, heading = last, " › ".join(path)
    elif len(lines) > 1 and all(is_row(example.text[slice(*lines[at])]) for at in (0, -1)):
        header, heading = example.text[slice(*lines[0])], example.heading
        lines = lines[1:]
    else:
        return example
    text, span = with_cell_names(example.text, [(*line, header) for line in lines], example.span)
    return replace(example, text=text, span=span, heading=heading)
