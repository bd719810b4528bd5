"""Collects passages as the reader will see them: training questions are searched for in folders of training articles.

    python -m eval.training.mine TRAIN_DIR OUT.jsonl.gz [--articles 30] [--questions 12000] [--seed 1]

Of each answerable question's hits the best that holds the answer is kept (`found`), and the best MISSES that hold no
answer string and lie outside its paragraph (`mined`: labelled automatically). Of a question that people wrote to be
unanswerable, the best hit that overlaps its paragraph (`mined`). Windows are those of whole documents, over paragraph
ends. Held-out titles are left out. The lines go into `eval.training.pairs.load(…, mined=OUT.jsonl.gz)`.
"""

import gzip
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import click

from eval.training.data import mentions
from eval.training.pairs import Corpus, Pair, load
from qa.assistant import Assistant
from qa.config import Config
from qa.embed import token_ends
from qa.store.place import Store

MISSES = 2  # so many of a question's hits that do not answer it are kept
FEWEST_PASSAGES = 5  # of an article
Place = tuple[str, int]
"""A passage's document and where it begins there."""


def write_folder(corpus: Corpus, titled: dict[str, list[str]], titles: list[str], folder: Path) -> dict[str, Place]:
    """Write each article to a file of its own; returns where each passage begins."""
    places = {}
    for number, title in enumerate(titles):
        name, text = f"{number:04}.txt", title
        for key in titled[title]:
            text += "\n\n"
            places[key] = (name, len(text))
            text += corpus.passages[key].text
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return places


def lines_of(assistant: Assistant, pair: Pair, place: Place, length: int) -> Iterator[dict[str, Any]]:
    """The training rows that the pair's hits give, best first."""
    document, offset = place
    misses = 0
    has_found = False
    for hit in assistant.search(pair.question):
        passage = hit.passage
        start, end, text = passage.start, passage.end, passage.text
        is_there = passage.document == document and start < offset + length and offset < end
        line = {"id": f"{pair.id}@{start}", "question": pair.question, "title": passage.title, "text": text}
        if pair.answerable and is_there:
            spans = [(a + offset - start, b + offset - start) for a, b in pair.spans]
            inside = [(a, b) for a, b in spans if a >= 0 and b <= end - start]
            if inside and not has_found:
                has_found = True
                yield line | {"kind": "found", "answers": list(pair.answers), "span": inside[0]}
        elif is_there or (pair.answerable and not mentions(text, pair)):
            misses += 1
            if misses <= (MISSES if pair.answerable else 1):
                yield line | {"kind": "mined", "answers": [], "span": None}


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--articles", default=30, show_default=True, help="In a folder.")
@click.option("--questions", default=12_000, show_default=True)
@click.option("--unanswerable-percent", default=25, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(
    source: Path, out: Path, articles: int, questions: int, unanswerable_percent: int, threads: int, seed: int
) -> None:
    random = Random(seed)
    corpus = load(source, token_ends)
    titled: dict[str, list[str]] = defaultdict(list)
    for passage in corpus.passages.values():
        titled[passage.title].append(passage.id)
    titles = sorted(title for title, keys in titled.items() if title and len(keys) >= FEWEST_PASSAGES)
    random.shuffle(titles)
    kept = {key for title in titles for key in titled[title]}
    asked: dict[str, list[Pair]] = defaultdict(list)
    unanswerable = questions * unanswerable_percent // 100
    for kind, count in (("answer", questions - unanswerable), ("unanswerable", unanswerable)):
        pool = [pair for pair in corpus.pairs[kind] if pair.passage in kept and (pair.answers or not pair.answerable)]
        for pair in random.sample(pool, min(count, len(pool))):
            asked[corpus.passages[pair.passage].title].append(pair)
    folders = [titles[at : at + articles] for at in range(0, len(titles), articles)]
    with gzip.open(out, "wt", encoding="utf-8") as file, click.progressbar(folders, label="folders") as bar:
        for folder in bar:
            with tempfile.TemporaryDirectory() as scratch:
                (docs := Path(scratch, "docs")).mkdir()
                places = write_folder(corpus, titled, folder, docs)
                config = Config(data_dir=Path(scratch), threads=threads)
                assistant = Assistant(Store(Path(scratch, "store"), docs), config)
                assistant.refresh()
                for pair in (pair for title in folder for pair in asked[title]):
                    length = len(corpus.passages[pair.passage].text)
                    for line in lines_of(assistant, pair, places[pair.passage], length):
                        file.write(json.dumps(line) + "\n")
                assistant.close()


if __name__ == "__main__":
    main()
