"""Files of JSON lines are read in one way: gzipped or not, blank lines left out, faults told with file and line."""

import gzip
from pathlib import Path

import pytest

from eval.jsonl import numbered_lines, read_lines
from qa.errors import QAError

TEXT = b'{"a": 1}\n\n  \n{"a": "\xc3\xa9"}'


@pytest.mark.parametrize("name", ["lines.jsonl", "lines.jsonl.gz"])
def test_plain_and_gzipped_files_give_the_same_lines(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(TEXT) if name.endswith(".gz") else TEXT)
    assert list(read_lines(path)) == [{"a": 1}, {"a": "é"}]
    assert [number for number, _ in numbered_lines(path)] == [1, 4]


@pytest.mark.parametrize("line", [b'{"a": 1', b"\xff\xfe", b'{"a": "\xff"}'])
def test_a_broken_line_is_named_or_left_out(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(QAError, match=r"lines\.jsonl, line 2, is not JSON in UTF-8"):
        list(read_lines(path))
    assert list(read_lines(path, skip_broken=True)) == [{"a": 1}, {"a": 2}]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(QAError, match=r"gone\.jsonl cannot be read"):
        list(read_lines(tmp_path / "gone.jsonl"))
    for name, data in (("cut.jsonl.gz", gzip.compress((TEXT + b"\n") * 100)[:-9]), ("no.jsonl.gz", b"{}")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(QAError, match="cannot be read"):
            list(read_lines(tmp_path / name))
