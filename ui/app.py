"""Gradio wiring: components, and which event calls what of `ui.chat`. All texts arrive here as finished HTML."""

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from qa.schema import Turn
from ui.chat import Chat
from ui.documents import DocumentsTab
from ui.events import HIDDEN, QUIET, fact, number, owner, told
from ui.page import RATED, SCRIPT, TOP
from ui.panels import render_filter
from ui.sources import EMPTY

ASKING: dict[str, Any] = {"concurrency_limit": 4, **QUIET}  # questions at a time; Gradio's own limit is one


def build(chat: Chat) -> gr.Blocks:
    """The page for one assistant."""
    page = gr.Blocks(title="Quotes or nothing", analytics_enabled=False, fill_width=True)
    with page:
        _api(chat)  # first, for Gradio gives the name to the first that asks for it
        _Page(chat, page)
    return page


class _Page:
    """The components, and what they call. Handlers take the request, for everything belongs to somebody."""

    def __init__(self, chat: Chat, page: gr.Blocks) -> None:
        self.chat = chat
        self.asked: dict[str, threading.Event] = {}  # page → set when its question is stopped
        gr.HTML(TOP, js_on_load=None, apply_default_css=False)
        self.current = gr.Textbox(visible="hidden", elem_id="current", show_label=False)  # the conversation's id
        self.replacing = gr.State(False)  # whether the next question takes the last one's place
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Chat") as chatting, gr.Row(elem_id="panels"):
                self._chat_panels()
            with gr.Tab("Documents") as listed, gr.Column(elem_id="documents-tab"):
                documents = DocumentsTab(chat, self.only)
        listed.select(documents.watch, self.only, [documents.timer, *documents.shown], **QUIET)
        chatting.select(documents.rest, None, documents.timer, **QUIET)
        self._wire_questions()
        self._wire_conversations()
        on_load: dict[str, Any] = {"js": "() => [location.hash.slice(1)]", **HIDDEN}
        opened = page.load(self.open, self.current, self.opened, **on_load)
        opened.then(documents.now, self.only, documents.shown, **QUIET)
        opened.then(self.chat.suggestions, None, self.suggestions, **QUIET)

    def _chat_panels(self) -> None:
        with gr.Column(elem_id="left"):
            self.fresh = gr.Button("New conversation", size="sm", elem_id="fresh")
            self.words = gr.Textbox(
                placeholder="Search conversations",
                show_label=False,
                label="Search conversations",
                container=False,
                elem_id="search",
            )
            self.listing = gr.HTML(elem_id="listing", js_on_load=SCRIPT, apply_default_css=False)
            if self.chat.owners_view:
                gr.HTML(RATED, js_on_load=None, apply_default_css=False)
        with gr.Column(elem_id="middle"):
            self.thread = gr.HTML(elem_id="thread", js_on_load=SCRIPT, apply_default_css=False)
            self.suggestions = gr.HTML(elem_id="suggestions", js_on_load=SCRIPT, apply_default_css=False)
            with gr.Column(elem_id="composer"):
                self.filter = gr.HTML(elem_id="filter", js_on_load=SCRIPT, apply_default_css=False)
                with gr.Row():
                    self.question = gr.Textbox(
                        label="Question",
                        show_label=False,
                        container=False,
                        placeholder="Ask the documents",
                        elem_id="question",
                        lines=1,
                        max_lines=6,
                        autofocus=True,
                        scale=8,
                    )
                    self.send = gr.Button("Ask", variant="primary", elem_id="send", scale=0, min_width=90)
                    self.stop = gr.Button("Stop", elem_id="stop", scale=0, min_width=90, visible=False)
                with gr.Accordion("Ask only some of the documents", open=False, elem_id="scope"):
                    self.only = gr.Dropdown(multiselect=True, label="Documents (none chosen: all)")
        with gr.Column(elem_id="right"):
            self.source = gr.HTML(EMPTY, elem_id="source", js_on_load=SCRIPT, apply_default_css=False)
        self.conversation = [self.thread, self.current, self.listing]
        self.opened = [*self.conversation, self.source, self.only, self.replacing]
        self.asking = [*self.conversation, self.question, self.send, self.stop, self.replacing]

    # -- asking ----------------------------------------------------------------------------------

    def _wire_questions(self) -> None:
        given = [self.current, self.only]
        started = [
            gr.on(
                [self.question.submit, self.send.click],
                self.ask,
                [self.question, *given, self.replacing],
                self.asking,
                **ASKING,
            ),
            self.suggestions.starter(self.ask_starter, given, self.asking, **ASKING),
            self.thread.retry(self.ask_again, given, self.asking, **ASKING),
        ]
        self.stop.click(self.stopped, self.current, self.asking, cancels=started, **HIDDEN)
        self.only.change(render_filter, self.only, self.filter, **QUIET)
        self.filter.unfilter(lambda: [], None, self.only, **QUIET)
        self.thread.edit(self.edit, self.current, [self.question, self.replacing], **HIDDEN)
        self.thread.cite(self.cite, self.current, self.source, **QUIET)
        self.source.cite(self.cite, self.current, self.source, **QUIET)
        self.thread.rate(self.rate, self.current, self.conversation, **QUIET)
        self.thread.comment(self.comment, self.current, self.conversation, **QUIET)

    def ask(
        self, question: str, current: str, only: list[str], replacing: bool, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        """The stages, then the answer; the typed question stays until it is answered."""
        stop = self.asked[str(request.session_hash)] = threading.Event()
        options: dict[str, Any] = {"documents": only, "replace": replacing, "stopped": stop.is_set}
        for shown in self.chat.ask(owner(request), current, question, **options):
            listing = self.chat.listing(owner(request), shown.conversation) if shown.done else gr.skip()
            typed = gr.skip() if not shown.done else ""
            yield (
                shown.thread,
                shown.conversation,
                listing,
                typed,
                gr.Button(visible=not shown.reading),
                gr.Button(visible=shown.reading),
                False if shown.done else gr.skip(),
            )

    def ask_starter(
        self, current: str, only: list[str], request: gr.Request, event: gr.EventData
    ) -> Iterator[tuple[Any, ...]]:
        """A suggestion was pressed."""
        yield from self.ask(fact(event, "question"), current, only, False, request)

    def ask_again(self, current: str, only: list[str], request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """The last question once more, in its place."""
        question = self.chat.last_question(owner(request), current)
        yield from self.ask(question, current, only, True, request)

    def stopped(self, current: str, request: gr.Request) -> tuple[Any, ...]:
        """Back to what is kept; the question can be corrected and sent again."""
        if stop := self.asked.get(str(request.session_hash)):
            stop.set()  # the page is let go at once; the step under way would still be kept
        shown = self.chat.thread(owner(request), current)
        buttons = (gr.Button(visible=True), gr.Button(visible=False))
        return shown.thread, shown.conversation, gr.skip(), gr.skip(), *buttons, gr.skip()

    def edit(self, current: str, request: gr.Request) -> tuple[str, bool]:
        """The last question into the box; what is sent next takes its place."""
        return self.chat.last_question(owner(request), current), True

    def cite(self, current: str, request: gr.Request, event: gr.EventData) -> str:
        """A citation was pressed: its source."""
        steps = {side: max(0, number(event, side)) for side in ("earlier", "later")}
        with told():
            return self.chat.source(owner(request), current, number(event, "turn"), number(event, "quote"), **steps)

    def rate(self, current: str, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """A thumb was pressed; pressed again it is taken back."""
        with told():
            self.chat.rate(owner(request), current, number(event, "turn"), fact(event, "rating"))
        return self._kept(current, request)

    def comment(self, current: str, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """A comment was saved."""
        with told():
            self.chat.comment(owner(request), current, number(event, "turn"), fact(event, "comment"))
        gr.Info("The comment is saved.", duration=2)
        return self._kept(current, request)

    def _kept(self, current: str, request: gr.Request, words: str = "") -> tuple[Any, ...]:
        shown = self.chat.thread(owner(request), current)
        return shown.thread, shown.conversation, self.chat.listing(owner(request), shown.conversation, words)

    # -- conversations ---------------------------------------------------------------------------

    def _wire_conversations(self) -> None:
        # The conversation is left in the browser, at once; what the fresh page shows comes after it.
        cleared = self.fresh.click(None, None, [self.current, self.only], js="() => ['', []]", **QUIET)
        cleared.then(self.new, None, [self.thread, self.listing, self.source, self.replacing], **QUIET)
        self.listing.open(self.open_listed, None, self.opened, **QUIET)
        self.listing.rename(self.rename, [self.current, self.words], self.conversation, **QUIET)
        self.listing.delete(self.delete, [self.current, self.words], self.conversation, **QUIET)
        self.words.change(self.search, [self.current, self.words], self.listing, **QUIET)

    def open(self, current: str, request: gr.Request) -> tuple[Any, ...]:
        """The conversation that the address names, else a fresh page; no source is open, all documents are asked."""
        return *self._kept(current, request), EMPTY, [], False

    def open_listed(self, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """A conversation was pressed in the list."""
        return self.open(fact(event, "id"), request)

    def new(self, request: gr.Request) -> tuple[Any, ...]:
        """A fresh page."""
        thread, _, listing = self._kept("", request)
        return thread, listing, EMPTY, False

    def rename(self, current: str, words: str, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """Another title for one of the list."""
        with told():
            self.chat.conversations.rename(owner(request), fact(event, "id"), fact(event, "title"))
        return self._kept(current, request, words)

    def delete(self, current: str, words: str, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """One of the list is erased."""
        with told():
            self.chat.conversations.delete(owner(request), fact(event, "id"))
        return self._kept(current, request, words)

    def search(self, current: str, words: str, request: gr.Request) -> str:
        """The list, narrowed to what holds all words."""
        return self.chat.listing(owner(request), current, words)


def _api(chat: Chat) -> None:
    """What `gradio_client` and MCP call: the same contract as `POST /ask`."""

    def ask(question: str, history: list[dict[str, str]] | None = None, documents: list[str] | None = None) -> str:
        """Answer a question from the indexed documents by verbatim quotes with their places, or refuse: JSON.

        Args:
            question: the question, in plain words
            history: earlier turns, each with "question" and "text"
            documents: paths of the only documents to use; all where it is left out
        """
        with told():
            turns = [Turn.model_validate(one) for one in history or ()]
            return chat.assistant.ask(question, history=turns, documents=documents).model_dump_json()

    # As a string: a Gradio client takes every object with a `path` for a file, and would try to fetch it.
    # Not queued: through the queue MCP would call back over HTTP, and without the log-in of whoever called.
    gr.api(ask, api_name="ask", queue=False)  # type: ignore[attr-defined]  # is public, but not named in __all__
