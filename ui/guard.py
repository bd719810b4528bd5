"""The middleware that checks every request before it reaches the page: log-in, origin, size and frequency.

People and programs log in the same way, by HTTP Basic. Without log-in, a browser is recognised by a random cookie that
scripts of the page cannot read.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import nullcontext
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

from cachetools import LRUCache
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from qa.errors import QAError
from ui.incoming import Incoming

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "qa_browser"
USER = "qa_user"  # key of the request's scope with the name of the logged-in user
COOKIE_DAYS = 3650
BODY_BYTES = 4_000_000  # of a request that is no upload
REQUESTS = 300  # POST requests of a client within …
WINDOW_S = 60.0  # … this time
FAILURES = 10  # wrong passwords for a user name from an address, within the same time
ALL_FAILURES = 100  # wrong passwords from all addresses together; from then on …
SLOW_S = 2.0  # … the answer to a wrong password is delayed by this time
CLIENTS = 10_000  # whose counts are remembered
MIN_PASSWORD = 8
# Gradio would fetch such an address from another host.
_FETCHED = re.compile(r"/proxy=|/file=\s*(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))

HEADERS = {
    # Gradio's page needs inline scripts and compiles templates, but no script of the page can reach another host.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def read_passwords(text: str, source: str) -> dict[str, str]:
    """Name → password, from NAME:PASSWORD lines. Raises QAError for a faulty line; the message holds no password."""
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not colon or not name.strip() or len(password.strip()) < MIN_PASSWORD:
            raise QAError(f"{source}, line {number}: write NAME:PASSWORD with at least {MIN_PASSWORD} characters.")
        users[name.strip()] = password.strip()
    if not users:
        raise QAError(f"{source} names nobody; write a line NAME:PASSWORD for each user.")
    return users


def load_passwords(file: Path | None, environment: str | None) -> dict[str, str] | None:
    """The passwords in the file, else in the variable QA_AUTH; None when neither is given."""
    if file is not None:
        try:
            return read_passwords(file.read_text("utf-8"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise QAError(
                f"{file} cannot be read ({reason}); pass a file of NAME:PASSWORD lines with --auth."
            ) from None
    return read_passwords(environment.replace(";", "\n"), "QA_AUTH") if environment else None


class Limit:
    """Allows each client `max_events` events in `window_s` seconds. Remembers the CLIENTS most recent clients."""

    def __init__(self, max_events: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_events, self.window_s, self._clock = max_events, window_s, clock
        self._seen: LRUCache[str, tuple[float, int]] = LRUCache(CLIENTS)

    def allows(self, client: str, *, count: bool = True) -> bool:
        """Whether one more event is within the limit. The event is counted unless `count` is False."""
        now = self._clock()
        start, number = self._seen.get(client, (now, 0))
        if now - start >= self.window_s:
            start, number = now, 0
        if count:
            self._seen[client] = (start, number + 1)
        return number < self.max_events


class Guard:
    """The middleware. `users` is None without log-in; `loopback`: answer only requests to this machine's own names."""

    def __init__(
        self,
        app: App,
        *,
        users: Mapping[str, str] | None,
        loopback: bool,
        upload_bytes: int,
        incoming: Incoming | None = None,
        requests: int = REQUESTS,
    ) -> None:
        self.app = app
        self.users = users
        self.loopback = loopback
        self.upload_bytes = upload_bytes
        self.incoming = incoming
        self.posts = Limit(requests, WINDOW_S)
        self.failures = Limit(FAILURES, WINDOW_S)
        self.all_failures = Limit(ALL_FAILURES, WINDOW_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # the page needs no web socket
        headers = Headers(scope=scope)
        client = (scope.get("client") or ("",))[0]
        refusal = await self._refused(scope, headers, client)
        if refusal is not None:
            await refusal(scope, receive, _with(HEADERS, send))
            return
        extra = dict(HEADERS)
        if self.users is None:
            self._know_browser(headers, extra)
        uploads = scope["path"].endswith("/gradio_api/upload")
        max_bytes = self.upload_bytes if uploads else BODY_BYTES
        # A declared length is ignored for a body in chunks: the server does not enforce it there.
        length = 0 if "transfer-encoding" in headers else int(headers.get("content-length") or 0)
        if length > max_bytes:
            await _too_large(max_bytes)(scope, receive, _with(HEADERS, send))
            return
        with self.incoming.room(length or max_bytes) if self.incoming and uploads else nullcontext(True) as fits:
            if fits:
                await self._pass_on(max_bytes, scope, receive, _with(extra, send))
                return
        busy = _error(503, "Too many uploads are under way; try again in some minutes.", {"Retry-After": "300"})
        await busy(scope, receive, _with(HEADERS, send))

    async def _pass_on(self, max_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the page; answer 413 when its body turns out to be larger than `max_bytes`."""
        body = _Body(max_bytes, receive, send)
        try:
            await self.app(scope, body.receive, body.send)
        except ClientDisconnect:
            if not body.too_large:
                raise
        if body.too_large and not body.answered:
            await body.drain()
            await _too_large(max_bytes)(scope, receive, _with(HEADERS, send))

    async def _refused(self, scope: Scope, headers: Headers, client: str) -> JSONResponse | None:
        """The error response for a request that is not passed on; None for a request that is."""
        host = headers.get("host", "")
        if self.loopback and _hostname(host) not in LOOPBACK:  # a foreign host name that resolves to this machine
            return _error(421, "This page is only served to this machine, as localhost.")
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin and origin.partition("://")[2] != host:
            return _error(403, "Another site may not send requests here.")
        if _FETCHED.search(scope["path"]):
            return _error(403, "Nothing is fetched from elsewhere.")
        if self.users is not None:
            name, user = self._user(headers.get("authorization", ""))
            # Counted by user name too: behind a proxy all clients have one address, and none must lock out the others.
            # Unknown user names share one counter, so that invented names do not displace the counters of real ones.
            attempt = f"{client} {name if name in self.users else ''}"
            if not self.failures.allows(attempt, count=False):
                return _error(429, "Too many wrong passwords; wait a minute.")
            if user is None:
                if "authorization" in headers:
                    self.failures.allows(attempt)
                    if not self.all_failures.allows(""):
                        await asyncio.sleep(SLOW_S)
                return _error(401, "Log in.", {"WWW-Authenticate": 'Basic realm="Documents", charset="UTF-8"'})
            scope[USER] = user
        if scope["method"] == "POST" and not self.posts.allows(scope.get(USER) or client):
            return _error(429, "Too many requests; wait a minute.", {"Retry-After": "60"})
        return None

    def _user(self, authorization: str) -> tuple[str, str | None]:
        """(claimed name, the same or None if the password is wrong). Comparing takes as long for unknown names."""
        kind, _, encoded = authorization.partition(" ")
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except ValueError:  # not base64, not ASCII, or not UTF-8 inside
            return "", None
        known = (self.users or {}).get(name)
        right = hmac.compare_digest(_digest(password), _digest(known if known is not None else secrets.token_hex()))
        return name, name if right and kind.lower() == "basic" else None

    def _know_browser(self, headers: Headers, extra: dict[str, str]) -> None:
        """Give the browser a cookie if it has none."""
        if token_in(headers.get("cookie", "")):
            return
        token = secrets.token_hex(32)
        extra["Set-Cookie"] = f"{COOKIE}={token}; Path=/; Max-Age={COOKIE_DAYS * 86400}; HttpOnly; SameSite=Lax"


def token_in(cookies: str) -> str | None:
    """The browser's token in the cookie header; None when there is none, or a malformed one."""
    try:
        morsel = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel and re.fullmatch(r"[0-9a-f]{64}", morsel.value) else None


def _hostname(host: str) -> str:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return name.strip("[]").lower()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


def _with(extra: Mapping[str, str], send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in extra.items():
                headers.append(name, value) if name == "Set-Cookie" else headers.__setitem__(name, value)
        await send(message)

    return sending


def _too_large(max_bytes: int) -> JSONResponse:
    return _error(413, f"The request is too large; send at most {max_bytes:,} bytes.")


class _Body:
    """Limits a request's body. At the limit, the page sees a disconnected client; its response to that is not sent."""

    def __init__(self, limit: int, receive: Receive, send: Send) -> None:
        self.too_large = self.answered = False
        self._limit, self._seen, self._ended = limit, 0, False
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        message = await self._next()
        self.too_large |= self._seen > self._limit
        return {"type": "http.disconnect"} if self.too_large else message

    async def send(self, message: Message) -> None:
        if self.too_large and not self.answered:
            return
        self.answered = True
        await self._send(message)

    async def drain(self) -> None:
        """Receive some more of the body: a client that is still sending may not read a response yet."""
        while not self._ended and self._seen < 2 * self._limit:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        self._ended = not message.get("more_body")  # the next message would come only when the client disconnects
        return message
