"""The command line: `ask`, `index`, `documents`, `check`, `backup`, `forget`. Data on stdout, chatter on stderr."""

import errno
import gc
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click
from pydantic import ValidationError

from qa import __version__
from qa.config import default_docs, from_environment
from qa.errors import QAError
from qa.rows import header_above
from qa.schema import Answered, BatchLine, DocumentList, Quote, Refused, Skipped
from qa.terminal import terminal_progress, visible, visible_json, visible_name

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.indexing import Changes
    from qa.store.place import Holdings

F = TypeVar("F", bound=Callable[..., Any])
REFUSED = 3  # exit code of `ask`


class _WrongUse(click.ClickException):
    """One line and the exit code of wrong use, without the usage lines of `click.UsageError`."""

    exit_code = 2


class _Group(click.Group):
    """Turns the package's own errors, and what the system refuses, into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except QAError as error:
            raise click.ClickException(visible_name(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # nobody reads on, as in `qa documents | head`
                raise
            where = f"{error.filename}: " if error.filename else ""
            line = f"{where}{error.strerror or error}; correct it and try again."
            raise click.ClickException(visible_name(line)) from error


def _folder_options(command: F) -> F:
    docs = click.option(
        "--docs", type=click.Path(path_type=Path), help="Folder of documents.  [default: ./seeds or the packaged seeds]"
    )
    store = click.option(
        "--store",
        type=click.Path(path_type=Path),
        help="Where the index is kept.  [default: in the user's data directory]",
    )
    return docs(store(command))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qa")
def main() -> None:
    """Answers from your documents, quoted word for word and cited, or a refusal that says why."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)


@main.command()
@click.argument("question", required=False)
@click.option("--batch", type=click.File("rb"), help="JSON lines to ask, one object a line; - is standard input.")
@click.option("--json", "as_json", is_flag=True, help="The whole result as JSON.")
@_folder_options
def ask(question: str | None, batch: BinaryIO | None, as_json: bool, docs: Path | None, store: Path | None) -> None:
    """Ask the documents. Exit code 0: answered, 3: refused, 2: wrong use, 1: failure."""
    if (question is None) == (batch is None):
        raise click.UsageError("Pass a question, or --batch FILE, and not both.")
    if batch is not None and not as_json:
        raise click.UsageError("--batch needs --json.")
    assistant = _open(docs, store)
    if batch is not None:
        failed = False
        for result in _ask_batch(assistant, batch):
            failed |= "error" in result and "status" not in result
            click.echo(visible_json(json.dumps(result, ensure_ascii=False)))
        sys.exit(1 if failed else 0)
    answer = assistant.ask(question or "")
    click.echo(visible_json(answer.model_dump_json()) if as_json else visible(_readable(answer)))
    sys.exit(0 if isinstance(answer, Answered) else REFUSED)


@main.command()
@click.option("--watch", is_flag=True, help="Go on and follow every change until interrupted.")
@_folder_options
def index(watch: bool, docs: Path | None, store: Path | None) -> None:
    """Make the index equal to the folder."""
    from qa.assistant import Assistant
    from qa.store.place import Store

    config, folder = from_environment(), docs or default_docs()
    assistant = Assistant(Store(store or config.store_for(folder), folder), config)
    if not watch:
        _report(assistant, assistant.refresh(terminal_progress()))
        return
    from qa.following import follow

    click.echo(f"Watching {visible_name(folder)}; Ctrl-C ends it.", err=True)
    with assistant.store.held():
        follow(
            assistant.store,
            lambda: assistant.refresh(terminal_progress()),
            stop=threading.Event(),
            refreshed=lambda changes: _report(assistant, changes),
            failed=lambda line: click.echo(f"{visible_name(line)} (trying again)", err=True),
        )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with what is skipped and why.")
@_folder_options
def documents(as_json: bool, docs: Path | None, store: Path | None) -> None:
    """List what is indexed and what is skipped."""
    assistant = _open(docs, store)
    indexed, skipped = assistant.documents(), assistant.skipped()
    if as_json:
        listing = DocumentList(documents=tuple(indexed), skipped=tuple(skipped))
        click.echo(visible_json(listing.model_dump_json()))
        return
    for one in indexed:
        facts = (one.path, one.date or "-", f"{one.bytes:,} bytes", f"{one.chunks} passages", one.title)
        click.echo("\t".join(map(visible_name, facts)))
    _name_skipped(skipped)


@main.command()
@_folder_options
def check(docs: Path | None, store: Path | None) -> None:
    """Verify every promise of the store, re-hash all files, and rebuild what is derived."""
    from qa.check import check_store

    config, folder = from_environment(), docs or default_docs()
    report = check_store(store or config.store_for(folder), folder, config, terminal_progress())
    for finding in report.repaired:
        click.echo(f"Repaired: {visible_name(finding)}")
    for path in report.unreadable:
        click.echo(f"Cannot be read, and is left as it is: {visible_name(path)}")
    click.echo(
        f"{report.documents} documents, {report.chunks} passages: every text, offset and vector is as it should be."
    )


