"""Second implementations of the ports, in memory: small, slow and right. They show what the contracts demand."""

import hashlib
import json
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from qa.embed import passage_text
from qa.errors import StoreBusy, StoreError
from qa.folder import File
from qa.schema import Chunk, Document, DocumentInfo, Sentence, Skipped
from qa.stages import Passage
from ui.conversations import Conversation, ConversationError, Exchange, Summary


@dataclass
class _Content:
    key: str
    document: Document
    sentences: list[Sentence]
    chunks: list[Chunk]
    published: bool = False


@dataclass
class MemoryTexts:
    """A `TextStore`."""

    contents: dict[int, _Content] = field(default_factory=dict)
    files: dict[str, tuple[int, tuple[int, int, int]]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    left_out: list[Skipped] = field(default_factory=list)
    doomed: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    readings: set[tuple[str, str]] = field(default_factory=set)
    changes: int = 0
    made: int = 0

    def read(self) -> Any:
        return nullcontext()

    def close(self) -> None:
        pass

    def facts(self) -> dict[str, str]:
        return dict(self.values)

    def meta(self, name: str) -> str | None:
        return self.values.get(name)

    def set_meta(self, name: str, value: str) -> None:
        self.values[name] = value

    def adopt(self, facts: Any, *, reread: Any = ()) -> int:
        again = {path for path in self.files if reread is None or PurePosixPath(path).suffix in reread}
        self.marked |= again
        self.values |= facts
        self.changes += 1
        return len(again)

    def generation(self) -> int:
        return self.changes

    def fingerprint(self) -> str:
        versions = [self.values.get(name) for name in ("tables", "reading", "cutting", "embedding", "embedder")]
        held = sorted((path, self.contents[content].key) for path, (content, _) in self.files.items())
        return hashlib.sha256(json.dumps([versions, held]).encode()).hexdigest()

    def documents(self) -> list[DocumentInfo]:
        infos = []
        for path, (content, (size, _, _)) in sorted(self.files.items()):
            held = self.contents[content]
            about = held.document
            infos.append(
                DocumentInfo(
                    path=path,
                    title=about.title,
                    date=about.date,
                    pages=about.pages,
                    sha256=about.sha256,
                    bytes=size,
                    chunks=len(held.chunks),
                    encoding=about.encoding,
                )
            )
        return infos

    def signatures(self) -> dict[str, tuple[int, int, int]]:
        return {path: signature for path, (_, signature) in self.files.items()}

    def known(self, paths: Sequence[str]) -> dict[str, tuple[str, tuple[int, int, int]]]:
        known = {path: self.files[path] for path in paths if path in self.files}
        return {path: (self.contents[content].document.sha256, at) for path, (content, at) in known.items()}

    def to_read_again(self) -> set[str]:
        return set(self.marked)

    def was_read_as(self, path: str, sha256: str) -> bool:
        return (path, sha256) in self.readings

    def skipped(self) -> list[Skipped]:
        return list(self.left_out)

    def skipped_about(self, question: str, documents: Any) -> tuple[list[Skipped], int]:
        def words(text: str) -> str:
            return f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "

        found = [
            item
            for item in self.left_out
            if item.path in documents or words(PurePosixPath(item.path).stem) in words(question)
        ]
        return found[:10], len(self.left_out)

    def partly_read(self) -> list[Skipped]:
        held = ((path, self.contents[content].document.left_out) for path, (content, _) in self.files.items())
        return [Skipped(path=path, reason=reason) for path, reason in held if reason]

    def _active(self, documents: Sequence[str] | None = None) -> list[tuple[Chunk, int]]:
        used = {content for path, (content, _) in self.files.items() if documents is None or path in documents}
        return [(chunk, content) for content in sorted(used) for chunk in self.contents[content].chunks]

    def count_chunks(self, documents: Sequence[str] | None = None, *, max_count: int | None = None) -> int:
        return len(self._active(documents)[:max_count])

    def chunk_ids(self, documents: Sequence[str] | None = None) -> list[str]:
        return [chunk.id for chunk, _ in self._active(documents)]

    def search(self, question: str, limit: int, documents: Sequence[str] | None = None) -> list[tuple[str, float]]:
        asked = set(re.findall(r"\w{4,}", question.lower()))
        scored = []
        for chunk, content in self._active(documents):
            words = re.findall(r"\w{4,}", self.text(content)[chunk.start : chunk.end].lower())
            if score := sum(word in asked for word in words) / (1 + len(words)):
                scored.append((chunk.id, score))
        return sorted(scored, key=lambda pair: -pair[1])[:limit]

    def titles(self) -> list[tuple[str, str]]:
        return [(info.path, info.title) for info in self.documents()]

    def places(self, chunks: Sequence[str], documents: Sequence[str] | None = None) -> dict[str, tuple[str, int]]:
        return {passage.chunk: (passage.document, passage.start) for passage in self.passages(chunks, documents)}

    def passages(self, chunks: Sequence[str], documents: Sequence[str] | None = None) -> list[Passage]:
        active = {chunk.id: (chunk, content) for chunk, content in self._active(documents)}
        made = []
        for chunk, content in (active[identity] for identity in chunks if identity in active):
            about = self.contents[content].document
            paths = sorted(path for path, (held, _) in self.files.items() if held == content)
            paths = [path for path in paths if documents is None or path in documents]
            text = about.text[chunk.start : chunk.end]
            sentences = tuple(self.sentences(content, chunk.start, chunk.end))
            made.append(
                Passage(
                    chunk=chunk.id,
                    content=content,
                    document=paths[0],
                    also_in=tuple(paths[1:]),
                    start=chunk.start,
                    end=chunk.end,
                    text=text,
                    title=about.title,
                    date=about.date,
                    sha256=about.sha256,
                    heading=self.heading(content, chunk.start),
                    sentences=sentences,
                )
            )
        return made

    def text(self, content: int) -> str:
        if content not in self.contents:
            raise StoreError("a document was replaced while it was being read; ask again.")
        return self.contents[content].document.text

    def text_of(self, path: str) -> str | None:
        return self.text(self.files[path][0]) if path in self.files else None

    def sentences(self, content: int, start: int, end: int) -> list[Sentence]:
        return [each for each in self.contents[content].sentences if each.start < end and each.end > start]

    def context(self, content: int, start: int, end: int) -> tuple[str, str]:
        text, around = self.text(content), self.contents[content].sentences
        before = [text[each.start : each.end] for each in around if each.end <= start]
        after = [text[each.start : each.end] for each in around if each.start >= end]
        return (before or [""])[-1], (after or [""])[0]

    def header_row(self, content: int, start: int) -> Sentence | None:
        return None

    def heading(self, content: int, position: int) -> str | None:
        return None

    def content_state(self, key: str) -> tuple[int, bool] | None:
        return next(((number, held.published) for number, held in self.contents.items() if held.key == key), None)

    def add_pending(self, key: str, document: Document, sentences: Any, chunks: Any) -> int:
        self.made += 1
        self.contents[self.made] = _Content(key, document, sorted(sentences, key=lambda one: one.start), list(chunks))
        self.doomed -= {chunk.id for chunk in self.contents[self.made].chunks}
        return self.made

    def chunks_of(self, content: int) -> list[Chunk]:
        return list(self.contents[content].chunks)

    def embedded_texts(self, path: str) -> dict[str, str]:
        if path not in self.files:
            return {}
        held = self.contents[self.files[path][0]]
        slices = ((held.document.text[chunk.start : chunk.end], chunk.id) for chunk in held.chunks)
        return {passage_text(held.document.title, text): identity for text, identity in slices}

    def publish(self, content: int, file: File) -> None:
        if file.name in self.files:
            before, signature = self.files[file.name]
            if signature != file.signature:
                self.readings = {reading for reading in self.readings if reading[0] != file.name}
            elif file.name in self.marked and before != content:
                self.readings.add((file.name, self.contents[before].document.sha256))
        self.marked.discard(file.name)
        self.contents[content].published = True
        self.files[file.name] = (content, file.signature)
        self.changes += 1

    def resign(self, file: File, content: int) -> bool:
        if self.files.get(file.name, (None,))[0] != content:
            return False
        self.files[file.name] = (content, file.signature)
        self.marked.discard(file.name)
        return True

    def drop(self, paths: Any) -> None:
        for path in paths:
            self.files.pop(path, None)
            self.marked.discard(path)
        self.changes += 1

    def set_skipped(self, skipped: Any) -> None:
        self.left_out = sorted(skipped, key=lambda item: item.path)

    def purge(self) -> list[str]:
        used = {content for content, _ in self.files.values()}
        for content in self.contents.keys() - used:
            self.doomed |= {chunk.id for chunk in self.contents.pop(content).chunks}
        return sorted(self.doomed)

    def forget_doomed(self, chunks: Any) -> None:
        self.doomed -= set(chunks)


class MemoryVectors:
    """A `VectorStore`."""

    def __init__(self) -> None:
        self._vectors: dict[str, np.ndarray] = {}

    def add(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        self._vectors |= dict(zip(ids, vectors, strict=True))

    def delete(self, ids: Sequence[str]) -> None:
        for chunk in ids:
            self._vectors.pop(chunk, None)

    def destroy(self) -> None:
        self._vectors.clear()

    def missing(self, ids: Sequence[str]) -> list[str]:
        return [chunk for chunk in ids if chunk not in self._vectors]

    def get(self, ids: Sequence[str]) -> dict[str, np.ndarray]:
        return {chunk: self._vectors[chunk] for chunk in ids if chunk in self._vectors}

    def all_ids(self) -> list[str]:
        return list(self._vectors)

    def count(self) -> int:
        return len(self._vectors)

    def nearest(self, vector: np.ndarray, limit: int) -> list[tuple[str, float]]:
        return self.exact(vector, self.all_ids(), limit)

    def exact(self, vector: np.ndarray, ids: Sequence[str], limit: int) -> list[tuple[str, float]]:
        scored = [(chunk, float(known @ vector)) for chunk, known in self.get(ids).items()]
        return sorted(scored, key=lambda pair: -pair[1])[:limit]

    def are_sound(self, ids: Sequence[str] | None = None) -> bool:
        return True

    def close(self) -> None:
        pass


class MemoryLock:
    """A `WriterLock`; those with the same `lock` are of one store."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock, self._depth = lock, 0

    @contextmanager
    def writing(self, *, wait_s: float = 0) -> Iterator[None]:
        if not self._depth and not self._lock.acquire(timeout=wait_s or 0.001):
            raise StoreBusy("another one writes; wait until it has finished.")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._lock.release()


class MemoryConversations:
    """A `Conversations`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Conversation] = {}

    def _set(self, owner: str, kept: Conversation, **update: Any) -> Conversation:
        self._kept[owner, kept.id] = kept.changed(**update)
        return self._kept[owner, kept.id]

    def summaries(self, owner: str, words: str = "", *, max_count: int | None = None) -> list[Summary]:
        newest = sorted(self.all_of(owner), key=lambda kept: kept.updated, reverse=True)
        said = {
            kept.id: " ".join(f"{each.answer.question} {each.answer.text}" for each in kept.exchanges).lower()
            for kept in newest
        }
        found = [kept for kept in newest if all(word in said[kept.id] for word in words.lower().split())]
        return [
            Summary(id=kept.id, title=kept.title, updated=kept.updated, turns=len(kept.exchanges)) for kept in found
        ][:max_count]

    def get(self, owner: str, identity: str) -> Conversation:
        if (owner, identity) not in self._kept:
            raise ConversationError("There is no such conversation.")
        return self._kept[owner, identity]

    def add(self, owner: str, identity: str | None, answer: Any) -> Conversation:
        now = datetime.now(UTC)
        kept = (
            Conversation(id=secrets.token_hex(16), title=answer.question, created=now, updated=now)
            if identity is None
            else self.get(owner, identity)
        )
        exchanges = (*kept.exchanges, Exchange(asked_at=now, answer=answer))
        return self._set(owner, kept, updated=now, exchanges=exchanges)

    def replace_last(self, owner: str, identity: str, answer: Any, *, turns: int) -> Conversation:
        kept, now = self.get(owner, identity), datetime.now(UTC)
        if len(kept.exchanges) != turns:
            raise ConversationError("The conversation has gone on elsewhere.")
        return self._set(
            owner, kept, updated=now, exchanges=(*kept.exchanges[:-1], Exchange(asked_at=now, answer=answer))
        )

    def rename(self, owner: str, identity: str, title: str) -> Conversation:
        return self._set(owner, self.get(owner, identity), title=title)

    def _judge(self, owner: str, identity: str, turn: int, **change: Any) -> Conversation:
        kept = self.get(owner, identity)
        if not 0 <= turn < len(kept.exchanges):
            raise ConversationError("There is no such answer.")
        exchanges = list(kept.exchanges)
        exchanges[turn] = exchanges[turn].model_copy(update=change)
        return self._set(owner, kept, exchanges=tuple(exchanges))

    def rate(self, owner: str, identity: str, turn: int, rating: Any) -> Conversation:
        return self._judge(owner, identity, turn, rating=rating)

    def comment(self, owner: str, identity: str, turn: int, comment: str) -> Conversation:
        return self._judge(owner, identity, turn, comment=comment)

    def delete(self, owner: str, identity: str) -> None:
        self.get(owner, identity)
        del self._kept[owner, identity]

    def all_of(self, owner: str) -> list[Conversation]:
        return [kept for (whose, _), kept in self._kept.items() if whose == owner]
