"""Folder → files → `Document`: listing, decoding, title; `qa.formats` reads each format's structure."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from qa.dates import iso_date, stated_date
from qa.errors import DocumentError, FolderError, UnreadableError
from qa.formats import READERS, Extract, extract
from qa.schema import Document, Skipped

IGNORE_FILE = ".qaignore"
TITLE_CHARS = 120
LINK_OUT = "a link out of the folder is not followed"


@dataclass(frozen=True, slots=True)
class File:
    """A file of the folder and the signature that tells whether it may have changed."""

    path: Path
    name: str  # relative, with `/`
    signature: tuple[int, int, int]  # bytes, mtime in ns, inode
    root: Path | None = None  # the folder it was listed in; it is not read from anywhere else


def list_files(folder: Path) -> tuple[list[File], list[Skipped]]:
    """The folder's indexable files in order of name, and what is left out with its reason.

    Raises FolderError where the folder itself cannot be read; nothing may be concluded from that.
    """
    try:
        root = folder.resolve(strict=True)
        identity = _identity(root)
        os.listdir(root)
    except FileNotFoundError:
        raise FolderError(f"{folder} does not exist; pass an existing folder with --docs.") from None
    except NotADirectoryError:
        raise FolderError(f"{folder} is not a folder; pass the folder that holds your documents.") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        reason = getattr(error, "strerror", None) or "a loop of links"
        raise FolderError(f"{folder} cannot be read ({reason}); allow reading it and try again.") from None
    ignored = _ignore_patterns(root)
    files: list[File] = []
    skipped: list[Skipped] = []
    for path in _walk(root, skipped):
        name = path.relative_to(root).as_posix()
        reason = _left_out(path, name, root, ignored)
        if reason:
            skipped.append(Skipped(path=_printable(name), reason=reason))
            continue
        try:
            info = path.stat()
        except OSError as error:
            skipped.append(Skipped(path=name, reason=_why(error)))
            continue
        files.append(File(path, name, signature(info), root))
    if _identity(root) != identity:  # files that were not found then are not gone
        raise FolderError(f"{folder} does not exist any more, or was replaced meanwhile; put it back and try again.")
    return sorted(files, key=lambda file: file.name), sorted(skipped, key=lambda item: item.path)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder this is; None where it is gone."""
    try:
        info = folder.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino


def signature(info: os.stat_result) -> tuple[int, int, int]:
    """What changes when a file may have changed."""
    return info.st_size, info.st_mtime_ns, info.st_ino


def read_document(file: File, *, max_file_mb: float) -> Document:
    """The file's document; raises DocumentError with a reason that a person can act on."""
    data = _read_bytes(file.path, max_file_mb, file.root)
    if not data.strip():
        raise DocumentError("is empty")
    found = extract(data, file.path.suffix.lower())
    if not found.text.strip():
        raise DocumentError("holds no text")
    return Document(
        path=file.name,
        text=found.text,
        sha256=text_sha256(found.text),
        title=shorten(found.title or _first_heading(found) or _first_line(found) or file.name),
        date=next(filter(None, map(iso_date, found.dates)), None) or stated_date(found.text[found.body :]),
        pages=found.pages,
        encoding=found.encoding,
        blocks=found.blocks,
        left_out=found.left_out,
        struck=found.struck,
    )


