"""What a question costs when the collection grows tenfold, in work rather than seconds.

SQLite counts its own steps; of what it does inside its word index it says nothing, so there rows and statements count.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa.config import Config
from qa.embed import DIMENSIONS
from qa.folder import File
from qa.schema import Chunk, Document, Kind, Sentence
from qa.search import Search
from qa.store.limits import Limits
from qa.store.local import Library
from qa.text import text_sha256
from tests.stores import WORDS, statements

SMALL, LARGE = 150, 1500  # documents, of two chunks each
MOST = 2  # times the work, where the collection is ten times as large: trees are deeper, and indexes in more parts


def publish(library: Library, number: int) -> None:
    """A document of two sentences, a chunk each; one word of it stands in all, one in few, one nowhere else."""
    first = f"The report on the {WORDS[number % len(WORDS)]} has the number x{number}x."
    text = f"{first} It was filed by the council in the {WORDS[number * 7 % len(WORDS)]}."
    halves = [(0, len(first)), (len(first) + 1, len(text))]
    document = Document(name(number), text, text_sha256(text), f"Report {number}", None, None, "utf-8", ())
    chunks = [Chunk(f"{number:05}-{start}-{end}", start, end) for start, end in halves]
    content = library.add_pending(f"{number:05}", document, [Sentence(start, end) for start, end in halves], chunks)
    library.publish(content, File(Path(name(number)), name(number), (1, 2, number)))


def name(number: int) -> str:
    return f"{number:05}.txt"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Library, Library]]:
    folder = tmp_path_factory.mktemp("growth")
    with closing(Library(folder / "small.sqlite")) as small, closing(Library(folder / "large.sqlite")) as large:
        for library, documents in ((small, SMALL), (large, LARGE)):
            for number in range(documents):
                publish(library, number)
        yield small, large


def steps(library: Library, action: Callable[[Library], Any]) -> int:
    """How many steps of SQLite's machine the action takes, once the store has been asked before."""
    action(library)
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    with library.read() as db:
        db.set_progress_handler(step, 1)
        try:
            action(library)
        finally:
            db.set_progress_handler(None, 1)
    return taken


ACTIONS: dict[str, Callable[[Library], Any]] = {
    "is there anything to ask": lambda library: library.count_chunks(),
    "is there enough for a filter": lambda library: library.count_chunks([name(1), name(2)], max_count=31),
    "passages": lambda library: library.passages(library_ids(library)),
    "passages under a filter": lambda library: library.passages(library_ids(library), [name(1), name(2)]),
    "words of a question": lambda library: library.search("Which report has x7x?", 30),
    "the same documents as before": lambda library: library.fingerprint(),
    "stale": lambda library: library.known([name(number) for number in range(12)]),
    "context": lambda library: library.context(1, 0, 20),
    "headings": lambda library: library.heading(1, 20),
}


def library_ids(library: Library) -> list[str]:
    return [chunk.id for content in range(1, 16) for chunk in library.chunks_of(content)]


@pytest.mark.parametrize("action", ACTIONS)
def test_no_step_of_a_question_grows_with_the_collection(action: str, libraries: tuple[Library, Library]) -> None:
    limits = Limits(common_chunks=20)  # as if both were large
    taken = []
    for library in libraries:
        with closing(Library(library.path, limits)) as opened:
            taken.append(steps(opened, ACTIONS[action]))
    small, large = taken
    assert 0 < large <= MOST * small + 20, (small, large)


def test_the_filter_is_not_walked_for_every_ranking(libraries: tuple[Library, Library]) -> None:
    _, large = libraries
    ids = library_ids(large)
    few = steps(large, lambda library: library.passages(ids, [name(1)]))
    many = steps(large, lambda library: library.passages(ids, [name(number) for number in range(LARGE)]))
    assert many <= few * (len(ids) / 2) + 200, "a filter costs steps for what it lets through, not for its length"
    counted = steps(
        large, lambda library: library.count_chunks([name(number) for number in range(LARGE)], max_count=31)
    )
    whole = steps(large, lambda library: library.count_chunks([name(number) for number in range(LARGE)]))
    assert counted < whole


