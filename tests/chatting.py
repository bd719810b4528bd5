"""What the tests of the web chat share: a small folder, a reader that is always right about it, and a server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from qa.assistant import Assistant
from qa.config import Config
from tests.readers import WordReader
from ui.server import bind, create

STOVE = "Keep the door of the stove closed. "
FILES = {
    "pool.txt": "The pool opens at nine in the morning. The pool is closed on Mondays.\n\n"
    "The lifeguard is Ilse Brandt.\n\nThe changing rooms are cleaned every day at noon.\n",
    "season-2023.md": "---\ntitle: Prices 2023\ndate: 2023-02-01\n---\n\nA season ticket costs 80 euros.\n",
    "season-2024.md": "---\ntitle: Prices 2024\ndate: 2024-02-01\n---\n\nA season ticket costs 95 euros.\n",
    "sauna.md": "# Sauna\n\n"
    + "".join(
        f"## Room {n}\n\nRoom {n} has {n * 3} places. {STOVE}The towels in room {n} are changed daily.\n\n"
        for n in (1, 2, 3)
    ),
    "notes.odt": "not read",
}  # fmt: skip


def write_folder(folder: Path, files: dict[str, str] = FILES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@contextmanager
def chat_server(
    docs: Path,
    store: Path,
    config: Config,
    *,
    port: int = 0,
    packaged: bool = False,  # read with the packaged reader
    **options: Any,
) -> Iterator[tuple[str, Assistant]]:
    """The chat over a folder, served until the end: (its address, the assistant)."""
    assistant = Assistant.open(docs, store=store, config=config)
    if not packaged:
        assistant.reader = WordReader()
    listener = bind("127.0.0.1", port)
    server = uvicorn.Server(
        uvicorn.Config(create(assistant, **options), log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", assistant
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        assistant.close()
