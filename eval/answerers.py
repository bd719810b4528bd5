"""Who answers: this project, a Python callable, or an HTTP endpoint that returns the answer's JSON."""

import importlib
import json
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from qa.config import Config, from_environment
from qa.errors import QAError
from qa.schema import Answer, Answered, Refused, Turn

TIMEOUT_S = 120.0
Answerer = Callable[[str, Sequence[Turn], Sequence[str] | None], Any]
"""(question, history, documents) → Answered | Refused, or the same as JSON data."""
OpenAnswerer = Callable[[Path], Answerer]
"""Folder of documents → an answerer that has read them; called again after the folder has changed."""

_ANSWER: TypeAdapter[Answered | Refused] = TypeAdapter(Answer)


class AnswererError(QAError):
    """The answerer failed or returned something else than an answer."""


def open_answerer(name: str, *, store: Path | None = None, config: Config | None = None) -> OpenAnswerer:
    """`qa` (this project), `http://…` (POST of question, history, documents) or `module:function` (an OpenAnswerer)."""
    if name == "qa":
        return _own(store, config or from_environment())
    if name.startswith(("http://", "https://")):
        return lambda docs: _http(name)
    module, _, function = name.partition(":")
    try:
        opened: OpenAnswerer = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise AnswererError(f"{name!r} is not qa, an http address or module:function ({error}).") from None
    return opened


def ask(
    answerer: Answerer, question: str, history: Sequence[Turn], documents: Sequence[str] | None
) -> Answered | Refused:
    """The answer as a type, whoever gave it; raises AnswererError."""
    try:
        return _ANSWER.validate_python(answerer(question, history, documents))
    except ValidationError as error:
        first = error.errors()[0]
        raise AnswererError(f"not an answer: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _own(store: Path | None, config: Config) -> OpenAnswerer:
    from qa.assistant import Assistant

    def open_(docs: Path) -> Answerer:
        assistant = Assistant.open(docs, store=store, config=config)
        return lambda question, history, documents: assistant.ask(question, history=history, documents=documents)

    return open_


def _http(url: str) -> Answerer:
    def answer(question: str, history: Sequence[Turn], documents: Sequence[str] | None) -> Any:
        body = {"question": question, "history": [turn.model_dump() for turn in history], "documents": documents}
        request = urllib.request.Request(  # noqa: S310  # open_answerer lets only http and https pass
            url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                return json.load(response)
        except (OSError, ValueError) as error:
            raise AnswererError(f"{url} did not answer ({error}).") from error

    return answer
