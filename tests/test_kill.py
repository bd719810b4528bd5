"""Promise 6: kill -9 at random points: nothing lost, nothing cited that is gone, the next run completes.

A fork server imports everything once, without opening a model or a store; each run is forked from it, so that
a thousand of them take minutes. Runs use the real SQLite and Chroma, which is told to write its index files
every few vectors, and an embedder whose vectors tell their text. Kills come from outside: at a random time of the
run, a random moment after one of its steps, or exactly at that step, where the run waits to be killed. The steps are
taken from the stage that was killed least often so far, so that each has its share on any machine.
"""

import collections
import os
import random
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from qa.assistant import Assistant
from qa.config import Config
from qa.indexing import sync
from qa.store.place import Store
from tests.invariants import every_promise
from tests.readers import Trusting
from tests.stores import OFTEN, Child, Folder, TextEmbedder, equals_folder, published_is_complete

CHAINS = 4
AT_ONCE = 2
STEPS = {
    "library": ("drop", "add_pending", "publish", "resign", "set_skipped", "purge", "forget_doomed"),
    "vectors": ("are_sound", "destroy", "missing", "add", "delete", "count"),
}
STAGES = {
    "before anything is stored": ("open>", "open<", "are_sound>", "are_sound<", "drop>", "drop<", "resign>", "resign<"),
    "text without vectors": ("add_pending>", "add_pending<", "missing>", "missing<", "embed>", "embed<"),
    "amid writing vectors": ("add>",),
    "vectors not published": ("add<", "publish>"),
    "partly published": ("publish<",),
    "clearing away": tuple(
        f"{step}{end}" for step in ("set_skipped", "purge", "delete", "forget_doomed", "count") for end in "<>"
    ),
}
STAGE_OF = {step: stage for stage, steps in STAGES.items() for step in steps}


def index(place: Path, docs: Path, wait_in: str, times: int, steps: Connection) -> None:
    """One run, each of its steps noted as it begins (>) and ends (<); it goes no further than stage `wait_in`'s
    step number `times`. The other threads end at most the step that they are in.
    """
    held, counting = threading.Event(), threading.Lock()

    def note(step: str) -> None:
        nonlocal times
        if held.is_set():
            time.sleep(600)
        os.write(steps.fileno(), f"{step}\n".encode())
        if STAGE_OF.get(step) == wait_in:
            with counting:
                times -= 1
                here = not times
            if here:
                held.set()
                time.sleep(600)

    def noted(step: str, function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            note(f"{step}>")
            result = function(*args, **kwargs)
            note(f"{step}<")
            return result

        return call

    note("open>")
    store = Store(place, docs, limits=OFTEN)
    note("open<")
    embedder = TextEmbedder()
    for part, names in STEPS.items():
        for name in names:
            target = getattr(store, part)
            setattr(target, name, noted(name, getattr(target, name)))
    embedder.embed = noted("embed", embedder.embed)  # type: ignore[method-assign]
    sync(store, embedder, Config(data_dir=place, threads=1))  # type: ignore[arg-type]
    store.close()
    note("end<")


def check(place: Path, docs: Path, to_complete: Path, ask: bool, report: Connection) -> None:
    """What a process finds in the store as the killed one left it; then the next run, and one with nothing to do."""
    config = Config(data_dir=place, threads=1)
    embedder: Any = TextEmbedder()
    try:
        amid_call = "busy" in (place / "vectors.state").read_text() if (place / "vectors.state").exists() else False
        with closing(Store(place, docs, limits=OFTEN)) as store:
            sound = store.vectors.are_sound()
            report.send("torn" if not sound else "amid a call to Chroma" if amid_call else "between calls")
            if sound:
                published_is_complete(store)
            if ask and sound:
                assistant = Assistant(store, config, Trusting(), embedder=embedder)
                for name in sorted(os.listdir(docs))[:2]:
                    every_promise(assistant.ask(f"What happened {(docs / name).read_text()[:80]}?"), docs)
        with closing(Store(to_complete, docs, limits=OFTEN)) as store:
            sync(store, embedder, config)
            equals_folder(store, docs)
            embedder.texts.clear()
            assert not sync(store, embedder, config), "a second run changed something"
            assert not embedder.texts, "a second run embedded something"
        report.send("fine")
    except BaseException as error:
        report.send(f"{type(error).__name__}: {error}")
        raise


class Chain:
    """One store and its folder through many kills."""

    def __init__(self, base: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.base = base
        self.place = base / "the störe"
        self.folder = Folder(base / "docs", seed)
        for _ in range(9):
            self.folder.change()
        self.stages: collections.Counter[str] = collections.Counter()
        self.found: collections.Counter[str] = collections.Counter()
        self.span_s = 0.5  # of the last run that was not killed

    def run(self, kills: int) -> None:
        while self.stages.total() < kills:
            for _ in range(self.rng.randrange(1, 4)):
                self.folder.change()
            stage = self.killed_run()
            if stage is None:
                continue  # it had ended before
            self.stages[stage] += 1
            to_complete = self.place
            if self.rng.random() < 0.5:  # on a copy: the next kill meets a store that is not whole
                to_complete = self.base / "copy"
                shutil.rmtree(to_complete, ignore_errors=True)
                shutil.copytree(self.place, to_complete)
            self.check(to_complete, ask=self.stages.total() % 8 == 0)

    def killed_run(self) -> str | None:
        """Where the run was killed; None where it had ended before."""
        how = self.rng.choices(("at a time", "behind a step", "at a step"), (40, 40, 20))[0]
        stage, times = min(STAGES, key=lambda one: (self.stages[one], self.rng.random())), self.rng.randrange(1, 4)
        child = Child(index, self.place, self.folder.path, stage if how == "at a step" else "", times)
        reading = child.reading
        steps = os.read(reading.fileno(), 1)  # it has begun
        began = time.monotonic()
        if how == "at a time":
            time.sleep(self.rng.uniform(0, self.span_s))
        else:
            while sum(STAGE_OF.get(step) == stage for step in steps.decode().split()) < times:
                if not (more := os.read(reading.fileno(), 4096)):
                    break
                steps += more
            if how == "behind a step":
                time.sleep(self.rng.choice((0, self.rng.uniform(0, 0.02))))
        child.kill()
        while more := os.read(reading.fileno(), 4096):
            steps += more
        reading.close()
        last = steps.decode().split()[-1]
        if last == "end<":
            self.span_s = time.monotonic() - began
            return None
        assert child.process.exitcode == -signal.SIGKILL, f"the run failed by itself after {last}"
        return STAGE_OF.get(last, last)

    def check(self, to_complete: Path, *, ask: bool) -> None:
        child = Child(check, self.place, self.folder.path, to_complete, ask)
        said = child.said()
        self.found[said[0]] += 1
        assert said[-1] == "fine", f"after {dict(self.stages)}: {said} (exit code {child.process.exitcode})"


@pytest.mark.parametrize("kills", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_kill_minus_nine_anywhere(tmp_path: Path, kills: int) -> None:
    chains = [Chain(tmp_path / str(seed), seed) for seed in range(CHAINS)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda chain: chain.run(kills // CHAINS), chains))
    stages = sum((chain.stages for chain in chains), collections.Counter())
    found = sum((chain.found for chain in chains), collections.Counter())
    print(dict(stages), dict(found))
    assert stages.total() >= kills
    for stage in STAGES:
        assert stages[stage] >= kills // 40, f"no kill {stage!r}: {dict(stages)}"
    assert found["amid a call to Chroma"] >= kills // 40
    assert found["between calls"] >= kills // 40
