"""The Documents tab: components, and which event calls what of `ui.chat`."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from qa.errors import QAError
from ui.chat import Chat
from ui.errors import error_line
from ui.events import HIDDEN, QUIET, fact, uploader
from ui.page import SCRIPT
from ui.panels import Outcome, render_outcomes

UNCHANGED = (gr.skip(), gr.skip())
LOOK_S = 3.0  # between two looks for changes


class DocumentsTab:
    """What can be asked about, uploads, and what is left out. `only` is the chat's choice of documents."""

    def __init__(self, chat: Chat, only: gr.Dropdown) -> None:
        self.chat = chat
        self.files = gr.File(file_count="multiple", label="Drop files here, or press to choose", elem_id="files")
        self.outcomes = gr.HTML(elem_id="outcomes", js_on_load=None, apply_default_css=False)
        self.documents = gr.HTML(elem_id="documents", js_on_load=SCRIPT, apply_default_css=False)
        self.reindex = gr.Button("Look for changes in the folder", size="sm", elem_id="reindex")
        self.shown = [self.documents, only]  # what `now` fills
        self.timer = gr.Timer(LOOK_S, active=False)  # runs while the table is in sight
        self.state = gr.State(None)  # of which state of the index the table is
        self.timer.tick(self.renew, [self.state, only], [self.state, *self.shown], **QUIET)
        table = [self.outcomes, *self.shown]
        self.files.upload(self.upload, [self.files, only], [self.files, *table], show_progress="minimal", **HIDDEN)
        self.documents.drop(self.drop, only, table, **HIDDEN)
        self.reindex.click(self.look_again, only, table, **HIDDEN)

    def upload(self, paths: list[str] | None, chosen: list[str], request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """File by file: what became of it, and the table as it is then."""
        lines: list[Outcome] = []
        files = [Path(path) for path in paths or ()]
        for number, file in enumerate(files, 1):
            yield gr.skip(), render_outcomes([*lines, (f"{file.name}: {number} of {len(files)} …", None)]), *UNCHANGED
            for waiting in files[number - 1 :]:  # what looks old is swept, and indexing the others may take hours
                with suppress(OSError):
                    os.utime(waiting)
            lines.append(self.take(file, uploader(request)))
            yield gr.skip(), render_outcomes(lines), *self.now(chosen)
        yield None, render_outcomes(lines), *self.now(chosen)

    def take(self, file: Path, owner: str | None) -> Outcome:
        """Index a file that has arrived, and delete Gradio's copy of it; what became of it."""
        try:
            outcome = self.chat.upload(file.name, file.read_bytes(), owner)
            file.unlink(missing_ok=True)
        except OSError as error:  # the others that were dropped with it shall not suffer
            return f"{file.name}: cannot be read ({error.strerror or error}); drop it again", False
        return outcome

    def drop(self, chosen: list[str], request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """An upload is deleted."""
        path = fact(event, "document")  # not `path`, which Gradio takes for a file of its own
        try:
            self.chat.assistant.delete_upload(path, owner=uploader(request))
            line = (f"{path}: deleted", True)
        except QAError as error:
            line = (error_line(error), False)
        return render_outcomes([line]), *self.now(chosen)

    def look_again(self, chosen: list[str]) -> Iterator[tuple[Any, ...]]:
        """The index is made equal to the folder again."""
        for outcome in self.chat.look_again():
            yield render_outcomes([outcome]), *(UNCHANGED if outcome[1] is None else self.now(chosen))

    def watch(self, chosen: list[str]) -> tuple[Any, ...]:
        """The table comes in sight: as it is now, and renewed from now on."""
        return gr.Timer(active=True), *self.now(chosen)

    def rest(self) -> Any:
        """The table is out of sight."""
        return gr.Timer(active=False)

    def renew(self, state: Any, chosen: list[str]) -> tuple[Any, ...]:
        """The table again where the index has changed."""
        try:
            now = list(self.chat.state())
        except QAError:
            return (gr.skip(), *self.now(chosen))
        return (gr.skip(), *UNCHANGED) if now == state else (now, *self.now(chosen))

    def now(self, chosen: list[str]) -> tuple[Any, ...]:
        """The table, and the choice of documents a question may use, less what is gone."""
        try:
            there = [one.path for one in self.chat.assistant.documents()]
        except QAError as error:
            return render_outcomes([(error_line(error), False)]), gr.skip()
        return self.chat.documents(), gr.Dropdown(choices=there, value=[one for one in chosen or () if one in there])
