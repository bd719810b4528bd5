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
            fused = assistant.retriever(question.documents(reach))
            for way, retriever in (("words", fused.keyword), ("meaning", fused.dense), ("fused", fused)):
                hits = [
                    (hit.node.metadata["document"], hit.node.start_char_idx, hit.node.end_char_idx)  # type: ignore[attr-defined]
                    for hit in retriever.retrieve(question.text)[: config.read_hits]
                ]
                is_found = all(any(touches(hit, place) for hit in hits for place in part) for part in question.parts)
                for kind in (question.kind, ALL):
                    found[kind][way].append(is_found)
            show(number, len(answerable))
    return {
        kind: {"questions": len(ways["fused"]), **{way: metrics.mean(some) for way, some in ways.items()}}
        for kind, ways in sorted(found.items())
    }
