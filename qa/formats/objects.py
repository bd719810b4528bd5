"""JSON → lines: a member of an object as "path.key: value", an object in a list as one row of "key: value" cells."""

import io
import json
from collections.abc import Iterator
from typing import Any

from qa.errors import DocumentError
from qa.formats.blocks import ROW_CHARS, Extract, Line, assemble, raise_beyond
from qa.formats.plain import plain_blocks

LONG_CHARS = 200  # a longer string is read as prose, not as a cell
MAX_LEVELS = 100
MAX_KEY = 1000  # characters of all keys on the path to a value; the path is repeated before each value

_Members = tuple[tuple[str, Any], ...]
"""An object: its members in order; the same key may occur twice. Numbers are strings, as written in the file."""


def read_json(text: str) -> Extract:
    """Read a JSON file; the locator of a value is its path, such as "$.prices[2]"."""
    return assemble(_lines(_parse(text, "is not JSON"), "", "$"))


def read_jsonl(text: str) -> Extract:
    """Read a file with one JSON record in each line; the locator of a record is "line 12"."""
    lines = ((number, line) for number, line in enumerate(io.StringIO(text, newline="\n"), 1) if line.strip())
    return assemble(
        row
        for number, line in lines
        for row in _record(_parse(line, f"is not JSON in line {number}"), "", f"line {number}")
    )


def _parse(text: str, problem: str) -> Any:
    raise_beyond(text.count("[") + text.count("{"))  # the two characters of an empty list take a hundred bytes
    try:
        return json.loads(text, object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise DocumentError(f"{problem}{where if problem == 'is not JSON' else ''}; correct it") from None
    except RecursionError:
        raise DocumentError(f"is nested more than {MAX_LEVELS} levels deep") from None


def _lines(value: Any, path: str, locator: str, level: int = 0) -> Iterator[Line]:
    """The lines of a value that is not an object in a list. `path` is the keys that lead to it, joined by dots."""
    if level > MAX_LEVELS:
        raise DocumentError(f"is nested more than {MAX_LEVELS} levels deep")
    if isinstance(value, tuple):
        for key, member in value:
            yield from _lines(member, _joined(path, key), locator + _step(key), level + 1)
    elif isinstance(value, list) and not all(map(_is_short, value)):
        for number, item in enumerate(value):
            yield from _record(item, path, f"{locator}[{number}]", level + 1)
    else:
        yield from _leaf(path, value, locator)


def _record(value: Any, path: str, locator: str, level: int = 0) -> Iterator[Line]:
    """The lines of an object in a list: one row of its short members, then its long members and lists."""
    if not isinstance(value, tuple):
        yield from _lines(value, path, locator, level + 1)
        return
    cells = [path] if path else []
    rest: list[tuple[str, Any]] = []
    for key, member in _flat(value, "", level):
        cell = f"{_inline(key)}: {_inline(_shown(member))}" if _is_leaf(member) else ""
        if cell and len(" | ".join([*cells, cell])) <= ROW_CHARS:
            cells.append(cell)
        else:
            rest.append((key, member))
    if len(cells) > bool(path):
        yield Line(" | ".join(cells), "row", locator=locator, apart=True)
    for key, member in rest:
        yield from _lines(member, _joined(path, key), locator + _step(key), level + 1)


def _flat(members: _Members, prefix: str, level: int) -> Iterator[tuple[str, Any]]:
    """The members of an object and of the objects inside it, each with its keys joined by dots."""
    if level > MAX_LEVELS:
        raise DocumentError(f"is nested more than {MAX_LEVELS} levels deep")
    for key, value in members:
        if isinstance(value, tuple) and value:
            yield from _flat(value, _joined(prefix, key), level + 1)
        else:
            yield _joined(prefix, key), value


def _joined(path: str, key: str) -> str:
    joined = f"{path}.{key}" if path else key
    if len(joined) > MAX_KEY:
        raise DocumentError(f"has keys of more than {MAX_KEY:,} characters; shorten them")
    return joined


def _leaf(path: str, value: Any, locator: str) -> Iterator[Line]:
    """The lines of a string, a number or a list of these: one row, or paragraphs when it is long."""
    label = f"{_inline(path)}: " if path else ""
    text = _shown(value)
    if len(label) + len(text) <= LONG_CHARS and "\n" not in text.strip():
        yield Line(label + _inline(text), "row", locator=locator, apart=True)
        return
    text = label + text.strip()
    for block in plain_blocks(text, 0, len(text)):
        yield Line(text[block.start : block.end], "text" if block.kind == "row" else block.kind, locator=locator)


def _is_leaf(value: Any) -> bool:
    """Whether a value fits in a cell: it contains no object and no long text."""
    return all(map(_is_short, value)) if isinstance(value, list) else not isinstance(value, tuple) and _is_short(value)


def _is_short(value: Any) -> bool:
    return not isinstance(value, tuple | list) and len(_shown(value)) <= LONG_CHARS


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _step(key: str) -> str:
    """How a member is written in a JSON path: `.key`, or `["a key"]`."""
    return f".{key}" if key.isidentifier() else f"[{json.dumps(key, ensure_ascii=False)}]"


def _inline(text: str) -> str:
    return " ".join(text.split())
