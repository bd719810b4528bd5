"""Answerers that can be examined: this project, a Python callable, or an HTTP endpoint that returns JSON."""

import importlib
import json
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from qa.config import Config, from_environment
from qa.errors import QAError
from qa.schema import Answer, Answered, Refused, Turn
from qa.text import text_sha256

TIMEOUT_S = 120.0
Answerer = Callable[[str, Sequence[Turn], Sequence[str] | None], Any]
"""(question, history, documents) → Answered or Refused, or the same as JSON data."""

_ANSWER: TypeAdapter[Answered | Refused] = TypeAdapter(Answer)


class OpenAnswerer(Protocol):
    """Opens an answerer on a folder of documents; called again after the folder has changed."""

    def __call__(self, docs: Path, /) -> Answerer:
        """An answerer that has read the folder."""


class AnswererError(QAError):
    """The answerer failed, or returned something that is not an answer."""


def open_answerer(name: str, *, config: Config | None = None) -> OpenAnswerer:
    """The answerer named `qa` (this project), `http://…` (an endpoint) or `module:function` (an OpenAnswerer)."""
    if name == "qa":
        return Own(config or from_environment())
    if name.startswith(("http://", "https://")):
        return lambda docs: _http(name)
    module, _, function = name.partition(":")
    sys.path.insert(0, "")  # so that modules in the current folder are found, as with `python -m`
    try:
        opened: OpenAnswerer = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise AnswererError(f"{name!r} is not qa, an http address or module:function ({error}).") from None
    finally:
        sys.path.remove("")
    return opened


def open_on(open_: OpenAnswerer, docs: Path) -> Answerer:
    """Open the answerer on the folder; raises AnswererError for everything that it raises."""
    try:
        answerer = open_(docs)
    except QAError:
        raise
    except Exception as error:
        raise AnswererError(f"the answerer cannot be opened ({_named(error)}).") from error
    if not callable(answerer):
        raise AnswererError("what was opened is not callable; it must return a function of three arguments.")
    return answerer


def ask(
    answerer: Answerer,
    question: str,
    history: Sequence[Turn],
    documents: Sequence[str] | None,
    texts: dict[str, str],
    *,
    timeout_s: float = TIMEOUT_S,
) -> Answered | Refused:
    """Ask, complete and check the answer; raises AnswererError when the answerer fails or returns something else."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(answerer(question, history, documents))
        except BaseException as error:  # the code is foreign: even when it exits, only this answer has failed
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)  # an answerer that hangs must not keep the run from ending
    thread.start()
    thread.join(timeout_s)
    if not found:
        raise AnswererError(f"no answer within {timeout_s:g} s.")
    if isinstance(found[0], KeyboardInterrupt | QAError):
        raise found[0]
    if isinstance(found[0], BaseException):
        raise AnswererError(f"the answerer failed ({_named(found[0])}).") from found[0]
    try:
        answer = _ANSWER.validate_python(complete(found[0], question, texts))
        answer.model_dump_json()  # raises for text that cannot be written as JSON
    except ValidationError as error:
        first = error.errors()[0]
        raise AnswererError(f"not an answer: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise AnswererError(f"not an answer: {_named(error)}") from None
    return answer


def complete(answer: Any, question: str, texts: dict[str, str]) -> Any:
    """JSON data with defaults for what other systems may leave out: all but status, and text and place of quotes."""
    if not isinstance(answer, dict):
        return answer
    shown = {"answered": "quotes", "refused": "nearest"}.get(str(answer.get("status")), "quotes")
    quotes = [_complete_quote(quote, texts) for quote in answer.get(shown) or ()]
    given = {"question": question, "asked": question, "text": "", "confidence": 1.0, "trace": _no_trace(question)}
    given |= {"reason": "not_covered"} if shown == "nearest" else {"short_answer": None}
    return {**given, **answer, shown: quotes}


def _complete_quote(quote: Any, texts: dict[str, str]) -> Any:
    if not isinstance(quote, dict):
        return quote
    digest = text_sha256(texts.get(str(quote.get("document")), ""))
    given: dict[str, Any] = dict.fromkeys(("date", "page", "locator", "heading"))
    return {**given, "title": "", "document_sha256": digest, "score": 1.0, "before": "", "after": "", **quote}


def _no_trace(question: str) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(("history", "hits", "verdicts", "skipped"), ())
    return {
        **empty, "question": question, "documents": None, "threshold": 0.0,
        "versions": {}, "models": {}, "store": "", "timings_ms": {},
    }  # fmt: skip


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")


class Own:
    """This project as an answerer. Each folder gets a temporary store, which `close` erases."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._scratch = tempfile.TemporaryDirectory()
        self._opened: dict[Path, Any] = {}

    def __call__(self, docs: Path, /) -> Answerer:
        """The assistant over the folder, with the store made equal to it."""
        from qa.assistant import Assistant

        if docs in self._opened:
            self._opened.pop(docs).close()
        store = Path(self._scratch.name, text_sha256(str(docs.resolve()))[:12])
        assistant = self._opened[docs] = Assistant.open(docs, store=store, config=self._config)
        return lambda question, history, documents: assistant.ask(question, history=history, documents=documents)

    def close(self) -> None:
        """Close all assistants and erase their stores."""
        for assistant in self._opened.values():
            assistant.close()
        self._scratch.cleanup()


def _http(url: str) -> Answerer:
    def answer(question: str, history: Sequence[Turn], documents: Sequence[str] | None) -> Any:
        body = {"question": question, "history": [turn.model_dump() for turn in history], "documents": documents}
        request = urllib.request.Request(  # noqa: S310  # open_answerer lets only http and https pass
            url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            return json.load(response)

    return answer
