"""Writes the files that a command's options name, and rows of Markdown tables."""

from collections.abc import Sequence
from pathlib import Path

from qa.errors import QAError


def prepare(path: Path) -> None:
    """Make the file's folder and check, before a long run, that the file can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise QAError(f"{path} cannot be written ({error.strerror}); choose another place.") from None


def write(path: Path, text: str) -> None:
    """Write the text and a line end; raises QAError when that fails."""
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise QAError(f"{path} cannot be written ({error.strerror}); choose another place.") from None


def markdown_row(cells: Sequence[str]) -> str:
    """One row of a Markdown table."""
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
