"""One SQLite file: its tables, a connection for each thread, and transactions."""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qa.errors import StoreError
from qa.store.disk import damaged, sqlite_error

VERSION = "9"  # of the tables: raise it when they change, and add to UPGRADES how the tables of a store are changed
VERSION_NAMES = ("tables", "reading", "cutting", "embedding", "embedder")  # in the table `meta`

WORDS_TOKENIZER = "porter unicode61 remove_diacritics 2"
_REREAD = "CREATE TABLE reread (path TEXT PRIMARY KEY) WITHOUT ROWID"
_READINGS = "CREATE TABLE readings (path TEXT, sha256 TEXT, PRIMARY KEY (path, sha256)) WITHOUT ROWID"
_COLUMNS = (
    "CREATE TABLE columns (content INTEGER NOT NULL, start INTEGER NOT NULL, names TEXT NOT NULL,"
    " PRIMARY KEY (content, start)) WITHOUT ROWID"
)
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE contents (  -- AUTOINCREMENT: a reader may still hold the text of an id that is gone
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, published INTEGER NOT NULL DEFAULT 0,
  sha256 TEXT NOT NULL, text TEXT NOT NULL, title TEXT NOT NULL, date TEXT, pages INTEGER, encoding TEXT NOT NULL,
  left_out TEXT, seal TEXT NOT NULL);
CREATE TABLE documents (  -- TEXT: what a file system counts in may exceed 63 bits
  path TEXT PRIMARY KEY, content INTEGER NOT NULL REFERENCES contents(id),
  bytes INTEGER NOT NULL, mtime_ns TEXT NOT NULL, inode TEXT NOT NULL, seal TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX documents_content ON documents(content);
CREATE TABLE sentences (
  content INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, kind TEXT NOT NULL,
  level INTEGER NOT NULL, page INTEGER, locator TEXT, PRIMARY KEY (content, start)) WITHOUT ROWID;
CREATE INDEX headings ON sentences(content, start) WHERE kind = 'heading';
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, chunk TEXT NOT NULL UNIQUE,
  content INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL);
CREATE INDEX chunks_content ON chunks(content);
CREATE TABLE doomed (chunk TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE skipped (path TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
{_REREAD};
{_READINGS};
{_COLUMNS};
CREATE VIRTUAL TABLE words USING fts5(text, title, content='', tokenize='{WORDS_TOKENIZER}');
CREATE VIRTUAL TABLE terms USING fts5vocab(words, 'row');
"""

UPGRADES = {"7": ("8", (_REREAD, _READINGS)), "8": ("9", (_COLUMNS,))}
"""Version of the tables → the next version, and the statements that lead to it."""


class Connection:
    """A thread's connection, closed when the thread ends."""

    def __init__(self, db: sqlite3.Connection, file: tuple[int, int] | None) -> None:
        self.db = db
        self.file = file  # the file that was opened, even if another one has replaced it since
        weakref.finalize(self, db.close)


class Database:
    """A file with these tables. Safe to share between threads; one process writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._local = threading.local()
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._writing = threading.Lock()
        self._lock = threading.Lock()  # of the set of connections
        try:
            self._create_tables()
        except BaseException:
            self.close()
            raise

    def _create_tables(self) -> None:
        if self._is_empty():
            with self.write() as db:
                if self._is_empty():
                    create_tables(db)

    def _connect(self) -> sqlite3.Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            connection = Connection(db, _file_id(self.path))
            with self._lock:
                self._connections.add(connection)
                self._file = self._file or connection.file
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("PRAGMA cell_size_check = ON")  # look at a page before it is used
            self._local.connection = connection
        # In a rebuilt store ids start from 1 again, so the cached texts of this process would be wrong.
        if connection.file != self._file or _file_id(self.path) != self._file:
            raise StoreError(f"{self.path} was erased or rebuilt by another process; start this one again.")
        return connection.db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot for all reads of this thread inside; may be nested."""
        with self._translated():
            db = self._connect()
            if db.in_transaction:
                yield db
                return
            try:
                db.execute("BEGIN")
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all writes inside are kept, or none. Threads wait for each other, processes up to 30 s."""
        with self._writing, self._translated():
            db = self._connect()
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise sqlite_error(error, self.path) from error
        except (TypeError, ValueError, OverflowError) as error:  # a damaged row may hold another type
            raise damaged(self.path, str(error)) from error

    def close(self) -> None:
        """Close the connections of all threads; a later call opens another."""
        with self._lock:
            for connection in self._connections:
                connection.db.close()
        self._local = threading.local()

    def _is_empty(self) -> bool:
        with self.read() as db:
            return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None

    def copy_to(self, path: Path) -> None:
        """Copy the library's present state to a new file; other processes may write meanwhile."""
        with self._translated():
            copy = sqlite3.connect(path)
            try:
                self._connect().backup(copy)  # not a copy of the file, which lacks the writes in the log
            except sqlite3.Error as error:
                raise sqlite_error(error, path if "full" in str(error) else self.path) from error
            finally:
                copy.close()


def create_tables(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";\n"):
        db.execute(statement)


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino
