"""What every request passes before it reaches the page: who asks, from where, how much and how often.

One way in for people, scripts and programs: HTTP Basic. Without log-in, a browser is known by a random cookie that
no script of the page can read.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import nullcontext
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

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
USER = "qa_user"  # where the scope says who is logged in
COOKIE_DAYS = 3650
BODY_BYTES = 4_000_000  # of anything but an upload
REQUESTS = 300  # a client may send this many posts …
WINDOW_S = 60.0  # … in this time
FAILURES = 10  # wrong passwords for a user from an address, in the same time
ALL_FAILURES = 100  # from all addresses together; after them …
SLOW_S = 2.0  # … the answer to a wrong password takes so long
CLIENTS = 10_000  # remembered
MIN_PASSWORD = 8
_FETCHED = re.compile(r"/proxy=|/file=\s*(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)  # Gradio would go and get it
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))

HEADERS = {
    # Gradio's page needs inline scripts and compiles templates; whatever runs there can reach no other host.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def read_passwords(text: str, source: str) -> dict[str, str]:
    """NAME:PASSWORD, one a line; raises QAError with what is wrong, never with a password."""
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not colon or not name.strip() or len(password.strip()) < MIN_PASSWORD:
            raise QAError(f"{source}, line {number}: write NAME:PASSWORD with at least {MIN_PASSWORD} characters.")
        users[name.strip()] = password.strip()
    if not users:
        raise QAError(f"{source} names nobody; write NAME:PASSWORD, one a line.")
    return users


def load_passwords(file: Path | None, environment: str | None) -> dict[str, str] | None:
    """The passwords of a file, else of the environment's QA_AUTH; None where neither is given."""
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
    """At most `most` events of a client in `window_s` seconds; forgets the clients that were longest quiet."""

    def __init__(self, most: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.window_s, self._clock = most, window_s, clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allows(self, client: str, *, count: bool = True) -> bool:
        """Whether one more is within the limit; it is counted, unless `count` is False."""
        now = self._clock()
        start, number = self._seen.get(client, (now, 0))
        if now - start >= self.window_s:
            start, number = now, 0
        if count:
            self._seen[client] = (start, number + 1)
            self._seen.move_to_end(client)
            while len(self._seen) > CLIENTS:
                self._seen.popitem(last=False)
        return number < self.most


class Guard:
    """The middleware. `users` None: no log-in; then with `loopback` only this machine's names are answered."""

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
        most = self.upload_bytes if uploads else BODY_BYTES
        # What comes in chunks has no length, whatever it says beside: its server does not hold it to that.
        length = 0 if "transfer-encoding" in headers else int(headers.get("content-length") or 0)
        if length > most:
            await _too_large(most)(scope, receive, _with(HEADERS, send))
            return
        with self.incoming.room(length or most) if self.incoming and uploads else nullcontext(True) as fits:
            if fits:
                await self._pass_on(most, scope, receive, _with(extra, send))
                return
        busy = _error(503, "Too many uploads are under way; try again in some minutes.", {"Retry-After": "300"})
        await busy(scope, receive, _with(HEADERS, send))

    async def _pass_on(self, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        """To the page; a body without a length becomes a 413 where it exceeds the limit."""
        body = _Body(most, receive, send)
        try:
            await self.app(scope, body.receive, body.send)
        except ClientDisconnect:
            if not body.too_large:
                raise
        if body.too_large and not body.answered:
            await body.drain()
            await _too_large(most)(scope, receive, _with(HEADERS, send))

    async def _refused(self, scope: Scope, headers: Headers, client: str) -> JSONResponse | None:
        """The answer to a request that goes no further."""
        host = headers.get("host", "")
        if self.loopback and _hostname(host) not in LOOPBACK:  # a foreign name that was pointed at this machine
            return _error(421, "This page is only served to this machine, as localhost.")
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin and origin.partition("://")[2] != host:
            return _error(403, "Another site may not send requests here.")
        if _FETCHED.search(scope["path"]):
            return _error(403, "Nothing is fetched from elsewhere.")
        if self.users is not None:
            name, user = self._user(headers.get("authorization", ""))
            # By name too: behind a proxy all have one address, and nobody shall lock out the others. Names that nobody
            # has are one, so that making some up does not push the others out of what is remembered.
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
        """Who this says to be, and who it is: compared in constant time, for unknown names too."""
        kind, _, encoded = authorization.partition(" ")
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except ValueError:  # not base64, not ASCII, or not UTF-8 inside
            return "", None
        known = (self.users or {}).get(name)
        right = hmac.compare_digest(_digest(password), _digest(known if known is not None else secrets.token_hex()))
        return name, name if right and kind.lower() == "basic" else None

    def _know_browser(self, headers: Headers, extra: dict[str, str]) -> None:
        """Give a browser that has none its cookie."""
        if token_in(headers.get("cookie", "")):
            return
        token = secrets.token_hex(32)
        extra["Set-Cookie"] = f"{COOKIE}={token}; Path=/; Max-Age={COOKIE_DAYS * 86400}; HttpOnly; SameSite=Lax"


def token_in(cookies: str) -> str | None:
    """The browser's token, where the header holds a well-formed one."""
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


def _too_large(most: int) -> JSONResponse:
    return _error(413, f"The request is too large; send at most {most:,} bytes.")


class _Body:
    """A body that ends where it exceeds the limit, as if its client had gone; what is answered to that is not sent."""

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
        """Take in some more, for who still sends may not look for an answer yet."""
        while not self._ended and self._seen < 2 * self._limit:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        self._ended = not message.get("more_body")  # what is asked for after that comes when the client leaves
        return message
