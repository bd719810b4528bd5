"""How often a passage that answers is among the first that search finds: by words, by meaning, and fused."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from eval import metrics
from eval.benchmarks.benchmark import Show
from eval.benchmarks.outcomes import touches
from eval.benchmarks.questions import Question, Reach
from qa.assistant import Assistant
from qa.config import Config
from qa.search import Search
from qa.stages import Passage
from qa.store.place import Store

ALL = "all"


def recall(
    questions: Sequence[Question], scratch: Path, config: Config, *, reach: Reach, show: Show
) -> dict[str, dict[str, float | None]]:
    """Kind → the share (0–1) of its answerable questions with a place of each part among the first passages, by way.

    `scratch` holds the folder `docs` of the questions; as many passages count as the product reads. `reach` says in
    which documents. The question is searched for as it stands; the product parts one that asks
    two things.
    """
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    with closing(Assistant(Store(scratch / "store", scratch / "docs"), config)) as assistant:
        assistant.refresh()
        answerable = [question for question in questions if question.parts]
        for number, question in enumerate(answerable, 1):
            documents = question.documents(reach)
            for way, passages in _by_way(assistant, question.text, documents, config.read_hits).items():
                places = [(passage.document, passage.start, passage.end) for passage in passages]
                is_found = all(
                    any(touches(place, gold) for place in places for gold in part) for part in question.parts
                )
                for kind in (question.kind, ALL):
                    found[kind][way].append(is_found)
            show(number, len(answerable))
    return {
        kind: {"questions": len(ways["fused"]), **{way: metrics.mean(some) for way, some in ways.items()}}
        for kind, ways in sorted(found.items())
    }


def _by_way(
    assistant: Assistant, question: str, documents: Sequence[str] | None, count: int
) -> dict[str, list[Passage]]:
    """The first passages that each way finds."""
    texts = assistant.store.library
    search = Search(texts, assistant.store.vectors, assistant.embedder, assistant.config)
    rankings = {"words": search.by_words(question, documents), "meaning": search.by_meaning(question, documents)}
    found = {
        way: texts.passages([chunk for chunk, _ in ranking[:count]], documents) for way, ranking in rankings.items()
    }
    return found | {"fused": [hit.passage for hit in search.hits(question, documents)[:count]]}
