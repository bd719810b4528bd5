"""Small functions over text that several stages share."""

import hashlib

TITLE_CHARS = 120


def text_sha256(text: str) -> str:
    """Hex sha256 of the text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def shorten(text: str, chars: int = TITLE_CHARS) -> str:
    """`text` on one line, cut at a word with an ellipsis where it is longer than `chars`."""
    line = " ".join(text.split())
    return line if len(line) <= chars else line[: chars - 1].rsplit(" ", 1)[0] + "…"
