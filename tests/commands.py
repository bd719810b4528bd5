"""The command lines, run in this process by click's runner: without a new interpreter and its imports."""

import gc
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from qa.store import Store
from tests.conftest import ROOT


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def _closing_stores() -> Iterator[None]:
    """Close the stores that are opened inside: a process of its own would release them as it ends."""
    opened: list[Store] = []
    make = Store.__init__

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
        gc.unfreeze()  # `qa` freezes what it has imported


def invoke(
    command: click.Command, *args: str | Path, stdin: str | bytes = "", cwd: Path = ROOT, **environment: str
) -> Done:
    """Run a command in `cwd`. Raises what the command raises: of a process it would be a traceback."""
    words = [os.fspath(one) for one in args]
    with chdir(cwd), _closing_stores():
        result = CliRunner().invoke(command, words, input=stdin, env=environment)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    # Not `result.stdout`, which replaces line ends.
    return Done(result.exit_code, result.stdout_bytes.decode(), result.stderr_bytes.decode())
