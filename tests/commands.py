"""The command lines, run in this process by click's runner: without a new interpreter and its imports."""

import gc
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from qa.store.place import Store
from tests.conftest import ROOT


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def _undoing() -> Iterator[None]:
    """Undo what a command leaves to the end of its process: open stores, frozen garbage, a handler of Ctrl-C."""
    opened: list[Store] = []
    make, interrupt = Store.__init__, signal.getsignal(signal.SIGINT)

    def noted(self: Store, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        opened.append(self)

    Store.__init__ = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Store.__init__ = make  # type: ignore[method-assign]
        for store in opened:
            store.close()
        gc.unfreeze()
        signal.signal(signal.SIGINT, interrupt)


def invoke(
    command: click.Command, *args: str | Path, stdin: str | bytes = "", cwd: Path = ROOT, **environment: str
) -> Done:
    """Run a command in `cwd`. Raises what the command raises: of a process it would be a traceback."""
    words = [os.fspath(one) for one in args]
    with chdir(cwd), _undoing():
        result = CliRunner().invoke(command, words, input=stdin, env=environment)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    traceback.clear_frames(result.exc_info[2] if result.exc_info else None)  # what it opened, models too, is let go
    # Not `result.stdout`, which replaces line ends.
    return Done(result.exit_code, result.stdout_bytes.decode(), result.stderr_bytes.decode())
