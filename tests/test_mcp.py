"""`qa-chat --mcp`: `ask` is the only tool, gives the contract's JSON, and is behind the log-in."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from qa.config import Config
from qa.schema import Answered, Refused
from tests.chatting import chat_server, write_folder

pytestmark = [
    pytest.mark.skipif(find_spec("mcp") is None, reason="pip install --editable '.[mcp]' to run this test"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),  # of the client
]
USERS = {"ada": "correct horse"}
ENDPOINT = "gradio_api/mcp/"


@pytest.fixture(scope="module")
def url(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("mcp")
    with chat_server(write_folder(place / "docs"), place / "store", config, mcp=True) as (url, _):
        yield url + ENDPOINT


def session(url: str, headers: dict[str, str] | None = None) -> AbstractAsyncContextManager[Any]:
    """A client that is ready to call."""

    @asynccontextmanager
    async def opened() -> Any:
        from mcp import ClientSession
        from mcp.client.streamable_http import streamablehttp_client

        async with (
            streamablehttp_client(url, headers=headers) as (reading, writing, _),
            ClientSession(reading, writing) as client,
        ):
            await client.initialize()
            yield client

    return opened()


def call(url: str, *, headers: dict[str, str] | None = None, **arguments: Any) -> Any:
    async def calling() -> Any:
        async with session(url, headers) as client:
            return await client.call_tool("ask", arguments)

    return asyncio.run(calling())


def test_ask_is_the_only_tool(url: str) -> None:
    async def listing() -> Any:
        async with session(url) as client:
            return (await client.list_tools()).tools

    (tool,) = asyncio.run(listing())
    assert tool.name == "ask"
    assert "verbatim quotes" in tool.description
    assert set(tool.inputSchema["properties"]) == {"question", "history", "documents"}
    assert tool.inputSchema["required"] == ["question"]


def test_it_answers_and_refuses(url: str) -> None:
    answer = Answered.model_validate_json(call(url, question="Who is the lifeguard?").content[0].text)
    assert answer.quotes[0].text == "The lifeguard is Ilse Brandt."
    turns = [{"question": "How many places has room 1?", "text": ""}]
    follow = Answered.model_validate_json(call(url, question="And room 2?", history=turns).content[0].text)
    assert "6 places" in follow.quotes[0].text
    told = call(url, question="Who is the lifeguard?", documents=["sauna.md"])
    assert Refused.model_validate_json(told.content[0].text).trace.documents == ("sauna.md",)


def test_what_is_wrong_is_an_error_of_the_tool(url: str) -> None:
    done = call(url, question="Who?", documents=["/etc/passwd"])
    assert done.isError
    assert "root:" not in done.content[0].text


def test_it_is_behind_the_log_in(config: Config, tmp_path: Path) -> None:
    options: dict[str, Any] = {"users": USERS, "loopback": False, "mcp": True}
    with chat_server(write_folder(tmp_path / "docs"), tmp_path / "store", config, **options) as (url, _):
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert httpx.post(url + ENDPOINT, json=asked).status_code == 401
        word = base64.b64encode(f"ada:{USERS['ada']}".encode()).decode()
        done = call(url + ENDPOINT, headers={"Authorization": f"Basic {word}"}, question="Who is the lifeguard?")
        assert "Ilse Brandt" in done.content[0].text
