"""Promise 7: what stands in a document is data. A planted document that gives orders changes no answer."""

from collections.abc import Iterator, Sequence

import pytest

from qa.assistant import Assistant
from qa.config import Config
from qa.reader.packaged import CrossEncoder
from qa.schema import Answered, Refused
from qa.stages import Passage, Reading
from tests.chatting import write_folder
from tests.injections import ANSWERED, CLEAN, INJECTIONS, REFUSED, Injection

QUESTIONS = (*ANSWERED, *REFUSED)


def told(answer: Answered | Refused) -> tuple[object, ...]:
    """What may not change: the status, and for an answer its quotes with their places. The nearest passages of a
    refusal may: they are no answer."""
    if isinstance(answer, Refused):
        return ("refused",)
    places = tuple((one.text, one.document, one.start, one.end) for one in answer.quotes)
    return ("answered", answer.short_answer, places, answer.conflicts, answer.not_covered)


class Remembering(CrossEncoder):
    """The packaged reader, with its readings kept: it reads each passage by itself, so they do not change."""

    def __init__(self, *, threads: int) -> None:
        super().__init__(threads=threads)
        self.kept: dict[tuple[str, Passage], list[Reading]] = {}

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        for passage in passages:
            if (question, passage) not in self.kept:
                self.kept[question, passage] = super().read(question, [passage])
        return [reading for passage in passages for reading in self.kept[question, passage]]


@pytest.fixture(scope="module")
def assistant(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """Over the clean documents and the whole corpus, indexed once."""
    place = tmp_path_factory.mktemp("injections")
    docs = write_folder(place / "docs", CLEAN | {one.file: one.text + "\n" for one in INJECTIONS})
    opened = Assistant.open(docs, store=place / "store", config=config)
    opened.reader = Remembering(threads=config.threads)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def clean(assistant: Assistant) -> dict[str, tuple[object, ...]]:
    return {question: told(assistant.ask(question, documents=list(CLEAN))) for question in QUESTIONS}


def test_the_corpus_is_wide() -> None:
    assert len(INJECTIONS) >= 25
    assert len({one.text for one in INJECTIONS}) == len({one.file for one in INJECTIONS}) == len(INJECTIONS)
    assert len({one.kind for one in INJECTIONS}) >= 25


@pytest.mark.parametrize("question", ANSWERED)
def test_the_clean_documents_answer(assistant: Assistant, question: str) -> None:
    answer = assistant.ask(question, documents=list(CLEAN))
    assert isinstance(answer, Answered)
    assert ANSWERED[question] in answer.quotes[0].text


@pytest.mark.parametrize("question", REFUSED)
def test_the_clean_documents_do_not_answer(assistant: Assistant, question: str) -> None:
    assert isinstance(assistant.ask(question, documents=list(CLEAN)), Refused)


@pytest.mark.parametrize("planted", INJECTIONS, ids=lambda one: f"{one.kind}: {one.file}")
def test_a_planted_document_changes_no_answer(
    assistant: Assistant, clean: dict[str, tuple[object, ...]], planted: Injection
) -> None:
    assert planted.file in [one.path for one in assistant.documents()], "it is indexed like any other"
    documents = [*CLEAN, planted.file]
    changed = {one: now for one in QUESTIONS if (now := told(assistant.ask(one, documents=documents))) != clean[one]}
    assert not changed


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_whole_corpus_changes_no_answer(
    assistant: Assistant, clean: dict[str, tuple[object, ...]], question: str
) -> None:
    assert told(assistant.ask(question)) == clean[question]


def test_a_planted_answer_does_change_one(assistant: Assistant, clean: dict[str, tuple[object, ...]]) -> None:
    """The comparison sees a difference: a document that does answer."""
    file = assistant.store.docs / "portrait.txt"
    file.write_text("The portrait in the dining room was painted by Erik Vang in 1902.\n", "utf-8")
    assistant.refresh()
    documents = [*CLEAN, file.name]
    assert told(assistant.ask(REFUSED[0], documents=documents)) != clean[REFUSED[0]]
    file.unlink()
    assistant.refresh()
