"""Conversations on disk: one JSON file each, in a folder for each owner. Nobody reads another's.

An owner is a hash of the log-in name or of the browser's token: the names of the folders tell neither.
"""

import hashlib
import itertools
import json
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cachetools import LRUCache
from filelock import FileLock
from pydantic import Field, PrivateAttr

from qa.errors import QAError
from qa.schema import Answer, Answered, Boundary, Refused, Turn
from qa.store.disk import disk_error
from qa.store.locks import hold
from qa.text import shorten
from ui.saved import VERSION, Unknown, brought_up_to_date, known_part, put_back

log = logging.getLogger(__name__)

TITLE_CHARS = 80
COMMENT_CHARS = 2000
MAX_TURNS = 200
MAX_CONVERSATIONS = 2000  # of one owner
TURN_S = 10.0  # that a change waits for those of others
HISTORY_TURNS = 8  # that the next question may lean on
REMEMBERED_LINES = 5000  # of the lists, over all owners

Rating = Literal["up", "down"]


class ConversationError(QAError):
    """There is no such conversation, or what is asked of it cannot be done."""


class Exchange(Boundary):
    """A question, its whole result, and what a person thought of it."""

    asked_at: datetime
    answer: Answer
    rating: Rating | None = None
    comment: str = Field(default="", max_length=COMMENT_CHARS)


class Conversation(Boundary):
    """What is kept of one conversation."""

    version: int = VERSION
    id: str
    title: str
    created: datetime
    updated: datetime
    exchanges: tuple[Exchange, ...] = ()
    _unknown: Unknown = PrivateAttr(default=())  # fields of a later version; they are written again

    @classmethod
    def of_json(cls, content: bytes) -> "Conversation":
        """The conversation in a file of any version; raises ValueError where there is none."""
        try:
            made, unknown = known_part(brought_up_to_date(json.loads(content)), cls)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a conversation: {error!r}") from error
        made._unknown = unknown
        return made

    def to_json(self) -> bytes:
        """What is written to its file."""
        return json.dumps(put_back(self.model_dump(mode="json"), self._unknown), ensure_ascii=False).encode()

    def changed(self, **update: object) -> "Conversation":
        """With these fields changed; unknown fields stay with the exchanges that have them."""
        made = self.model_copy(update=update)
        same = {n for n, pair in enumerate(zip(self.exchanges, made.exchanges, strict=False)) if _is_same(*pair)}
        made._unknown = tuple(item for item in self._unknown if item[0][0] != "exchanges" or item[0][1] in same)
        return made

    def history(self, before: int | None = None) -> list[Turn]:
        """The earlier turns as `ask` takes them."""
        turns = [Turn(question=each.answer.asked, text=each.answer.text) for each in self.exchanges[:before]]
        return turns[-HISTORY_TURNS:]


class Summary(Boundary):
    """A line of the list."""

    id: str
    title: str
    updated: datetime
    turns: int


@dataclass(frozen=True, slots=True)
class _Line:
    """What the list and its search need of a file in this state."""

    state: tuple[int, int, int, int]
    summary: Summary
    words: str


def owner_of(kind: Literal["user", "browser"], name: str) -> str:
    """The folder name of a log-in name or of a browser's token."""
    return hashlib.sha256(f"{kind}\0{name}".encode()).hexdigest()[:32]


