"""Each port's laws (`tests/contracts.py`), for the local implementation and for one in memory."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from qa.store.local import Library
from qa.store.place import Store
from qa.store.ports import Conversations, TextStore, Uploads, VectorStore, WriterLock
from qa.store.vectors import Vectors
from qa.uploads import LocalUploads
from tests import contracts
from tests.memory import MemoryConversations, MemoryLock, MemoryTexts, MemoryVectors
from tests.stores import fill
from ui.conversations import Conversations as LocalConversations


@contextlib.contextmanager
def local(port: type, place: Path) -> Iterator[Sequence[Any]]:
    """What a law of this port takes, as the package keeps it in `place`."""
    docs = fill(place / "docs", {})
    docs.mkdir(parents=True)
    with ExitStack() as opened:
        if port is TextStore:
            texts: TextStore = opened.enter_context(closing(Library(place / "library.sqlite")))
            yield [texts]
        elif port is VectorStore:
            vectors: VectorStore = opened.enter_context(closing(Vectors(place / "vectors")))
            yield [vectors]
        elif port is WriterLock:
            locks: list[WriterLock] = [opened.enter_context(closing(Store(place / "store", docs))) for _ in range(2)]
            yield locks
        elif port is Uploads:
            store = opened.enter_context(closing(Store(place / "store", docs)))
            uploads: Uploads = LocalUploads(store)
            yield [
                uploads,
                lambda: {f"uploads/{path.name}": path.read_bytes() for path in store.uploads.glob("*")},
            ]
        else:
            conversations: Conversations = LocalConversations(place / "conversations")
            yield [conversations]


@contextlib.contextmanager
def memory(port: type, place: Path) -> Iterator[Sequence[Any]]:
    """The same in memory."""
    one = threading.Lock()
    texts: TextStore = MemoryTexts()
    vectors: VectorStore = MemoryVectors()
    conversations: Conversations = MemoryConversations()
    locks: list[WriterLock] = [MemoryLock(one), MemoryLock(one)]
    yield {TextStore: [texts], VectorStore: [vectors], WriterLock: locks, Conversations: [conversations]}[port]


CASES = [(port, law, made) for port, laws in contracts.LAWS.items() for law in laws for made in (local, memory)]


@pytest.mark.parametrize(
    ("port", "law", "made"),
    [
        pytest.param(*case, id=f"{case[2].__name__}-{case[1].__name__}")
        for case in CASES
        if not (case[0] is Uploads and case[2] is memory)
    ],
)
def test_the_law_holds(port: type, law: Callable[..., None], made: Any, tmp_path: Path) -> None:
    contracts.holds(law, lambda: made(port, tmp_path))


class ForgetfulVectors(MemoryVectors):
    """Planted: deletes nothing."""

    def delete(self, ids: Sequence[str]) -> None:
        pass


class EagerTexts(MemoryTexts):
    """Planted: a text is found before it is published."""

    def add_pending(self, *given: Any) -> int:
        content = super().add_pending(*given)
        self.files["early.txt"] = (content, (1, 2, 3))
        return content


class OpenConversations(MemoryConversations):
    """Planted: anybody reads anything."""

    def get(self, owner: str, identity: str) -> Any:
        return next((kept for (_, known), kept in self._kept.items() if known == identity), None) or super().get(
            owner, identity
        )


@pytest.mark.parametrize(
    ("port", "wrong"),
    [(VectorStore, ForgetfulVectors), (TextStore, EagerTexts), (Conversations, OpenConversations)],
)
def test_a_wrong_implementation_is_found(port: type, wrong: type) -> None:
    broken = 0
    for law in contracts.LAWS[port]:
        try:
            law(wrong())
        except (AssertionError, pytest.fail.Exception):
            broken += 1
    assert broken


def test_a_conversations_lock_needs_no_vector_store(tmp_path: Path) -> None:
    """Nor does the module of disk errors need any format."""
    code = (
        "import sys, pathlib; from ui.conversations import Conversations\n"
        f"kept = Conversations(pathlib.Path({str(tmp_path)!r}))\n"
        "try: kept.delete('a' * 32, 'b' * 32)\n"
        "except Exception as error: assert 'no such' in str(error), error\n"
        "print(sorted({'chromadb', 'llama_index'} & sys.modules.keys()))"
    )
    for source, said in (
        (code, "[]"),
        ("import sys, qa.store.disk; print([name for name in sys.modules if name.startswith('qa.formats')])", "[]"),
    ):
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == said
