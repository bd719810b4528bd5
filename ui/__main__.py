"""`qa-chat` and `python -m ui`."""

import os
from pathlib import Path

import click

from qa.errors import QAError
from qa.terminal import end_on_interrupt, terminal_progress, visible_name
from ui.start import quick


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--docs", type=click.Path(path_type=Path), help="Folder of documents.  [default: ./seeds or the packaged seeds]"
)
@click.option(
    "--store", type=click.Path(path_type=Path), help="Where the index is kept.  [default: in the user's data directory]"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=7860, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option(
    "--auth",
    type=click.Path(path_type=Path),
    help="File of NAME:PASSWORD lines; who is not in it gets nothing.  [or QA_AUTH, split by ;]",
)
@click.option("--insecure", is_flag=True, help="Listen beyond this machine without log-in.")
@click.option("--refusal", default="", metavar="TEXT", help="Your words with every refusal: whom to ask instead.")
@click.option("--mcp", is_flag=True, help="Also offer `ask` as an MCP tool (needs the `mcp` extra).")
def main(
    docs: Path | None,
    store: Path | None,
    host: str,
    port: int,
    auth: Path | None,
    insecure: bool,
    refusal: str,
    mcp: bool,
) -> None:
    """Open the web chat."""
    end_on_interrupt()
    with quick():
        from qa.assistant import Assistant
        from ui.guard import LOOPBACK, load_passwords
        from ui.server import bind, check_binding, create, serve
    try:
        users = load_passwords(auth, os.environ.get("QA_AUTH"))
        check_binding(host, users=users, insecure=insecure)
        listener = bind(host, port)  # before the documents are indexed: a taken port is told at once
        assistant = Assistant.open(docs, store=store, progress=terminal_progress())
        with quick():
            loopback = host in LOOPBACK and users is None
            app = create(assistant, users=users, loopback=loopback, mcp=mcp, worded=refusal, warm=True)
        click.echo(f"The chat is at http://{host}:{listener.getsockname()[1]}/ (Ctrl-C ends it)", err=True)
        with assistant.store.held():
            serve(app, listener)
    except QAError as error:
        raise click.ClickException(visible_name(error)) from error


if __name__ == "__main__":
    main(prog_name="qa-chat")