class Conversations:
    """The folder of all conversations, mode 0700. Safe to share between threads, and with other processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._turns = FileLock(folder / "turns.lock", mode=0o600)
        self._lines: LRUCache[Path, _Line] = LRUCache(REMEMBERED_LINES)

    def summaries(self, owner: str, words: str = "", *, max_count: int | None = None) -> list[Summary]:
        """The owner's conversations, newest first; with `words`, those that hold all of them in any turn or title.

        No more than `max_count` are looked for, and a file that is as it was is not opened again.
        """
        wanted = words.lower().split()
        lines = (line for path in self._newest(owner) if (line := self._line(path)) is not None)
        found = (line.summary for line in lines if all(word in line.words for word in wanted))
        return list(itertools.islice(found, max_count))

    def get(self, owner: str, identity: str) -> Conversation:
        """One conversation; raises ConversationError unless it is this owner's."""
        one = self._read(self._path(owner, identity))
        if one is None:
            raise ConversationError("There is no such conversation; it may have been deleted.")
        return one

    def add(self, owner: str, identity: str | None, answer: Answered | Refused) -> Conversation:
        """Append to a conversation, or begin one (None)."""
        with self._turn():
            now = datetime.now(UTC)
            exchange = Exchange(asked_at=now, answer=answer)
            if identity is None:
                if sum(1 for _ in self._files(owner)) >= MAX_CONVERSATIONS:
                    raise ConversationError(f"There are {MAX_CONVERSATIONS:,} conversations; delete some first.")
                title = shorten(answer.question, TITLE_CHARS) or "No question"
                fresh = secrets.token_hex(16)
                return self._write(
                    owner, Conversation(id=fresh, title=title, created=now, updated=now, exchanges=(exchange,))
                )
            known = self.get(owner, identity)
            if len(known.exchanges) >= MAX_TURNS:
                raise ConversationError(f"This conversation has {MAX_TURNS} turns; begin a new one.")
            return self._change(owner, known, updated=now, exchanges=(*known.exchanges, exchange))

    def replace_last(self, owner: str, identity: str, answer: Answered | Refused, *, turns: int) -> Conversation:
        """Put a new result in the last one's place (asked again, or edited), where there are still so many turns."""
        with self._turn():
            known, now = self.get(owner, identity), datetime.now(UTC)
            if len(known.exchanges) != turns:
                raise ConversationError("The conversation has gone on elsewhere meanwhile; ask again.")
            kept = known.exchanges[:-1]
            return self._change(owner, known, updated=now, exchanges=(*kept, Exchange(asked_at=now, answer=answer)))

    def rename(self, owner: str, identity: str, title: str) -> Conversation:
        """Give it another title; an empty one leaves the old."""
        with self._turn():
            known = self.get(owner, identity)
            return self._change(owner, known, title=shorten(title, TITLE_CHARS) or known.title)

    def rate(self, owner: str, identity: str, turn: int, rating: Rating) -> Conversation:
        """Note a thumb up or down beside an answer; the same once more takes it back."""
        return self._judge(owner, identity, turn, lambda old: {"rating": None if old.rating == rating else rating})

    def comment(self, owner: str, identity: str, turn: int, comment: str) -> Conversation:
        """Note words beside an answer, in place of those before."""
        return self._judge(owner, identity, turn, lambda old: {"comment": comment[:COMMENT_CHARS]})

    def _judge(
        self, owner: str, identity: str, turn: int, change: Callable[[Exchange], dict[str, object]]
    ) -> Conversation:
        with self._turn():
            known = self.get(owner, identity)
            if not 0 <= turn < len(known.exchanges):
                raise ConversationError("There is no such answer in this conversation.")
            old = known.exchanges[turn]
            new = old.model_copy(update=change(old))
            return self._change(owner, known, exchanges=(*known.exchanges[:turn], new, *known.exchanges[turn + 1 :]))

    def delete(self, owner: str, identity: str) -> None:
        """Erase it; raises ConversationError where there is none."""
        with self._turn():
            self.get(owner, identity)
            path = self._path(owner, identity)
            for file in (path, *path.parent.glob(f"{path.stem}.*.partial")):
                file.unlink(missing_ok=True)

    def all_of(self, owner: str) -> list[Conversation]:
        """All of an owner's conversations, oldest first."""
        return sorted(self._all(owner), key=lambda one: (one.created, one.id))

    # -- files -----------------------------------------------------------------------------------

    def _path(self, owner: str, identity: str) -> Path:
        """The file; raises ConversationError for anything that is not an id (it may come from anywhere)."""
        if not re.fullmatch(r"[0-9a-f]{32}", owner) or not re.fullmatch(r"[0-9a-f]{32}", identity):
            raise ConversationError("There is no such conversation; it may have been deleted.")
        return self.folder / owner / f"{identity}.json"

    def _files(self, owner: str) -> list[Path]:
        return sorted((self.folder / owner).glob("*.json"))

    def _newest(self, owner: str) -> list[Path]:
        """The files, the last changed first: a file's time is its conversation's (`_write`), so none is opened."""
        times = []
        for path in (self.folder / owner).glob("*.json"):
            with suppress(FileNotFoundError):  # deleted just now
                times.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(times, reverse=True)]

    def _line(self, path: Path) -> _Line | None:
        """The line of a file; None where it cannot be read."""
        try:
            now = path.stat()
        except FileNotFoundError:
            return None
        state = (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
        with self._lock:
            known = self._lines.get(path)
        if known is None or known.state != state:
            one = self._read(path)
            if one is None:
                return None
            turns = len(one.exchanges)
            summary = Summary(id=one.id, title=one.title, updated=one.updated, turns=turns)
            known = _Line(state, summary, _searchable(one))
        with self._lock:
            self._lines[path] = known
        return known

    def _all(self, owner: str) -> list[Conversation]:
        return [one for path in self._files(owner) if (one := self._read(path)) is not None]

    def _read(self, path: Path) -> Conversation | None:
        try:
            return Conversation.of_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning(
                "The conversation %s cannot be read (%s); it is left as it is.", path.name, type(error).__name__
            )
            return None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """What is read, changed and written within is changed by nobody else meanwhile; raises StoreBusy."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise disk_error(error, self.folder) from None
        with hold(self._turns, wait_s=TURN_S, busy="Another chat changes conversations; try again."):
            yield

    def _change(self, owner: str, known: Conversation, **update: object) -> Conversation:
        return self._write(owner, known.changed(**update))

    def _write(self, owner: str, one: Conversation) -> Conversation:
        """All or nothing: a reader, and whoever comes after a crash, finds the old file or the new one."""
        path = self._path(owner, one.id)
        partial = path.with_suffix(f".{secrets.token_hex(4)}.partial")  # another process may write the same one
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(one.to_json())
                file.flush()
                os.fsync(file.fileno())
            moment = round(one.updated.timestamp() * 1e6) * 1000
            os.utime(partial, ns=(moment, moment))  # the list is in this order
            os.replace(partial, path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise disk_error(error, self.folder) from None
        return one


def _is_same(exchange: Exchange, later: Exchange) -> bool:
    """Whether it is the same answer, perhaps with another thumb or comment."""
    return exchange.asked_at == later.asked_at


def _searchable(one: Conversation) -> str:
    texts = [one.title, *(part for x in one.exchanges for part in (x.answer.question, x.answer.text, x.comment))]
    return "\n".join(texts).lower()
