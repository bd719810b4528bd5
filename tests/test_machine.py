"""Random operations on a store against a simple model of it: two dictionaries, of files and of uploads.

Whatever is done, in any order, stopped anywhere: the files stand untouched, what a question can see is whole, nothing
is cited that is not there, and a run that is let finish ends in exactly what the model says.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from qa.assistant import Assistant
from qa.check import check_store
from qa.config import Config
from qa.errors import DocumentError
from qa.store.backup import back_up
from qa.store.limits import Limits
from qa.store.place import Store
from tests.invariants import every_promise
from tests.readers import Trusting
from tests.reading import file_text
from tests.stores import Folder, TextEmbedder, equals_folder, published_is_complete
from tests.test_kill import STEPS
from ui.conversations import Conversations, owner_of

NAMES = st.sampled_from(("a.txt", "b.md", "c.txt", "sub/d.md", "sub/ü e.txt", "uploads/f.txt"))
UPLOADS = st.sampled_from(("f.txt", "g.md", "h.txt"))
SIZES = st.integers(4, 16)
ADA = owner_of("user", "ada")


class Stop(BaseException):
    """The process ends here, as far as the store can tell."""


class StoreMachine(RuleBasedStateMachine):
    """See the module's docstring. `files` and `uploads` are the model: name → text."""

    thrown = Bundle("thrown")  # texts that were replaced or deleted, to come back

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="qa-machine-"))
        self.docs, self.place = self.base / "docs", self.base / "the störe"
        self.texts = Folder(self.docs, 1)
        self.files: dict[str, str] = {}
        self.uploads: dict[str, str] = {}
        self.turns = self.touched = 0
        self.config = Config(data_dir=self.base, threads=1)
        self.embedder: Any = TextEmbedder()

    @initialize()
    def begin(self) -> None:
        self.open()

    def open(self) -> None:
        store = Store(self.place, self.docs, limits=Limits(flush_chunks=4))
        self.assistant = Assistant(store, self.config, Trusting(), embedder=self.embedder)
        self.talk = Conversations(self.place / "conversations")

    def teardown(self) -> None:
        self.assistant.close()
        shutil.rmtree(self.base)

    # -- what people do to the folder --------------------------------------------------------------

    def write(self, name: str, text: str) -> None:
        path = self.docs / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
        self.files[name] = text

    @rule(target=thrown, name=NAMES, size=SIZES)
    def add_or_change(self, name: str, size: int) -> str:
        text = self.texts.text(size)
        self.write(name, text)
        return text

    @rule(name=NAMES, text=thrown)
    def restore(self, name: str, text: str) -> None:
        self.write(name, text)

    @rule(name=NAMES, old=NAMES)
    def rename(self, name: str, old: str) -> None:
        if old in self.files and name != old:
            (self.docs / name).parent.mkdir(exist_ok=True)
            os.replace(self.docs / old, self.docs / name)
            self.files[name] = self.files.pop(old)

    @rule(name=NAMES, old=NAMES)
    def copy(self, name: str, old: str) -> None:
        if old in self.files:
            self.write(name, self.files[old])

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if self.files.pop(name, None) is not None:
            (self.docs / name).unlink()

    @rule(name=NAMES, seconds=st.integers(0, 2**31))
    def touch(self, name: str, seconds: int) -> None:
        if name in self.files:
            self.touched += 1  # never the same time twice: with the same size, nothing but `qa check` could tell
            os.utime(self.docs / name, (seconds + self.touched, seconds + self.touched))

    # -- what the product is told to do ------------------------------------------------------------

    @rule()
    def index(self) -> None:
        self.assistant.refresh()
        self.equals_model()
        self.embedder.texts.clear()
        assert not self.assistant.refresh(), "a second run changed something"
        assert not self.embedder.texts, "a second run embedded something"

    @rule(steps=st.integers(0, 30))
    def die_amid_index(self, steps: int) -> None:
        with self.dying(steps), contextlib.suppress(Stop):
            self.assistant.refresh()
        self.reopen()

    @rule()
    def reopen(self) -> None:
        self.assistant.close()
        self.open()

    @rule()
    def check(self) -> None:
        report = check_store(self.place, self.docs, self.config, embedder=self.embedder)
        wrong = [line for line in report.repaired if not line.endswith((" to match the folder.", " were left over."))]
        assert not wrong, "what is only interrupted is not damaged"
        self.equals_model()

    @rule(name=NAMES)
    def ask(self, name: str) -> None:
        text = self.files.get(name) or "the harbour near the bridge"
        every_promise(self.assistant.ask(f"What happened {text[:70]}?"), self.docs, self.place / "uploads")

    @rule(name=UPLOADS, size=SIZES)
    def upload(self, name: str, size: int) -> None:
        text = self.texts.text(size)
        self.assistant.add_upload(name, text.encode())
        self.uploads[name] = text
        self.equals_model()

    @rule(name=UPLOADS, text=thrown)
    def upload_what_is_known(self, name: str, text: str) -> None:
        self.assistant.add_upload(name, text.encode())
        self.uploads[name] = text

    @rule(name=UPLOADS, steps=st.integers(0, 12))
    def fail_amid_upload(self, name: str, steps: int) -> None:
        text = self.texts.text(4)
        with self.dying(steps) as died, contextlib.suppress(Stop):
            self.assistant.add_upload(name, text.encode())
        if not died:
            self.uploads[name] = text
        self.reopen()

    @rule(name=UPLOADS)
    def delete_upload(self, name: str) -> None:
        try:
            self.assistant.delete_upload(f"uploads/{name}")
            assert name in self.uploads
        except DocumentError:
            assert name not in self.uploads
        self.uploads.pop(name, None)

    @rule()
    def converse(self) -> None:
        self.talk.add(ADA, None, self.assistant.ask(""))
        self.turns += 1

    @rule()
    def back_up_and_restore(self) -> None:
        copy = self.base / "backup"
        made = back_up(self.place, copy)
        assert made.vectors
        shutil.rmtree(self.base / "restored", ignore_errors=True)
        copy.rename(self.base / "restored")
        with contextlib.closing(Store(self.base / "restored", self.docs)) as restored:
            published_is_complete(restored)
            before = {one.path: one.sha256 for one in self.assistant.documents()}
            assert {one.path: one.sha256 for one in restored.library.documents()} == before
        assert len(Conversations(self.base / "restored" / "conversations").summaries(ADA)) == self.turns

    @precondition(lambda self: (self.base / "restored").exists())
    @rule()
    def go_on_with_the_backup(self) -> None:
        """Uploads and conversations are then those of its time, and the folder's files those of today."""
        self.assistant.close()
        shutil.rmtree(self.place)
        (self.base / "restored").rename(self.place)
        self.open()
        self.uploads = {one.name: file_text(one) for one in (self.place / "uploads").glob("*")}
        self.turns = len(self.talk.summaries(ADA))

    @rule()
    def lose_the_vectors(self) -> None:
        self.assistant.close()
        shutil.rmtree(self.place / "vectors", ignore_errors=True)
        self.open()
        self.index()

    # -- what holds after each step ----------------------------------------------------------------

    @invariant()
    def files_are_untouched(self) -> None:
        found = {one.relative_to(self.docs).as_posix(): one for one in self.docs.rglob("*") if one.is_file()}
        assert {name: file_text(path) for name, path in found.items()} == self.files
        uploaded = {one.name: file_text(one) for one in (self.place / "uploads").glob("*")}
        assert uploaded == self.uploads

    @invariant()
    def what_a_question_sees_is_whole(self) -> None:
        if hasattr(self, "assistant"):
            published_is_complete(self.assistant.store)

    @invariant()
    def nothing_else_is_left(self) -> None:
        assert not list((self.place / "incoming").glob("*"))
        assert len(list((self.place / "conversations").glob("*/*"))) == self.turns

    def equals_model(self) -> None:
        """What is indexed is what the model says; an upload hides a file of the folder with its name."""
        wanted = {**self.files, **{f"uploads/{name}": text for name, text in self.uploads.items()}}
        assert {one.path for one in self.assistant.documents()} == wanted.keys()
        assert {name: self.assistant.text(name) for name in wanted} == wanted
        equals_folder(self.assistant.store, self.docs)

    @contextlib.contextmanager
    def dying(self, steps: int) -> Any:
        """The store's step with this number, and all later ones, end the process; gives a list, filled when it died."""
        died: list[str] = []
        left = steps

        def counted(name: str, function: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    died.append(name)
                    raise Stop
                return function(*args, **kwargs)

            return call

        store = self.assistant.store
        originals = [(getattr(store, part), name) for part, names in STEPS.items() for name in names]
        for target, name in (*originals, (self.embedder, "embed")):
            setattr(target, name, counted(name, getattr(target, name)))
        try:
            yield died
        finally:
            for target, name in (*originals, (self.embedder, "embed")):
                delattr(target, name)


UNCHECKED = settings(suppress_health_check=list(HealthCheck))


class TestStoreMachine(StoreMachine.TestCase):
    """125 operations, the same in every run."""

    settings = settings(UNCHECKED, max_examples=5, stateful_step_count=25, derandomize=True)


@pytest.mark.slow
class TestStoreMachineLong(StoreMachine.TestCase):
    """1,000 operations, others in every run."""

    settings = settings(UNCHECKED, max_examples=20, stateful_step_count=50, derandomize=False)
