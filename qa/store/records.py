"""What a store records about itself and about files: versions, signatures, skipped files, earlier readings."""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from qa.folder import File
from qa.schema import DocumentInfo, Skipped
from qa.store.database import UPGRADES, VERSION_NAMES, Database
from qa.store.integrity import check_document_seals
from qa.text import text_sha256

MIN_NAME_CHARS = 3  # of a file that a question is taken to name


class Records(Database):
    """The tables `meta`, `documents`, `skipped`, `reread` and `readings` of one store."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._titles: tuple[int, tuple[tuple[str, str], ...]] = (-1, ())
        self._fingerprint = (-1, "")  # generation, and what was the fingerprint then

    def meta(self, name: str) -> str | None:
        """A named fact about the store, such as `folder` or `generation`."""
        with self.read() as db:
            row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        self.set_facts({name: value})

    def facts(self) -> dict[str, str]:
        """All named facts about the store."""
        with self.read() as db:
            return dict(map(tuple, db.execute("SELECT name, value FROM meta")))

    def set_facts(self, facts: Mapping[str, str]) -> None:
        with self.write() as db:
            _set_facts(db, facts)

    def upgrade(self, facts: Mapping[str, str], tables: str) -> bool:
        """Change the tables of an earlier version to those of version `tables`; False where that is not possible.

        `facts` are those of the store; its only version was named `fingerprint` once.
        """
        version = facts["tables"]
        with self.write() as db:
            while version != tables:
                if version not in UPGRADES:
                    return False
                version, statements = UPGRADES[version]
                for statement in statements:
                    db.execute(statement)
            db.execute("DELETE FROM meta WHERE name = 'fingerprint'")
            _set_facts(db, {**facts, "tables": version})
        return True

    def generation(self) -> int:
        """A number that grows with every change that can affect an answer."""
        with self.read():
            return int(self.meta("generation") or 0)

    def documents(self) -> list[DocumentInfo]:
        """All documents in order of path."""
        with self.read() as db:
            rows = db.execute(
                "SELECT d.path, c.title, c.date, c.pages, c.sha256, d.bytes, c.encoding,"
                " (SELECT count(*) FROM chunks WHERE content = c.id) AS chunks"
                " FROM documents d JOIN contents c ON c.id = d.content ORDER BY d.path"
            ).fetchall()
            return [DocumentInfo(**dict(row)) for row in rows]

    def titles(self) -> tuple[tuple[str, str], ...]:
        """(path, title) of all documents in order of path; read again only when the store has changed."""
        generation = self.generation()
        if self._titles[0] != generation:
            with self.read() as db:
                rows = db.execute(
                    "SELECT d.path, c.title FROM documents d JOIN contents c ON c.id = d.content ORDER BY d.path"
                ).fetchall()
            self._titles = generation, tuple((row["path"], row["title"]) for row in rows)
        return self._titles[1]

    def partly_read(self) -> list[Skipped]:
        """The documents that were read only in part, and what is missing."""
        with self.read() as db:
            rows = db.execute(
                "SELECT d.path, c.left_out FROM documents d JOIN contents c ON c.id = d.content"
                " WHERE c.left_out IS NOT NULL"
            ).fetchall()
            return [Skipped(path=row[0], reason=row[1]) for row in rows]

    def signatures(self) -> dict[str, tuple[int, int, int]]:
        """Path → (bytes, mtime in ns, inode) as of indexing."""
        with self.read() as db:
            rows = db.execute("SELECT path, bytes, mtime_ns, inode FROM documents").fetchall()
            return {row[0]: (row[1], int(row[2]), int(row[3])) for row in rows}

    def known(self, paths: Sequence[str]) -> dict[str, tuple[str, tuple[int, int, int]]]:
        """Path → (sha256 of its text, signature) for those of the paths that are indexed."""
        with self.read() as db:
            rows = db.execute(
                "SELECT d.path, c.sha256, d.bytes, d.mtime_ns, d.inode, c.key, d.seal FROM documents d"
                " JOIN contents c ON c.id = d.content WHERE d.path IN (SELECT value FROM json_each(?))",
                (json.dumps(list(paths)),),
            ).fetchall()
            check_document_seals(rows, self.path)
            return {row[0]: (row[1], (row[2], int(row[3]), int(row[4]))) for row in rows}

    def fingerprint(self) -> str:
        """Identifies what the store holds: equal for equal documents, weights and boundaries."""
        with self.read() as db:
            generation = self.generation()
            if self._fingerprint[0] != generation:
                rows = db.execute(
                    "SELECT d.path, c.key FROM documents d JOIN contents c ON c.id = d.content ORDER BY d.path"
                )
                facts = json.dumps([[self.meta(name) for name in VERSION_NAMES], *map(list, rows)])
                self._fingerprint = (generation, text_sha256(facts))
            return self._fingerprint[1]

    def skipped(self) -> list[Skipped]:
        """The files that the last run left out, and why."""
        with self.read() as db:
            rows = db.execute("SELECT path, reason FROM skipped ORDER BY path").fetchall()
            return [Skipped(path=row[0], reason=row[1]) for row in rows]

    def skipped_about(
        self, question: str, documents: Collection[str], *, max_count: int = 10
    ) -> tuple[list[Skipped], int]:
        """The skipped files that concern a question, at most `max_count`, and how many are skipped in all.

        Those are the files that the question names, and those of these documents that were read only in part.
        """
        with self.read() as db:
            rows = db.execute("SELECT path, reason FROM skipped ORDER BY path").fetchall()
        asked, known = _as_words(question), frozenset(documents)
        concerned = (row for row in rows if row[0] in known or _is_named(row[0], asked))
        return [Skipped(path=path, reason=reason) for path, reason in islice(concerned, max_count)], len(rows)

    def adopt(self, facts: Mapping[str, str], *, reread: Collection[str] | None = ()) -> int:
        """Record new versions, and mark the files of these formats (None: all) to be read again; returns how many."""
        with self.write() as db:
            paths = [row[0] for row in db.execute("SELECT path FROM documents")]
            marked = [(path,) for path in paths if reread is None or PurePosixPath(path).suffix.lower() in reread]
            db.executemany("INSERT OR IGNORE INTO reread VALUES (?)", marked)
            _set_facts(db, facts)
            advance(db)
        return len(marked)

    def to_read_again(self) -> set[str]:
        """The documents whose unchanged files must be read again, since this version reads or cuts them differently."""
        with self.read() as db:
            return {row[0] for row in db.execute("SELECT path FROM reread")}

    def was_read_as(self, path: str, sha256: str) -> bool:
        """Whether an earlier version read a text with this sha256 from the indexed file, which is unchanged since."""
        with self.read() as db:
            known = "SELECT 1 FROM readings WHERE path = ? AND sha256 = ?"
            return db.execute(known, (path, sha256)).fetchone() is not None

    def resign(self, file: File, content: int) -> bool:
        """Record the new signature of an unchanged file; False when the file does not have this content."""
        with self.write() as db:
            known = "SELECT sha256 FROM contents WHERE id = (SELECT content FROM documents WHERE path = ?) AND id = ?"
            row = db.execute(known, (file.name, content)).fetchone()
            if row is None:
                return False
            note_reading(db, file, row["sha256"])
            update = "UPDATE documents SET bytes = ?, mtime_ns = ?, inode = ? WHERE path = ?"
            db.execute(update, (*signature_values(file), file.name))
            return True

    def distrust_signatures(self) -> None:
        """Mark every file as changed, so that the next run reads and hashes all of them."""
        with self.write() as db:
            db.execute("UPDATE documents SET mtime_ns = '-1'")

    def drop(self, paths: Iterable[str]) -> None:
        """Delete the records of these documents, so that they are not cited any more."""
        with self.write() as db:
            gone = [(path,) for path in paths]
            for table in ("reread", "readings"):
                db.executemany(f"DELETE FROM {table} WHERE path = ?", gone)
            if db.executemany("DELETE FROM documents WHERE path = ?", gone).rowcount > 0:
                advance(db)

    def set_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Replace the list of the files that are left out."""
        with self.write() as db:
            db.execute("DELETE FROM skipped")
            db.executemany(
                "INSERT OR REPLACE INTO skipped VALUES (?, ?)", [(item.path, item.reason) for item in skipped]
            )


