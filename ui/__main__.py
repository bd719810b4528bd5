"""`qa-chat` and `python -m ui`."""

from pathlib import Path

import click

from qa.assistant import Assistant
from qa.errors import QAError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--docs", type=click.Path(path_type=Path), help="Folder of documents.  [default: ./seeds or the packaged seeds]"
)
@click.option(
    "--store", type=click.Path(path_type=Path), help="Where the index is kept.  [default: in the user's data directory]"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=7860, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
def main(docs: Path | None, store: Path | None, host: str, port: int) -> None:
    """Open the web chat."""
    from ui.app import launch

    try:
        launch(Assistant.open(docs, store=store), host=host, port=port)
    except QAError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main(prog_name="qa-chat")
