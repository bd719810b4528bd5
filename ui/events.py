"""What an event of the page brings along: who it is from, what it says, and how an error reaches the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import gradio as gr
from pydantic import ValidationError

from qa.errors import QAError
from ui.conversations import owner_of
from ui.errors import error_line
from ui.guard import token_in

HIDDEN: dict[str, Any] = {"api_visibility": "private"}  # the page's own events are no part of the API
QUIET: dict[str, Any] = {"show_progress": "hidden", **HIDDEN}


def owner(request: gr.Request) -> str:
    """Whose conversations a request may see: the logged-in user's, else the browser's."""
    if request.username:
        return owner_of("user", request.username)
    return owner_of("browser", token_in(request.headers.get("cookie", "")) or f"session {request.session_hash}")


def uploader(request: gr.Request) -> str | None:
    """Whose uploads a request may replace and delete; None without log-in: everybody's."""
    return owner(request) if request.username else None


@contextmanager
def told() -> Iterator[None]:
    """The package's own errors as a line on the page."""
    try:
        yield
    except (QAError, ValidationError) as error:
        line = error_line(error) if isinstance(error, QAError) else str(error)
        raise gr.Error(escape(line), print_exception=False) from error


def fact(event: gr.EventData, key: str) -> str:
    """What the page says about an event: a text from outside, whatever it is."""
    data = event._data if isinstance(event._data, dict) else {}
    return str(data.get(key, ""))


def number(event: gr.EventData, key: str) -> int:
    """The same as a whole number; -1 for anything else."""
    said = fact(event, key)
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else -1