def _as_words(text: str) -> str:
    """The words of a text in lower case, with a space before and after each."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "


def _is_named(path: str, words: str) -> bool:
    """Whether the name of this file stands in these words, with or without its ending."""
    name = _as_words(PurePosixPath(path).stem)
    return len(name) >= MIN_NAME_CHARS + 2 and name in words


def signature_values(file: File) -> tuple[int, str, str]:
    size, mtime_ns, inode = file.signature
    return size, str(mtime_ns), str(inode)


def note_reading(db: sqlite3.Connection, file: File, sha256: str) -> None:
    """Record what an earlier version read from this file, if it is unchanged since; `sha256` is of its text now."""
    asked = db.execute("DELETE FROM reread WHERE path = ?", (file.name,)).rowcount > 0
    row = db.execute(
        "SELECT d.bytes, d.mtime_ns, d.inode, c.sha256 FROM documents d JOIN contents c ON c.id = d.content"
        " WHERE d.path = ?",
        (file.name,),
    ).fetchone()
    if row is None:
        return
    *known, before = row
    if tuple(known) != signature_values(file) or file.signature[1] == -1:  # see `qa.indexing`: it may have changed
        db.execute("DELETE FROM readings WHERE path = ?", (file.name,))
    elif asked and before != sha256:
        db.execute("INSERT OR IGNORE INTO readings VALUES (?, ?)", (file.name, before))


def _set_facts(db: sqlite3.Connection, facts: Mapping[str, str]) -> None:
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts.items())


def advance(db: sqlite3.Connection) -> None:
    db.execute(
        "INSERT INTO meta VALUES ('generation', '1')"
        " ON CONFLICT(name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
    )
