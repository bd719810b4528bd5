"""The server without a browser: the contract's JSON, log-in, limits, and nothing served that should not be."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio import processing_utils
from gradio_client import Client
from starlette.requests import Request
from starlette.responses import JSONResponse

from qa.assistant import Assistant
from qa.config import Config
from qa.errors import QAError
from qa.schema import Answered, Refused
from tests.chatting import chat_server, write_folder
from tests.commands import invoke
from tests.conftest import ROOT
from tests.stores import fill
from ui.__main__ import main
from ui.guard import ALL_FAILURES, COOKIE, SLOW_S, Guard, Limit, load_passwords, read_passwords, token_in
from ui.incoming import Incoming
from ui.server import bind, check_binding, create

USERS = {"ada": "correct horse", "bob": "battery staple"}


@pytest.fixture(scope="module")
def served(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Assistant]]:
    place = tmp_path_factory.mktemp("served")
    with chat_server(write_folder(place / "docs"), place / "store", config) as both:
        yield both


@pytest.fixture(scope="module")
def url(served: tuple[str, Assistant]) -> str:
    return served[0]


@pytest.fixture(scope="module")
def locked(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("locked")
    with chat_server(write_folder(place / "docs"), place / "store", config, users=USERS, loopback=False) as (url, _):
        yield url


def test_ask_is_the_contract(url: str) -> None:
    answer = httpx.post(f"{url}ask", json={"question": "Who is the lifeguard?"}).json()
    parsed = Answered.model_validate(answer)
    assert parsed.quotes[0].text == "The lifeguard is Ilse Brandt."
    refusal = httpx.post(f"{url}ask", json={"question": "Who is the mayor?", "documents": ["pool.txt"]}).json()
    assert Refused.model_validate(refusal).trace.documents == ("pool.txt",)
    turns = [{"question": "When is the pool closed?", "text": ""}]
    follow = httpx.post(f"{url}ask", json={"question": "And who is its lifeguard?", "history": turns}).json()
    assert follow["trace"]["history"] == turns


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ("", 422, "JSON"),
        ("[]", 422, "object"),
        ('{"question": 1}', 422, "question"),
        ('{"question": "x", "other": 1}', 422, "other"),
        ('{"question": "x", "documents": ["/etc/passwd"]}', 422, "not an indexed document"),
        (json.dumps({"question": "a" * 1_000_000}), 422, "1,000,000 characters; ask in at most 100,000"),
        (json.dumps({"question": "a" * 5_000_000}), 413, "too large"),
        (json.dumps({"question": "x", "history": [{"question": "y"}] * 51}), 422, "history"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(url: str, body: str, status: int, told: str) -> None:
    response = httpx.post(f"{url}ask", content=body)
    assert response.status_code == status
    assert told in response.json()["error"]
    assert len(response.json()["error"]) < 200


def test_a_body_without_a_length_is_limited_too(url: str) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"question": "'
        for _ in range(60):
            yield b"a" * 100_000

    response = httpx.post(f"{url}ask", content=parts())
    assert response.status_code == 413
    assert "at most 4,000,000 bytes" in response.json()["error"]
    assert httpx.post(f"{url}ask", json={"question": "Who is the lifeguard?"}).status_code == 200


def test_gradio_client_gives_the_same(url: str) -> None:
    client = Client(url, verbose=False)
    answer = Answered.model_validate_json(client.predict("Who is the lifeguard?", api_name="/ask"))
    assert answer.quotes[0].document == "pool.txt"
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/ask"}, "the page's own events are no API"


def test_plain_http_gives_the_same(url: str) -> None:
    called = httpx.post(f"{url}gradio_api/call/ask", json={"data": ["Who is the lifeguard?", None, None]}).json()
    events = httpx.get(f"{url}gradio_api/call/ask/{called['event_id']}").text
    assert "event: complete" in events
    assert "Ilse Brandt" in events


def test_the_page_names_no_other_host(url: str) -> None:
    page = httpx.get(url)
    policy = page.headers["content-security-policy"]
    assert "connect-src 'self'" in policy
    assert "http:" not in policy
    for path in ("theme.css", "config"):
        text = httpx.get(f"{url}{path}").text
        assert "fonts.googleapis" not in text
    assert httpx.get(f"{url}config").json()["analytics_enabled"] is False
    assert page.headers["x-content-type-options"] == "nosniff"


def test_documents_and_the_store_are_not_served(served: tuple[str, Assistant]) -> None:
    url, assistant = served
    assistant.add_upload("kept.txt", b"An upload of some words.")
    conversation = assistant.store.path / "conversations"
    paths = [
        assistant.store.docs / "pool.txt",
        assistant.store.path / "library.sqlite",
        conversation,
        Path("/etc/passwd"),
    ]
    paths += [assistant.store.path / "uploads" / "kept.txt"]
    for path in paths:
        for route in ("gradio_api/file=", "file=", "gradio_api/file/", "static/", ""):
            response = httpx.get(f"{url}{route}{path}")
            assert response.status_code in (400, 403, 404), (route, path)
    assistant.delete_upload("uploads/kept.txt")


@pytest.mark.parametrize(
    "where", ["/etc/hostname", "{docs}/pool.txt", "{store}/library.sqlite", "http://127.0.0.1:1/x"]
)
def test_a_request_cannot_name_a_file_to_be_copied_or_fetched(served: tuple[str, Assistant], where: str) -> None:
    url, assistant = served
    path = where.format(docs=assistant.store.docs, store=assistant.store.path)
    named = {"path": path, "url": path, "orig_name": "x.txt", "meta": {"_type": "gradio.FileData"}}
    begun = httpx.post(f"{url}gradio_api/call/ask", json={"data": [named, None, None]})
    said = (
        httpx.get(f"{url}gradio_api/call/ask/{begun.json()['event_id']}", timeout=30).text if begun.is_success else ""
    )
    assert "event: complete" not in said
    assert not [one for one in (assistant.store.path / "incoming").rglob("*") if one.is_file()]


def test_nothing_is_fetched_from_elsewhere(served: tuple[str, Assistant], url: str) -> None:
    for path in (
        "file=https://example.org/x",
        "file=HTTP://example.org/x",
        "file=//example.org/x",
        "proxy=https://a.hf.space/x",
    ):
        assert httpx.get(f"{url}gradio_api/{path}").status_code == 403, path
    assert httpx.get(f"{url}gradio_api/file%3Dhttps%3A%2F%2Fexample.org%2Fx").status_code == 403
    with pytest.raises(ValueError, match="Nothing is fetched"):
        asyncio.run(processing_utils.async_ssrf_protected_download("https://example.org/x", str(served[1].store.path)))


def test_another_site_cannot_reach_it(url: str) -> None:
    question = {"question": "Who is the lifeguard?"}
    assert httpx.post(f"{url}ask", json=question, headers={"Origin": "https://evil.example"}).status_code == 403
    assert httpx.post(f"{url}ask", json=question, headers={"Origin": "null"}).status_code == 403
    assert httpx.post(f"{url}ask", json=question, headers={"Origin": url.rstrip("/")}).status_code == 200
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421, "DNS rebinding"
    assert httpx.get(url, headers={"Host": "localhost:1"}).status_code == 200


def test_a_browser_gets_a_token_that_scripts_cannot_read(url: str) -> None:
    first = httpx.get(url)
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=315360000" in cookie
    token = token_in(cookie)
    assert token
    again = httpx.get(url, headers={"Cookie": f"{COOKIE}={token}"})
    assert "set-cookie" not in again.headers
    assert httpx.get(url).headers["set-cookie"] != cookie
    for wrong in ("", "a=b", f"{COOKIE}=short", f"{COOKIE}={'g' * 64}", "\x00"):
        assert token_in(wrong) is None


def test_nothing_without_log_in(locked: str) -> None:
    for path in ("", "config", "theme.css", "gradio_api/info", "conversations/rated.jsonl", "gradio_api/file=x"):
        response = httpx.get(f"{locked}{path}")
        assert response.status_code == 401, path
        assert "pool" not in response.text
    assert httpx.post(f"{locked}ask", json={"question": "x"}).status_code == 401
    assert httpx.post(f"{locked}ask", json={"question": "x"}, auth=("ada", "battery staple")).status_code == 401
    assert httpx.post(f"{locked}ask", json={"question": "x"}, headers={"Authorization": "Basic !"}).status_code == 401
    answer = httpx.post(f"{locked}ask", json={"question": "Who is the lifeguard?"}, auth=("ada", USERS["ada"]))
    assert answer.json()["status"] == "answered"


@pytest.mark.parametrize(
    ("options", "owners"),
    [({}, True), ({"users": USERS}, False), ({"users": USERS, "loopback": False}, False), ({"loopback": False}, False)],
)
def test_rated_answers_are_for_who_runs_it(
    served: tuple[str, Assistant], options: dict[str, Any], owners: bool
) -> None:
    """Without log-in on this machine; guests, whether logged in or not, have no use for eval cases."""
    guard = create(served[1], **options)

    async def asked() -> tuple[str, int]:
        transport = httpx.ASGITransport(guard)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", auth=("ada", USERS["ada"])
        ) as client:
            return (await client.get("/config")).text, (await client.get("/conversations/rated.jsonl")).status_code

    page, status = asyncio.run(asked())
    assert ("Rated answers as eval cases" in page) == owners
    assert ("qa-eval run" in page) == owners
    assert status == (200 if owners else 404)


def test_gradio_client_logs_in(locked: str) -> None:
    word = base64.b64encode(f"ada:{USERS['ada']}".encode()).decode()
    client = Client(locked, verbose=False, headers={"Authorization": f"Basic {word}"})
    assert json.loads(client.predict("Who is the lifeguard?", api_name="/ask"))["status"] == "answered"


def test_wrong_passwords_run_out(config: Config, tmp_path: Path) -> None:
    options = {"users": USERS, "loopback": False}
    with chat_server(write_folder(tmp_path / "docs"), tmp_path / "store", config, **options) as (url, _):
        codes = [httpx.get(url, auth=("ada", f"guess {n}")).status_code for n in range(12)]
        others = [httpx.get(url, auth=("bob", USERS["bob"])).status_code, httpx.get(url).status_code]
        nobody = [httpx.get(url, auth=(f"name {n}", "guess")).status_code for n in range(12)]
        right = httpx.get(url, auth=("ada", USERS["ada"])).status_code
    assert codes == [401] * 10 + [429] * 2
    assert others == [200, 401], "who shares an address with a guesser is not locked out"
    assert nobody == [401] * 10 + [429] * 2, "made-up names are counted together"
    assert right == 429


def test_many_wrong_passwords_from_anywhere_slow_the_next_down(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse({})(scope, receive, send)

    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float, *args: Any) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr("ui.guard.asyncio.sleep", sleep)

    async def guessing() -> list[int]:
        guard: Any = Guard(app, users=USERS, loopback=False, upload_bytes=10)
        codes = []
        for number in range(ALL_FAILURES + 5):
            transport = httpx.ASGITransport(guard, client=(f"10.0.0.{number}", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                codes.append((await client.get("/", auth=("ada", "guess"))).status_code)
                codes.append((await client.get("/", auth=("ada", USERS["ada"]))).status_code)
        return codes

    assert asyncio.run(guessing()) == [401, 200] * (ALL_FAILURES + 5), "nobody is locked out"
    assert slept.count(SLOW_S) == 5


@pytest.mark.parametrize("said", ["Basic ä", "Basic w6Q", "Basic /w==", "Basic", "ä", ""])
def test_what_is_no_log_in_is_told_to_log_in(said: str) -> None:
    guard: Any = Guard(JSONResponse({}), users=USERS, loopback=False, upload_bytes=10)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://localhost")
    assert asyncio.run(client.get("/", headers=[(b"Authorization", said.encode("latin-1"))])).status_code == 401


@pytest.mark.parametrize(
    ("headers", "reserved"),
    [
        ({"Content-Length": "7"}, 7),
        ({"Transfer-Encoding": "chunked"}, 50),
        ({"Content-Length": "7", "Transfer-Encoding": "chunked"}, 50),
    ],
)
def test_room_is_kept_for_the_most_that_may_come(tmp_path: Path, headers: dict[str, str], reserved: int) -> None:
    incoming = Incoming(tmp_path, 100)
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(incoming._expected)
        await JSONResponse({})(scope, receive, send)

    guard: Any = Guard(app, users=None, loopback=True, upload_bytes=50, incoming=incoming)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://localhost")
    assert asyncio.run(client.post("/gradio_api/upload", content=b"a" * 7, headers=headers)).status_code == 200
    assert (seen, incoming._expected) == ([reserved], 0)


@pytest.mark.parametrize("sizes", [[60], [7, 60], [7, 60, 7], [60] * 5])
def test_what_is_too_large_is_refused_wherever_its_body_ends(sizes: list[int]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()

    async def sending() -> list[dict[str, Any]]:
        coming, sent = list(sizes), list[dict[str, Any]]()

        async def receive() -> dict[str, Any]:
            if not coming:  # as a server does where all has come and the client waits for its answer
                await asyncio.Event().wait()
            return {"type": "http.request", "body": b"a" * coming.pop(0), "more_body": bool(coming)}

        async def send(message: Any) -> None:
            sent.append(message)

        guard = Guard(app, users=None, loopback=True, upload_bytes=50)
        headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
        scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}
        await asyncio.wait_for(guard(scope, receive, send), timeout=20)
        return sent

    assert asyncio.run(sending())[0]["status"] == 413


def test_the_rate_is_limited() -> None:
    now = [0.0]
    limit = Limit(2, 60, lambda: now[0])
    assert [limit.allows("a") for _ in range(3)] == [True, True, False]
    assert limit.allows("b")
    now[0] = 61
    assert limit.allows("a")


def test_too_many_requests_are_refused() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse({})(scope, receive, send)

    async def asking() -> list[int]:
        guard: Any = Guard(app, users=None, loopback=True, upload_bytes=10, requests=3)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://localhost") as client:
            posts = [(await client.post("/ask", json={})).status_code for _ in range(5)]
            return [*posts, (await client.get("/")).status_code]

    assert asyncio.run(asking()) == [200, 200, 200, 429, 429, 200], "reading goes on"


def test_an_upload_has_a_largest_size(config: Config, tmp_path: Path) -> None:
    small = replace(config, max_file_mb=0.01)
    with chat_server(write_folder(tmp_path / "docs"), tmp_path / "store", small) as (url, _):
        codes = [
            httpx.post(f"{url}gradio_api/upload", files={"files": ("a.txt", b"a" * size)}).status_code
            for size in (1000, 20_000, 300_000)
        ]
    assert codes == [200, 413, 413], "of one file, and of all together before they are read"


def test_an_upload_without_a_length_has_one_too(config: Config, tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        for number in range(40):
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="%d.txt"\r\n\r\n' % number
            yield b"a" * 9000 + b"\r\n"

    small = replace(config, max_file_mb=0.01)
    with chat_server(write_folder(tmp_path / "docs"), tmp_path / "store", small) as (url, _):
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        response = httpx.post(f"{url}gradio_api/upload", content=parts(), headers=kind)
        assert response.status_code == 413
        assert "at most 200,000 bytes" in response.json()["error"]


def test_uploads_that_nothing_takes_up_have_a_limit(config: Config, tmp_path: Path) -> None:
    small = replace(config, max_file_mb=0.01)
    with chat_server(write_folder(tmp_path / "docs"), tmp_path / "store", small) as (url, assistant):

        def upload(number: int) -> int:
            files = [("files", (f"{number}-{one}.txt", os.urandom(4500).hex())) for one in range(20)]
            return httpx.post(f"{url}gradio_api/upload", files=files).status_code

        codes = [upload(number) for number in range(4)]
        assert codes == [200, 200, 503, 503]
        incoming = assistant.store.path / "incoming"
        sent = [path for path in incoming.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in sent) <= 400_000
        for path in sent:
            os.utime(path, (1, 1))
        assert upload(5) == 200
        assert not any(path.exists() for path in sent)


def test_room_for_uploads_is_shared_and_swept_by_age_alone(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path, 100)
    with incoming.room(60) as first, incoming.room(60) as second:
        assert (first, second) == (True, False)
        with incoming.room(40) as third:
            assert third
    with incoming.room(100) as fits:
        assert fits
    fill(tmp_path, {"ab/mine.txt": "x" * 30, "cd/another.txt": "y" * 50})
    (tmp_path / "link").symlink_to("/etc")
    os.utime(tmp_path / "ab" / "mine.txt", (1, 1))
    os.utime(tmp_path / "ab", (1, 1))
    assert 50 <= incoming.sweep() < 60
    assert not (tmp_path / "ab" / "mine.txt").exists()
    assert (tmp_path / "cd" / "another.txt").exists(), "what is young may be another chat's"
    incoming.sweep(now_s=time.time() + 10_000)
    assert list(tmp_path.iterdir()) == [] or not any(path.is_file() for path in tmp_path.rglob("*"))
    assert Path("/etc").is_dir()


def test_a_second_chat_leaves_the_uploads_of_the_first(served: tuple[str, Assistant]) -> None:
    url, assistant = served
    sent = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.txt", b"On its way.")}).json()[0]
    create(assistant)
    assert Path(sent).read_bytes() == b"On its way."


def test_what_is_added_is_answered_from_while_the_chat_runs(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.following.LOOK_S", 0.05)
    docs = write_folder(tmp_path / "docs")

    def ask() -> Any:
        return httpx.post(f"{url}ask", json={"question": "Who steers the ferry?"}).json()

    with chat_server(docs, tmp_path / "store", config, warm=True) as (url, _):
        assert ask()["status"] == "refused"
        (docs / "ferry.txt").write_text("Mia Holm steers the ferry.")
        end = time.monotonic() + 30
        while ask()["status"] == "refused":
            assert time.monotonic() < end
        assert ask()["quotes"][0]["document"] == "ferry.txt"
        (docs / "ferry.txt").unlink()
        gone = ask()
        assert gone["status"] == "refused"
        assert "Mia" not in json.dumps(gone["nearest"])
    names = [thread.name for thread in threading.enumerate() if "follow" in thread.name]
    assert names == [], "it ends with the server"


def test_it_is_not_open_to_a_network_without_log_in() -> None:
    for host in ("0.0.0.0", "192.168.1.2", "::", "example.org"):
        with pytest.raises(QAError, match="--auth"):
            check_binding(host, users=None, insecure=False)
        check_binding(host, users=USERS, insecure=False)
        check_binding(host, users=None, insecure=True)
    for host in ("127.0.0.1", "localhost", "::1"):
        check_binding(host, users=None, insecure=False)


def test_passwords_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("# who may\nada:correct horse\n\nbob: battery:staple \n")
    assert load_passwords(tmp_path / "users", None) == {"ada": "correct horse", "bob": "battery:staple"}
    assert load_passwords(None, "ada:correct horse;bob:battery staple") == USERS
    assert load_passwords(None, None) is None
    assert load_passwords(None, "") is None
    for text in ("", "ada", ":secret-secret", "ada:short"):
        with pytest.raises(QAError) as error:
            read_passwords(text, "users")
        assert "secret-secret" not in str(error.value)
    with pytest.raises(QAError, match="cannot be read"):
        load_passwords(tmp_path / "none", None)


def test_the_quick_start_leaves_gradio_as_it_is_but_for_its_stubs() -> None:
    code = (
        "import gc, sys; from ui.start import STUBS, WRITES_STUBS, _nothing, quick\n"
        "with quick(): import gradio\n"
        "assert getattr(sys.modules[STUBS], WRITES_STUBS) is _nothing\n"
        "assert gc.isenabled() and not any('ui.start' in type(one).__module__ for one in sys.meta_path)\n"
        "with gradio.Blocks(): assert callable(gradio.Button().click)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_with_a_page_open_is_one_line(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "The pool opens at nine.\n"})
    command = [sys.executable, "-m", "ui", "--docs", str(docs), "--store", str(tmp_path / "store"), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        url = next(line.split()[4] for line in process.stderr if line.startswith("The chat is at "))
        # What an open page keeps open, and never ends by itself.
        with httpx.stream("GET", f"{url}gradio_api/heartbeat/page", timeout=60) as page:
            pieces = page.iter_text()  # kept: dropped, it would close the stream
            assert next(pieces).startswith("data:")
            process.send_signal(signal.SIGINT)
            told = process.stderr.read()
    assert (process.returncode, told) == (130, "\nInterrupted; nothing is lost, the next run goes on.\n")


def test_a_taken_port_is_one_line() -> None:
    with bind("127.0.0.1", 0) as taken, pytest.raises(QAError, match="pass another --port"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_mcp_without_its_extra_is_one_line(served: tuple[str, Assistant], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.server.find_spec", lambda name: None)
    with pytest.raises(QAError, match=r"pip install 'qa-quotes\[mcp\]'"):
        create(served[1], mcp=True)


def test_the_command_refuses_to_be_open(tmp_path: Path) -> None:
    done = invoke(main, "--host", "0.0.0.0", "--port", "0", QA_DATA_DIR=str(tmp_path), QA_AUTH="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--auth FILE" in done.stderr