@main.command()
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@_folder_options
def backup(target: Path, docs: Path | None, store: Path | None) -> None:
    """Copy the store to DIR (new or empty), uploads and conversations included, also while others index.

    DIR is a store itself: give it as --store to use it, or copy it back to restore. Text and vectors are of one
    moment; damaged vectors are left out and made anew by whoever opens DIR. Until it is whole, it is DIR.partial.
    """
    from qa.store.backup import back_up

    folder = docs or default_docs()
    made = back_up(store or from_environment().store_for(folder), target, folder)
    left_out = "" if made.vectors else ", without the damaged vectors"
    click.echo(f"{made.documents} documents{left_out}, uploads and conversations are in {visible_name(target)}.")


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
@_folder_options
def forget(yes: bool, docs: Path | None, store: Path | None) -> None:
    """Erase the store of a folder, uploads and conversations included. The documents themselves are not touched.

    Names what would go and asks first. Refuses while a chat uses the store.
    """
    from qa.store.place import forget_store, holdings

    folder = docs or default_docs()
    place = store or from_environment().store_for(folder)
    held = holdings(place)
    if held is None:
        click.echo(visible_name(f"There is no store at {place}."))
        return
    what = visible_name(f"{_held(held)} in {place}")
    if not yes:
        if not (sys.stdin and sys.stdin.isatty()):
            raise _WrongUse(f"this would erase {what}; pass --yes to do so.")
        if not click.confirm(f"Erase {what}? Nothing can bring back uploads and conversations.", err=True):
            raise click.ClickException("nothing was erased.")
    forget_store(place)
    click.echo(f"Erased {what}.")


def _open(docs: Path | None, store: Path | None) -> "Assistant":
    gc.disable()  # imports make no garbage, and looking for it takes a fifth of their time
    from qa.assistant import Assistant

    gc.freeze()
    gc.enable()
    assistant = Assistant.open(docs, store=store, progress=terminal_progress())
    if assistant.changes:
        _name_skipped(assistant.changes.skipped)
    return assistant


def _report(assistant: "Assistant", changes: "Changes") -> None:
    counts = (
        f"{len(names)} {what}"
        for what, names in (("added", changes.added), ("replaced", changes.replaced), ("dropped", changes.dropped))
    )
    click.echo(f"{len(assistant.documents())} documents: {', '.join(counts)}, {changes.embedded} passages embedded.")
    _name_skipped(changes.skipped)


def _held(held: "Holdings") -> str:
    """What a store holds, in words: "12 documents indexed, 1 upload, 0 conversations, 3.4 MB"."""
    counts = ((held.documents, "document", " indexed"), (held.uploads, "upload", ""))
    parts = [
        f"{count:,} {what}{'' if count == 1 else 's'}{more}"
        for count, what, more in (*counts, (held.conversations, "conversation", ""))
        if count is not None
    ]
    return ", ".join([*parts, f"{held.bytes / 1e6:,.1f} MB"])


def _name_skipped(skipped: Iterable[Skipped]) -> None:
    for item in skipped:
        click.echo(visible_name(f"Skipped: {item.path}: {item.reason}"), err=True)


def _ask_batch(assistant: "Assistant", lines: BinaryIO) -> Iterator[dict[str, Any]]:
    """One result for each line, in order: the answer with the line's id, or what is wrong with the line."""
    for raw in lines:
        identity = None
        try:
            data = json.loads(raw)
            identity = data.get("id") if isinstance(data, dict) else None
            line = BatchLine.model_validate(data)
            answer = assistant.ask(line.question, history=line.history, documents=line.documents)
            yield {"id": identity, **answer.model_dump(mode="json")}
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "line"
            yield {"id": identity, "error": f"{where}: {first['msg']}"}
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            yield {"id": identity, "error": "the line is not valid JSON in UTF-8"}
        except QAError as error:
            yield {"id": identity, "error": str(error)}


def _readable(answer: Answered | Refused) -> str:
    if isinstance(answer, Answered):
        sources = [
            "\n".join([f"[{number}] {_place(quote)}", *_header_line(quote)])
            for number, quote in enumerate(answer.quotes, 1)
        ]
        return "\n".join([answer.text, "", *sources, f"Confidence {answer.confidence:.2f}"])
    nearest = [
        "\n".join([f"  “{quote.text}”", f"  {_place(quote)}", *map("  {}".format, _header_line(quote))])
        for quote in answer.nearest
    ]
    return "\n".join(
        [f"Refused ({answer.reason}): {answer.text}", *(["", "Not an answer:", *nearest] if nearest else [])]
    )


def _header_line(quote: Quote) -> list[str]:
    """The first row of the table that a quoted row is of, as the chat shows it too."""
    header = header_above(quote.text, quote.before)
    return [visible(f"    columns: {header}")] if header else []


def _place(quote: Quote) -> str:
    heading = " ".join((quote.heading or "").split())  # one may go over several lines
    parts = [quote.document, f"page {quote.page}" if quote.page else None, quote.locator, heading, quote.date]
    return visible_name(", ".join([*filter(None, parts), f"characters {quote.start}–{quote.end}"]))