def test_only_the_passages_that_are_asked_for_are_read(
    libraries: tuple[Library, Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, large = libraries
    ids = large.chunk_ids()
    read: list[int] = []
    text = Library.text
    monkeypatch.setattr(Library, "text", lambda self, content: read.append(content) or text(self, content))
    assert [passage.chunk for passage in large.passages(ids[:3])] == ids[:3]
    assert len(read) == 3
    places = large.places(ids, [name(number) for number in range(700, 720)])
    assert len(places) == 40
    assert len(read) == 3, "no text is read for places"


def matched(library: Library, question: str) -> list[str]:
    """The terms that the word index is asked for, rarest first."""
    (sql,) = (one for one in statements(library, lambda: library.search(question, 5)) if " MATCH " in one)
    return sql.partition(" MATCH '")[2].partition("'")[0].split(" OR ")


def test_the_words_that_are_scored_stand_in_a_bounded_number_of_chunks(
    libraries: tuple[Library, Library],
) -> None:
    _, large = libraries
    asked = f"report council x1x x2x {' '.join(WORDS)}"
    with closing(Library(large.path, Limits(common_chunks=10**6))) as opened:
        everything = matched(opened, asked)
    with closing(Library(large.path, Limits(common_chunks=10**6, max_matches=250))) as opened:
        bounded = matched(opened, asked)
        only = matched(opened, "report"), opened.search("report", 5)
    with large.read() as db:
        count = "SELECT count(*) FROM words WHERE words MATCH ?"
        assert sum(db.execute(count, (one,)).fetchone()[0] for one in bounded) <= 250 < LARGE
    assert bounded == everything[: len(bounded)], "the rarest stay"
    assert bounded[:2] == ['"x1x"', '"x2x"']
    assert only[0] == ['"report"'], "one term is always asked for"
    assert only[1]


def test_a_common_term_is_counted_once(libraries: tuple[Library, Library]) -> None:
    small, _ = libraries
    small.search("the report of the quarry", 5)
    asked = statements(small, lambda: small.search("a quarry without a report", 5))
    assert not [one for one in asked if "FROM terms" in one]
    assert not [one for one in asked if "count(*) FROM chunks" in one]
    assert [one for one in asked if "MATCH" in one], "nothing was seen"
    unheard = " ".join(f"unheard{number}" for number in range(50))
    for _ in range(2):
        counted = [one for one in statements(small, lambda: small.search(unheard, 5)) if "FROM terms" in one]
        assert len(counted) == 50, "what nobody wrote is not remembered"


def test_counts_follow_the_store(tmp_path: Path) -> None:
    def of(library: Library) -> tuple[int, list[str], list[tuple[str, float]]]:
        """How many chunks there are, and what follows from how many hold a word: the order of terms, and scores."""
        return library.count_chunks(), matched(library, "report x3x"), library.search("report x3x", 9)

    with closing(Library(tmp_path / "library.sqlite")) as library:
        for step in (
            lambda: publish(library, 1),
            lambda: [publish(library, number) for number in range(2, 9)],
            lambda: library.drop([name(3)]),
            lambda: library.purge(),  # changes the word index and not the documents
            lambda: publish(library, 3),
        ):
            step()
            with closing(Library(tmp_path / "library.sqlite")) as fresh:
                assert of(library) == of(fresh)
        assert of(library)[:2] == (16, ['"x3x"', '"report"'])


def headed(library: Library, levels: list[int]) -> tuple[int, list[int]]:
    """A document of a heading and a sentence for each level; returns its content and where the sentences begin."""
    text, sentences, places = "", [], []
    for number, level in enumerate(levels):
        start = len(text)
        text += f"{'#' * level} h{number}\n"
        sentences.append(Sentence(start, len(text) - 1, "heading", level))
        places.append(len(text))
        sentences.append(Sentence(len(text), len(text) + 4))
        text += "It.\n\n"
    document = Document("x.md", text, text_sha256(text), "x", None, None, "utf-8", ())
    return library.add_pending(text_sha256(text), document, sentences, []), places


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(levels=st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_a_place_stands_under_every_heading_that_none_behind_it_ends(
    levels: list[int], libraries: tuple[Library, Library]
) -> None:
    library, _ = libraries
    state = library.content_state(text_sha256("".join(f"{'#' * o} h{n}\nIt.\n\n" for n, o in enumerate(levels))))
    content, places = (state[0], None) if state else headed(library, levels)
    for last, place in enumerate(places or []):
        under = [n for n in range(last + 1) if all(levels[n] < levels[m] for m in range(n + 1, last + 1))]
        assert library.heading(content, place) == " › ".join(f"h{n}" for n in under)


def test_the_chapters_before_are_not_walked_for_a_heading(libraries: tuple[Library, Library]) -> None:
    library, _ = libraries
    content, places = headed(library, [1, 2, 3, 2] * 500)
    assert library.heading(content, places[-1]) == "h1996 › h1999"
    late = steps(library, lambda it: it.heading(content, places[-1]))
    assert late <= MOST * steps(library, lambda it: it.heading(content, places[3])) + 20


def kinds(library: Library, of: list[Kind]) -> int:
    """A document with a sentence of each kind; the one at place n begins at 4 * n."""
    text = f"{len(of)} {of}".ljust(4 * len(of))
    document = Document("x.md", text, text_sha256(text), "x", None, None, "utf-8", ())
    sentences = [Sentence(4 * n, 4 * n + 3, kind) for n, kind in enumerate(of)]
    known = library.content_state(text_sha256(text))
    return known[0] if known else library.add_pending(text_sha256(text), document, sentences, [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(of=st.lists(st.sampled_from(["row", "row", "rule", "text", "heading"]), min_size=1, max_size=12))
def test_the_header_is_the_first_row_of_the_same_table(of: list[Kind], libraries: tuple[Library, Library]) -> None:
    library, _ = libraries
    content = kinds(library, of)
    for at in (n for n, kind in enumerate(of) if kind == "row"):
        first = at
        while first and of[first - 1] in ("row", "rule"):
            first -= 1
        rows = [n for n in range(first, at) if of[n] == "row"]
        found = library.header_row(content, 4 * at)
        assert (found and found.start) == (4 * rows[0] if rows else None)


class Scripted:
    """Vectors whose nearest are the ids in order; counts what is asked of them."""

    def __init__(self, ids: list[str]) -> None:
        self.ids, self.asked = ids, []

    def nearest(self, vector: Any, limit: int) -> list[tuple[str, float]]:
        self.asked.append(limit)
        return [(one, 1 - rank / 10**6) for rank, one in enumerate(self.ids[:limit])]

    def embed_question(self, question: str) -> Any:
        return np.eye(1, DIMENSIONS, dtype=np.float32)[0]


def test_a_filter_far_from_the_question_reads_no_more_passages_than_it_returns(
    libraries: tuple[Library, Library], monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    _, large = libraries
    vectors: Any = Scripted(large.chunk_ids())
    loaded: list[str] = []
    passages = large.passages
    monkeypatch.setattr(large, "passages", lambda ids, documents: loaded.extend(ids) or passages(ids, documents))
    allowed = [name(number) for number in range(800, LARGE)]
    search = Search(large, vectors, vectors, config, exact_chunks=10)
    assert len(search.by_meaning("anything", allowed)) == config.dense_hits == 30
    assert not loaded
    assert vectors.asked == [30, 120, 480, 1920]
    assert len(search.hits("anything", allowed)) == len(loaded) == config.fused_hits
