"""The text that offsets count in, read without the product: for `.txt` and `.md` the decoded file itself."""

from pathlib import Path


def file_text(path: Path) -> str:
    """The decoded file, byte-order mark dropped, line ends kept."""
    assert path.suffix in (".txt", ".md"), "extracted formats have their own tests"
    return path.read_bytes().decode("utf-8-sig")
