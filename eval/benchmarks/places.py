"""Places in the files of a benchmark → places in the text that the product extracts from them."""

from collections.abc import Sequence
from pathlib import Path

from qa.documents import read_document
from qa.folder import File, signature


class Places:
    """Places in a file → places in the text that is extracted from it, which a table in CSV is not."""

    def __init__(self, path: Path, text: str) -> None:
        read = read_document(File(path, path.name, signature(path.stat())), max_file_mb=50)
        self._rows: Sequence[tuple[int, int]] = ()
        if read.text != text:
            self._rows = [(block.start, block.end) for block in read.blocks]
            self._lines = _filled_lines(text)

    def of(self, start: int, end: int) -> tuple[int, int]:
        """The interval itself; in a table, its row."""
        if not self._rows:
            return start, end
        row = sum(1 for begins in self._lines if begins <= start) - 1
        return self._rows[min(row, len(self._rows) - 1)]


def _filled_lines(text: str) -> list[int]:
    """Where each line that holds anything begins."""
    begins, at = [], 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            begins.append(at)
        at += len(line)
    return begins