def text_sha256(text: str) -> str:
    """Hex sha256 of the text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def shorten(text: str, chars: int = TITLE_CHARS) -> str:
    """`text` on one line, cut at a word with an ellipsis where it is longer than `chars`."""
    line = " ".join(text.split())
    return line if len(line) <= chars else line[: chars - 1].rsplit(" ", 1)[0] + "…"


def _walk(root: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """The files below the folder, however deep; not with `os.walk`, which is recursive before Python 3.12."""

    def leave_out(folder: Path, reason: str) -> None:
        skipped.append(Skipped(path=_printable(folder.relative_to(root).as_posix()) + "/", reason=reason))

    folders = [root]
    while folders:
        base = folders.pop()
        if base != root and (base.name.startswith(".") or base.is_symlink()):
            leave_out(base, "hidden" if base.name.startswith(".") else "a link to a folder is not followed")
            continue
        try:
            with os.scandir(base) as entries:
                found = [(Path(entry.path), _is_folder(entry)) for entry in entries]
        except OSError as error:
            if base == root:  # it was there a moment ago: unmounted, not empty
                raise FolderError(
                    f"{root} cannot be read ({error.strerror}); allow reading it and try again."
                ) from None
            leave_out(base, _why(error))
            continue
        folders += (path for path, is_folder in found if is_folder)
        yield from (path for path, is_folder in found if not is_folder and path.name != IGNORE_FILE)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _left_out(path: Path, name: str, root: Path, ignored: list[str]) -> str | None:
    """Why this path is not indexed, or None."""
    if _printable(name) != name:
        return "its name is not valid Unicode; rename it"
    if path.name.startswith("."):
        return "hidden"
    if _is_ignored(name, ignored):
        return f"left out by {IGNORE_FILE}"
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            return LINK_OUT
        if not stat.S_ISREG(path.stat().st_mode):
            return "is not a regular file"
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        return "is a broken link" if path.is_symlink() else _why(error)
    if path.suffix.lower() not in READERS:
        known = " ".join(sorted(READERS))
        return f"format {path.suffix or 'without an ending'} is not supported (supported: {known})"
    return None


def _is_ignored(name: str, patterns: list[str]) -> bool:
    """Whether a pattern matches the file or a folder that it is in, by name or by path; `/` at the end is optional."""
    parts = name.split("/")
    paths = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    return any(
        fnmatch(one, pattern.strip("/")) or fnmatch(part, pattern.rstrip("/"))
        for pattern in patterns
        for one, part in zip(paths, parts, strict=True)
    )


def _ignore_patterns(root: Path) -> list[str]:
    """The lines of the folder's `.qaignore`; raises FolderError rather than index what was meant to be left out."""
    path = root / IGNORE_FILE
    if not os.path.lexists(path):
        return []
    try:
        lines = _read_bytes(path, 1).decode("utf-8-sig", errors="replace").splitlines()
    except DocumentError as error:
        raise FolderError(f"{path} {error}; correct or remove it and try again.") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _printable(name: str) -> str:
    return name.encode("utf-8", errors="replace").decode("utf-8")


def _why(error: OSError | RuntimeError) -> str:
    return (
        "is gone" if isinstance(error, FileNotFoundError) else f"cannot be read ({getattr(error, 'strerror', error)})"
    )


def _read_bytes(path: Path, max_file_mb: float, root: Path | None = None) -> bytes:
    """The file's bytes; with a `root`, only where it lies inside, whatever has become a link since it was listed."""
    limit = int(max_file_mb * 1_000_000)
    no_link = getattr(os, "O_NOFOLLOW", 0) if root else 0

    def at_once(name: str, flags: int) -> int:  # a pipe put in the file's place must not hang the run
        return os.open(name, flags | no_link | getattr(os, "O_NONBLOCK", 0))

    try:
        real = path.resolve(strict=True) if root else path
        if root and not real.is_relative_to(root):
            raise DocumentError(LINK_OUT)
        with open(real, "rb", opener=at_once) as file:
            opened = os.fstat(file.fileno())
            if root and real.resolve() != real:  # a folder has become a link just now
                raise DocumentError(LINK_OUT)
            if root and not os.path.samestat(opened, real.lstat()):  # or was one for a moment
                raise UnreadableError("was replaced while it was opened; index again")
            if not stat.S_ISREG(opened.st_mode):
                raise DocumentError("is not a regular file")
            data = file.read(limit + 1)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise UnreadableError(_why(error)) from None
    if len(data) > limit:
        raise DocumentError(f"is larger than {max_file_mb:g} MB; split it or raise QA_MAX_FILE_MB")
    return data


def _first_heading(extract: Extract) -> str | None:
    """The words of the first heading, without its marks (`# C#` → `C#`)."""
    for block in extract.blocks:
        if block.kind == "heading":
            line = extract.text[block.start : block.end]
            return (
                re.sub(r"^[ \t>]*#{1,6}[ \t]+|[ \t]+#+[ \t]*$|\s*[\r\n][ \t>]*[=-]+[ \t]*$", "", line).strip() or None
            )
    return None


def _first_line(extract: Extract) -> str | None:
    """The first line behind front matter that has words."""
    for block in extract.blocks:
        if block.start >= extract.body and block.kind != "rule":
            return extract.text[block.start : block.end].splitlines()[0].strip()
    return None
