"""The web server: `POST /ask`, the exports, and the Gradio page over one assistant."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import Any

import fastapi
import gradio as gr
import safehttpx
import uvicorn
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, ValidationError

from qa.assistant import Assistant
from qa.errors import QAError, QuestionError, StoreError
from qa.schema import Boundary, Turn
from qa.store.layout import INCOMING
from ui.app import build
from ui.chat import Chat
from ui.conversations import owner_of
from ui.errors import error_line
from ui.guard import LOOPBACK, USER, Guard, token_in
from ui.incoming import UPLOADS, Incoming
from ui.page import CSS, HIDDEN_LINKS, SYSTEM_FONTS

MAX_HISTORY = 50
UPLOAD_FILES = 20  # that one upload may hold at the largest size
END_WAIT_S = 5.0  # for a run of indexing; longer ones are broken off, which loses nothing


class AskRequest(Boundary):
    """What `POST /ask` takes."""

    question: str
    history: tuple[Turn, ...] = Field(default=(), max_length=MAX_HISTORY)
    documents: tuple[str, ...] | None = None


def create(
    assistant: Assistant,
    *,
    users: dict[str, str] | None = None,
    loopback: bool = True,
    mcp: bool = False,
    worded: str = "",
    warm: bool = False,
) -> Guard:
    """The whole application, guarded. `users`: name → password, None for no log-in.

    `worded`: the owner's words with a refusal. With `warm` the starters are looked for while the first browser comes,
    and the folder is followed while the page is served.
    """
    if mcp and not find_spec("mcp"):
        raise QAError("MCP needs the `mcp` extra; install it: pip install 'qa-quotes[mcp]'.")
    max_file_bytes = int(assistant.config.max_file_mb * 1_000_000)
    upload_bytes = UPLOAD_FILES * max_file_bytes
    incoming = Incoming(assistant.store.path / INCOMING, UPLOADS * upload_bytes)
    incoming.sweep()  # what a killed process left of uploads
    os.environ["GRADIO_TEMP_DIR"] = str(incoming.folder)  # else they would pass through a folder that others may read
    # On this machine without log-in; a name of the log-in says nothing of who runs the program.
    chat = Chat(assistant, worded=worded, owners_view=loopback and users is None)
    app = fastapi.FastAPI(
        title="Quotes or nothing",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=(lambda _: _following(chat)) if warm else None,
    )
    if warm:
        threading.Thread(target=chat.starters.questions, daemon=True).start()
    _routes(app, chat)
    page = build(chat)
    page.has_launched = True  # Gradio only then keeps files that a request names within its own folder
    safehttpx.async_validate_url = _refuse  # all that Gradio fetches passes here first
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        auth_dependency=(lambda request: request.scope.get(USER)) if users is not None else None,
        max_file_size=max_file_bytes,
        show_error=False,  # what is no `gr.Error` may name a path of this server
        ssr_mode=False,
        theme=gr.themes.Base(font=SYSTEM_FONTS, font_mono=["ui-monospace", "monospace"]),
        head=f"<style>{CSS}</style>",  # as `css`, Gradio would put each rule below its own container
        footer_links=HIDDEN_LINKS,
        enable_monitoring=False,
        run_history=False,
        mcp_server=mcp,
    )
    return Guard(app, users=users, loopback=loopback, upload_bytes=upload_bytes, incoming=incoming)


@asynccontextmanager
async def _following(chat: Chat) -> AsyncIterator[None]:
    """While the page is served, the folder is followed: what is added is answered from within seconds."""
    stop = threading.Event()
    thread = threading.Thread(target=chat.follow, args=(stop,), daemon=True, name="follow")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, END_WAIT_S)


async def _refuse(host: str, *args: Any, **options: Any) -> str:
    """Promise 8: a request may name a file by its address; this server gets nothing from elsewhere."""
    raise ValueError(f"Nothing is fetched from elsewhere ({host}).")


def _routes(app: fastapi.FastAPI, chat: Chat) -> None:
    @app.post("/ask")
    async def ask(request: Request) -> Response:
        try:
            asked = AskRequest.model_validate_json(await request.body())
            answer = await chat.assistant.aask(asked.question, history=asked.history, documents=asked.documents)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "body"
            return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)
        except QAError as error:
            return JSONResponse({"error": error_line(error)}, 422 if isinstance(error, QuestionError) else 503)
        return Response(answer.model_dump_json(), media_type="application/json")

    if chat.owners_view:

        @app.get("/conversations/rated.jsonl")
        def rated(request: Request) -> Response:
            try:
                return _file(chat.export_cases(_owner(request)), "rated.jsonl", "application/jsonl")
            except QAError as error:
                return JSONResponse({"error": error_line(error)}, 503)

    @app.get("/conversations/{identity}.{ending}")
    def export(identity: str, ending: str, request: Request) -> Response:
        kinds = {"md": "text/markdown", "json": "application/json"}
        try:
            if ending not in kinds:
                raise QAError("A conversation is exported as .md or .json.")
            return _file(chat.export(_owner(request), identity, ending), f"conversation.{ending}", kinds[ending])
        except QAError as error:
            return JSONResponse({"error": error_line(error)}, 503 if isinstance(error, StoreError) else 404)


def _owner(request: Request) -> str:
    """As `ui.events.owner`, for a request that is not Gradio's."""
    user = request.scope.get(USER)
    return owner_of("user", user) if user else owner_of("browser", token_in(request.headers.get("cookie", "")) or "")


def _file(content: str, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)


def check_binding(host: str, *, users: dict[str, str] | None, insecure: bool) -> None:
    """Raises QAError where the page would be open to a network without log-in."""
    if host not in LOOPBACK and users is None and not insecure:
        raise QAError(
            f"without log-in, anyone who reaches {host} could read the documents; pass --auth FILE, or --insecure."
        )


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any free one. Raises QAError where that cannot be."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise QAError(f"port {port} on {host} cannot be used ({error.strerror}); pass another --port.") from error


class _Server(uvicorn.Server):
    """Leaves the signals as they are: Ctrl-C ends the process at once, in one line (`qa.terminal.end_on_interrupt`).

    Uvicorn would wait for the pages that are open, which never end by themselves, and print a traceback for each.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(app: Any, listener: socket.socket) -> None:
    """Answer until interrupted."""
    config = uvicorn.Config(app, log_level="warning", server_header=False, proxy_headers=False)
    _Server(config).run([listener])
