"""What the page does, without the page: questions, conversations, sources and uploads of one owner at a time."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from qa.assistant import Assistant
from qa.errors import QAError
from qa.following import follow
from qa.formats import READERS
from qa.indexing import Changes
from qa.schema import Stage
from qa.store.layout import UPLOADS, folder_name
from qa.terminal import measured
from ui.conversations import Conversation, ConversationError, Conversations, Exchange
from ui.errors import error_line
from ui.exports import as_cases, as_json, as_markdown
from ui.html import counted
from ui.panels import (
    Corpus,
    Outcome,
    Pending,
    render_conversations,
    render_documents,
    render_starters,
    render_thread,
)
from ui.sources import changed_quotes, quotes_of, render_source, standing
from ui.starters import Starters

log = logging.getLogger(__name__)

LISTED = 100  # conversations; the search finds the others


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows after a step. `done` when nothing more comes."""

    thread: str
    conversation: str  # its id, empty before the first answer
    done: bool
    reading: bool = False  # the answer is still being looked for


class Chat:
    """One assistant and the conversations kept beside its store."""

    def __init__(self, assistant: Assistant, *, worded: str = "", owners_view: bool = False) -> None:
        self.assistant = assistant
        self.owners_view = owners_view  # whoever uses it is the person who runs it
        self.worded = worded  # what the owner tells whoever gets no answer
        self.conversations = Conversations(assistant.store.path / "conversations")
        self.starters = Starters(assistant)
        self.under_way = ""  # how far indexing what has changed in the folder is

    def ask(
        self,
        owner: str,
        identity: str,
        question: str,
        *,
        documents: Sequence[str] = (),
        replace: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Shown]:
        """The stages, then the answered turn, kept only when it is whole; with `replace` in the last one's place.

        `stopped` is asked after each stage: a step that was under way ends, but nothing comes of it.
        """
        known = self._known(owner, identity)
        replace = replace and known is not None
        before = known and known.model_copy(update={"exchanges": known.exchanges[:-1]}) if replace else known
        history = before.history() if before else []
        try:
            for event in self.assistant.stream(question, history=history, documents=list(documents) or None):
                if stopped():
                    return
                if isinstance(event, Stage):
                    waiting = self._thread(before, pending=Pending(question, stage_text(event)))
                    yield Shown(waiting, identity, done=False, reading=True)
                elif replace:
                    turns = len(known.exchanges) if known else 0
                    known = self.conversations.replace_last(owner, identity, event, turns=turns)
                else:
                    known = self.conversations.add(owner, known.id if known else None, event)
        except QAError as error:
            yield Shown(self._failed(known, error), identity, False)
            return
        yield Shown(self._thread(known), known.id if known else "", True)

    def last_question(self, owner: str, identity: str) -> str:
        """The question that “Ask again” repeats."""
        known = self._known(owner, identity)
        return known.exchanges[-1].answer.question if known and known.exchanges else ""

    def thread(self, owner: str, identity: str) -> Shown:
        """The conversation as it is kept, or a fresh page."""
        known = self._known(owner, identity)
        try:
            return Shown(self._thread(known), known.id if known else "", True)
        except QAError as error:  # the index, too, is needed: which sources have changed
            return Shown(self._failed(None, error), "", True)

    def suggestions(self) -> str:
        """Questions to begin with; looked for as long as `Starters` may take."""
        return render_starters(self.starters.questions())

    def state(self) -> tuple[str, str]:
        """Changes whenever the table of documents does."""
        return self.assistant.store.library.fingerprint(), self.under_way

    def listing(self, owner: str, current: str, words: str = "") -> str:
        """The newest of the owner's conversations, or of those that hold all of these words."""
        found = self.conversations.summaries(owner, words, max_count=LISTED + 1)
        return render_conversations(found[:LISTED], current, words, more=len(found) > LISTED)

    def source(self, owner: str, identity: str, turn: int, number: int, *, earlier: int = 0, later: int = 0) -> str:
        """The panel for a quote of a kept answer, widened by these steps; raises ConversationError where none is."""
        shown = quotes_of(self._exchange(owner, identity, turn).answer)
        if not 1 <= number <= len(shown):
            raise ConversationError("There is no such citation in this conversation.")
        quote = standing(shown[number - 1], self.assistant.text)
        now = self.assistant.text(quote.document)
        return render_source(
            quote,
            number,
            len(shown),
            turn,
            now,
            earlier=earlier,
            later=later,
            read_differently=self.assistant.read_differently,
        )

    def rate(self, owner: str, identity: str, turn: int, rating: str) -> None:
        """A thumb up or down; the same once more takes it back."""
        self.conversations.rate(owner, identity, turn, "up" if rating == "up" else "down")

    def comment(self, owner: str, identity: str, turn: int, comment: str) -> None:
        """Words beside the thumb."""
        self.conversations.comment(owner, identity, turn, comment)

    def look_again(self) -> Iterator[Outcome]:
        """Make the index equal to the folder: how far it is, then (what has changed, whether it is well)."""
        lines: SimpleQueue[Outcome | None] = SimpleQueue()

        def run() -> None:
            try:
                changes = self.assistant.refresh(measured(lambda line, _: lines.put((line, None))))
                counts = f"{len(changes.added)} added, {len(changes.replaced)} replaced, {len(changes.dropped)} gone"
                lines.put((f"The folder was read again: {counts}", True))
            except QAError as error:
                lines.put((self.under_way or error_line(error), False))
            finally:
                lines.put(None)

        threading.Thread(target=run).start()
        yield from iter(lines.get, None)

    def follow(self, stop: threading.Event) -> None:
        """Keep the index equal to the folder until `stop` is set."""

        def refresh() -> Changes:
            try:
                return self.assistant.refresh(measured(self._note_progress))
            finally:
                self.under_way = ""

        failed = "The folder is not followed: %s"
        follow(
            self.assistant.store,
            refresh,
            stop=stop,
            refreshed=lambda _: None,
            failed=lambda line: log.warning(failed, line),
        )

    def _note_progress(self, line: str, last: bool) -> None:
        self.under_way = "" if last else line

    def export(self, owner: str, identity: str, ending: str) -> str:
        """A conversation as a file: `md` or `json`; raises ConversationError where there is none."""
        known = self.conversations.get(owner, identity)
        return (as_markdown if ending == "md" else as_json)(
            known, self._texts([known]), self.assistant.read_differently
        )

    def export_cases(self, owner: str) -> str:
        """The owner's rated answers as eval cases, one a line."""
        known = self.conversations.all_of(owner)
        return as_cases(known, self._texts(known))

    def documents(self) -> str:
        """The table of documents."""
        return render_documents(
            self.assistant.documents(),
            self.assistant.skipped(),
            formats=" ".join(sorted(READERS)),
            max_file_mb=self.assistant.config.max_file_mb,
            under_way=self.under_way,
        )

    def upload(self, name: str, data: bytes, owner: str | None = None) -> tuple[str, bool]:
        """Index one file: (what happened, whether it is well). An `owner` can replace their own only."""
        before = {one.path: one.sha256 for one in self.assistant.documents()}
        try:
            info = self.assistant.add_upload(name, data, owner=owner)
        except QAError as error:
            return error_line(error), False
        twins = [path for path, sha256 in before.items() if sha256 == info.sha256 and path != info.path]
        same = f"; the same text as {twins[0]}" if twins else ""
        verb = "replaced" if info.path in before else "added"
        left_out = "".join(f"; {one.reason}" for one in self.assistant.skipped() if one.path == info.path)
        return f"{info.path}: {verb}, {counted(info.chunks, 'passage')}{same}{left_out}", True

    def _exchange(self, owner: str, identity: str, turn: int) -> Exchange:
        exchanges = self.conversations.get(owner, identity).exchanges
        if not 0 <= turn < len(exchanges):
            raise ConversationError("There is no such answer in this conversation.")
        return exchanges[turn]

    def _known(self, owner: str, identity: str) -> Conversation | None:
        try:
            return self.conversations.get(owner, identity)
        except ConversationError:
            return None

    def _thread(self, known: Conversation | None, *, pending: Pending | None = None, error: str = "") -> str:
        changed = self._changed(known)
        return render_thread(
            known,
            changed,
            pending=pending,
            error=error,
            corpus=None if (known and known.exchanges) or pending else self._corpus(),
            worded=self.worded,
        )

    def _corpus(self) -> Corpus:
        store = self.assistant.store
        names = store.library.signatures()
        folder = Path(folder_name(store.docs)).name
        return Corpus(folder, len(names), sum(1 for one in names if one.startswith(UPLOADS)))

    def _failed(self, known: Conversation | None, error: QAError) -> str:
        """The thread with the error below; the error alone where the index cannot tell what still may be shown."""
        line = error_line(error)
        line = f"{line[:1].upper()}{line[1:]}"
        try:
            return self._thread(known, error=line)
        except QAError:
            return render_thread(None, {}, error=line)

    def _changed(self, known: Conversation | None) -> dict[int, dict[int, str]]:
        """Turn → number of a quote → why it no longer is what stands in the documents (promises 1 and 6)."""
        if known is None:
            return {}
        texts = self._texts([known])
        differently = self.assistant.read_differently
        return {
            turn: changed_quotes(quotes_of(exchange.answer), texts, differently)
            for turn, exchange in enumerate(known.exchanges)
        }

    def _texts(self, known: Sequence[Conversation]) -> dict[str, str | None]:
        """The texts of all documents that are quoted, as they are now."""
        quoted = {quote.document for one in known for turn in one.exchanges for quote in quotes_of(turn.answer)}
        return {name: self.assistant.text(name) for name in quoted}


def stage_text(stage: Stage) -> str:
    """How far a question is, in words."""
    if stage.name == "searching":
        return "Searching the documents…"
    return f"Reading {counted(stage.passages or 0, 'passage')}…"
