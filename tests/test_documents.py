"""From a folder to documents: which files are listed, how bytes become text, which title and date a document has."""

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.dates import iso_date, labelled_date
from qa.documents import read_document
from qa.errors import DocumentError, FolderError
from qa.folder import IGNORE_FILE, LINK_OUT, File, list_files, signature
from qa.formats import decode, extract
from qa.schema import Document
from qa.text import TITLE_CHARS, shorten


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(path: Path, max_file_mb: float = 20) -> Document:
    return read_document(File(path, path.name, (0, 0, 0)), max_file_mb=max_file_mb)


@pytest.fixture
def read_text(tmp_path: Path) -> Any:
    def read_(content: str | bytes, name: str = "a.txt") -> Document:
        return read(write(tmp_path, {name: content}) / name)

    return read_


# -- bytes → text ------------------------------------------------------------------------------

RUSSIAN = "Президент заявил, что 1358 украинцев вернулись домой из плена в 2024 году."
UKRAINIAN = "Президент України заявив, що 1358 українців повернулися додому з полону."
JAPANESE = "日本語のテキストです。会議は午後三時に始まります。料金は五千円です。"
DECODED = [
    ("plain ascii", "utf-8", "utf-8"),
    ("Zelenskyy’s “team” – Володимир 👨‍👩‍👧 e\u0301", "utf-8", "utf-8"),
    ("line\r\nends\rkept\n", "utf-8", "utf-8"),
    ("Le président a dit que l’hôtel coûte 35 € à Noël.", "cp1252", "cp1252"),
    ("The café costs £5.", "cp1252", "cp1252"),
    ("Price: €5 – “cheap”.", "cp1252", "cp1252"),
    ("Add ½ cup of sugar, 10² more at 10°C.", "cp1252", "cp1252"),
    ("El niño comió piña en la montaña ¿verdad? Mañana será otro día. " * 3, "latin-1", "cp1252"),
    ("One plain line after the other.\n" * 500 + "One café.", "latin-1", "cp1252"),
    ("Zażółć gęślą jaźń. Prezydent powiedział, że spotkanie się skończyło.", "cp1250", "cp1250"),
    ("Łódź i Kraków są piękne.", "cp1250", "cp1250"),
    ("Türkiye'nin başkenti Ankara'dır. İstanbul büyük şehirdir.", "cp1254", "cp1254"),
    (RUSSIAN, "koi8-r", "koi8_r"),
    (RUSSIAN, "cp1251", "cp1251"),
    (UKRAINIAN, "koi8-u", "koi8_u"),
    (JAPANESE, "shift_jis", "cp932"),
    (JAPANESE * 4, "euc_jp", "euc_jp"),
    ("这是一个测试文件。会议将在下午三点开始。费用为五千元。" * 4, "gb18030", "gb18030"),
]


@pytest.mark.parametrize(("text", "encoding", "named"), DECODED)
def test_text_is_decoded_and_its_encoding_named(text: str, encoding: str, named: str) -> None:
    assert decode(text.encode(encoding)) == (text, named)


POLISH = "<p>Wstęp: środa, 5 zł."
DECLARED = [
    ('<meta charset="iso-8859-2">', POLISH, "iso8859_2", "iso8859_2"),
    ("<META http-equiv=content-type content='text/html; charset=ISO-8859-2'>", POLISH, "iso8859_2", "iso8859_2"),
    ('<?xml version="1.0" encoding="iso-8859-2"?>', POLISH, "iso8859_2", "iso8859_2"),
    ("<!-- <meta charset=koi8-r> --><meta charset = iso-8859-2 />", POLISH, "iso8859_2", "iso8859_2"),
    ("<meta charset=iso-8859-1>", "<p>“Sí” costs €5.", "cp1252", "cp1252"),
    ("<meta charset=gb2312>", "<p>開放", "gb18030", "gb18030"),
    ("<meta charset=iso-8859-2>", POLISH, "utf-8", "utf-8"),
    ("<meta charset=iso-8859-2>", "\ufeff" + POLISH, "utf-16", "utf-16"),
    *(
        (f"<meta charset={name}>", "<p>Café.", "cp1252", "cp1252")
        for name in "utf-16 cp037 hex idna ascii none".split()
    ),
    (" " * 1024 + "<meta charset=koi8-r>", "<p>Café.", "cp1252", "cp1252"),
]


@pytest.mark.parametrize(("head", "text", "encoding", "named"), DECLARED)
def test_a_page_is_in_the_encoding_that_it_declares(head: str, text: str, encoding: str, named: str) -> None:
    data = (head + text).encode(encoding) if encoding != "utf-16" else (text[0] + head + text[1:]).encode("utf-16-le")
    found = extract(data, ".html")
    assert (found.text, found.encoding) == (text.lstrip("\ufeff").removeprefix("<p>"), named)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8"])
def test_a_byte_order_mark_decides_and_is_dropped(encoding: str) -> None:
    text = "1,358 українців 👍 came home"
    assert decode(("\ufeff" + text).encode(encoding)) == (text, encoding.removesuffix("-le").removesuffix("-be"))
    assert decode(("\ufeff\ufeff" + text).encode(encoding))[0] == "\ufeff" + text, "only one mark is a mark"


UTF8 = "Zelenskyy’s “team” – Володимир Зеленський café. " * 20


@pytest.mark.parametrize(
    "data",
    [
        UTF8.encode() + b"\xff end",
        UTF8.encode() + "—".encode()[:2],
        UTF8.encode() + b"\x93quoted\x94" + UTF8.encode(),
        b"\xef\xbb\xbf" + UTF8.encode() + b"\xff",
    ],
    ids=["a lone byte", "cut inside a character", "two lone bytes", "after a mark"],
)
def test_a_broken_byte_does_not_turn_utf8_into_something_else(data: bytes) -> None:
    text, encoding = decode(data)
    assert text.startswith(UTF8)
    assert "\ufffd" in text
    assert encoding.startswith("utf-8 (broken"), "it is said that characters were replaced"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"text\0text", "binary"),
        (b"\xef\xbb\xbftext\0", "binary"),
        ("\ufeffa\0b".encode("utf-16-le"), "binary"),
        ("Hello world.".encode("utf-16-le"), "UTF-16"),
        (b"\xff\xfea", "marked as utf-16"),
        (b"\xff\xfe\x00\x00\x01", "marked as utf-32"),
        (b"\x89PNG\r\n\x1a\n\x01\x02\xff\xfe\xfd", "not text"),
        (bytes(range(1, 32)) * 10, "binary"),
        (bytes(range(1, 256)), "not text"),
    ],
)
def test_what_is_not_text_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        decode(data)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\r\t"))


@given(TEXT)
def test_utf8_comes_back_as_it_was(text: str) -> None:
    if not text.startswith("\ufeff"):
        assert decode(text.encode()) == (text, "utf-8")


@given(
    st.binary(max_size=200) | st.builds(lambda text, tail: text.encode("cp1251", "ignore") + tail, TEXT, st.binary())
)
def test_any_bytes_become_storable_text_or_a_document_error(data: bytes) -> None:
    with contextlib.suppress(DocumentError):
        text, encoding = decode(data)
        assert encoding
        assert "\0" not in text
        text.encode("utf-8")  # no lone surrogate


# -- a file's document -------------------------------------------------------------------------


@given(TEXT.filter(lambda text: text.strip() and not text.startswith("\ufeff")))
def test_txt_and_md_are_the_decoded_file_itself(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("one")
    for name in ("a.txt", "a.md", "a.MARKDOWN"):
        document = read(write(folder, {name: text}) / name)
        assert document.text == text
        assert document.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert document.path == name
        assert document.title


def test_html_offsets_count_in_the_extracted_text(read_text: Any) -> None:
    document = read_text("<p>One.</p><script>x</script><p>Two.</p>", "a.html")
    assert document.text == "One.\n\nTwo."
    assert document.sha256 == hashlib.sha256(b"One.\n\nTwo.").hexdigest()


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.txt", "is empty"),
        (b" \r\n\t", "a.txt", "is empty"),
        (b"\xef\xbb\xbf", "a.md", "holds no text"),
        (b"<html><script>x</script></html>", "a.html", "holds no text"),
        (b"<!-- only -->", "a.htm", "holds no text"),
        (b"x" * 1001, "a.txt", "is larger than 0.001 MB"),
    ],
)
def test_a_file_without_text_is_left_out_with_a_reason(tmp_path: Path, content: bytes, name: str, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read(write(tmp_path, {name: content}) / name, max_file_mb=0.001)


def test_a_file_of_just_the_allowed_size_is_read(tmp_path: Path) -> None:
    assert len(read(write(tmp_path, {"a.txt": "x" * 1000}) / "a.txt", max_file_mb=0.001).text) == 1000


TITLES = [
    ("---\ntitle: Front matter\n---\n# Heading\n\nText", "a.md", "Front matter"),
    ("---\ntitle: No\n---\n# Heading", "a.md", "No"),
    ("---\ntitle: 007\n---\n# Heading", "a.md", "007"),
    ("---\ntitle:\ndate: 2024-01-02\n---\n# Heading", "a.md", "Heading"),
    ("---\r\nTitle: Windows\r\n---\r\n# Heading", "a.md", "Windows"),
    ("---\rtitle: Old Mac\r---\r# Heading", "a.md", "Old Mac"),
    ("---\ndate: 2024-01-02\n---\nFirst line.\nSecond.", "a.md", "First line."),
    ("Text first.\n\n# Heading ##\n\n## Other", "a.md", "Heading"),
    ("Setext\n======\ntext", "a.md", "Setext"),
    ("# C#", "a.md", "C#"),
    ("> # Quoted", "a.md", "Quoted"),
    ("\n\nFirst line.\nSecond line.", "a.txt", "First line."),
    ("# Not a heading in plain text", "a.txt", "# Not a heading in plain text"),
    ("---\n***\n", "a.md", "a.md"),
    ("<title>Page</title><h1>Big\n <b>heading</b></h1><p>x", "a.html", "Big heading"),
    ("<title>Page &amp;\n title</title><p>First line", "a.html", "Page & title"),
    ("<title> </title><p>First line</p>", "a.html", "First line"),
    ("<h2>Up<br>and down</h2>", "a.html", "Up and down"),
]


@pytest.mark.parametrize(("content", "name", "title"), TITLES)
def test_title(read_text: Any, content: str, name: str, title: str) -> None:
    assert read_text(content, name).title == title


def test_yaml_aliases_do_not_multiply(read_text: Any) -> None:
    bomb = "---\na0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    assert read_text(f"{bomb}title: *a59\ndate: *a59\n---\n# Heading", "a.md").title == "Heading"


@given(st.text(max_size=400))
def test_a_title_is_one_line_of_bounded_length(text: str) -> None:
    short = shorten(text)
    assert len(short) <= TITLE_CHARS
    assert "\n" not in short
    assert short == " ".join(text.split()) or (short.endswith("…") and " ".join(text.split()).startswith(short[:-1]))


DATES = [
    ("2024-05-06", "2024-05-06"),
    ("2024-05-06T10:00:00+02:00", "2024-05-06"),
    ("2024-05-06 10:00", "2024-05-06"),
    ("2023-11", "2023-11"),
    ("2023", "2023"),
    ("1776-07-04", "1776-07-04"),
    ("6 May 2024", "2024-05-06"),
    ("6th of May, 2024", "2024-05-06"),
    ("the 6th May 2024", "2024-05-06"),
    ("06-May-2024", "2024-05-06"),
    ("May 6, 2024", "2024-05-06"),
    ("MAY 6th 2024", "2024-05-06"),
    ("Sept. 5, 2023", "2023-09-05"),
    ("Monday, 6 May 2024", "2024-05-06"),
    ("Wed., Jan 3, 2025", "2025-01-03"),
    ("November 2023", "2023-11"),
    ("2024-02-29", "2024-02-29"),
    ("2023-02-29", None),
    ("30 February 2024", None),
    ("31 April 2024", None),
    ("0 May 2024", None),
    ("2024-13-01", None),
    ("2024-5-6", None),
    ("2024-05-1", None),
    ("05/06/2024", None),
    ("2023-2024", None),
    ("2023–24", None),
    ("2023 to 2025", None),
    ("24 Maybe 2024", None),
    ("20245", None),
    ("12 people in 2024", None),
    ("true", None),
    ("", None),
]


@pytest.mark.parametrize(("written", "date"), DATES)
def test_iso_date(written: str, date: str | None) -> None:
    assert iso_date(written) == date


@given(st.dates())
def test_every_real_date_is_read_in_every_form(date: Any) -> None:
    if 1000 <= date.year < 2100:
        forms = ("%Y-%m-%d", "%-d %B %Y", "%B %-d, %Y", "%A, %-d %b %Y")
        assert {iso_date(date.strftime(form)) for form in forms} == {date.isoformat()}


DOCUMENT_DATES = [
    ("---\ndate: 2024-05-06\n---\ntext", "a.md", "2024-05-06"),
    ("---\ndate: 2023-11\n---\ntext", "a.md", "2023-11"),
    ("---\npublished: true\nupdated: 2024-05-06\n---\ntext", "a.md", "2024-05-06"),
    ("---\ndate: 2024-13-45\ntitle: T\n---\ntext", "a.md", None),
    ("---\ndate: [2024-05-06]\n---\ntext", "a.md", None),
    ('<meta name="DC.Date" content="2024-05-06"><p>x', "a.html", "2024-05-06"),
    ('<meta property="article:published_time" content="2024-05-06T01:02Z"><p>x', "a.html", "2024-05-06"),
    ('<meta itemprop="datePublished" content="2024-05-06"><p>x', "a.html", "2024-05-06"),
    ('<meta name="date" content="soon"><meta name="pubdate" content="2024-05-06"><p>x', "a.html", "2024-05-06"),
    ('<meta name="description" content="2024-05-06"><p>x', "a.html", None),
    ("<p>Published: 6 May 2024</p>", "a.html", "2024-05-06"),
    ("Title\nDate: 2024-05-06\ntext", "a.txt", "2024-05-06"),
    ("Title\r\nDate: 2024-05-06\r\ntext", "a.txt", "2024-05-06"),
    ("Title\rDate: 2024-05-06\rtext", "a.txt", "2024-05-06"),
    ("Title\n\nDate: 2024\n\ntext", "a.txt", "2024"),
    ("**Last updated:** May 6, 2024", "a.md", "2024-05-06"),
    ("| Date | 2024-05-06 |\n", "a.md", "2024-05-06"),
    ("Title\nPublished on Monday, 6 May 2024 by Reuters\ntext", "a.txt", "2024-05-06"),
    ("Title\nPosted May 6, 2024 at 10:05 GMT\ntext", "a.txt", "2024-05-06"),
    ("Dated 6 May 2024.\n", "a.txt", "2024-05-06"),
    ("Date: 30 February 2024\nUpdated: 6 May 2024", "a.txt", "2024-05-06"),
    # Dates that a sentence mentions.
    ("The treaty was signed on 6 May 2024.", "a.txt", None),
    ("January 3, 2025\nA date without a label.", "a.txt", None),
    ("As of 6 May 2024 the company had 12 employees.", "a.txt", None),
    ("Effective May 6, 2024, the fee rises.", "a.txt", None),
    ("Published in 2019, the book sold well.", "a.txt", None),
    ("Published 2019 by accident, it sold well, and went on for years and years and many more years.", "a.txt", None),
    ("We will be updated on 6 May 2024.", "a.txt", None),
    (" date 2023-11 The office has moved.", "a.txt", "2023-11"),
    ("Date 2023 was a good year.", "a.txt", None),
    ("Dated 2023-11 wines are sold.", "a.txt", None),
    ("Update 2024-05-06 was bad.", "a.txt", None),
    ("Issued: 1500 shares", "a.txt", None),
    ("Date: 2023–2024", "a.txt", None),
    ("Dateline: 2024-05-06", "a.txt", None),
    ("x" * 1000 + "\nDate: 2024-05-06", "a.txt", None),
]


@pytest.mark.parametrize(("content", "name", "date"), DOCUMENT_DATES)
def test_date(read_text: Any, content: str, name: str, date: str | None) -> None:
    assert read_text(content, name).date == date


def test_a_date_is_not_cut_where_the_search_for_labels_ends() -> None:
    for filler in range(960, 1010):
        assert labelled_date("x" * filler + "\nDate: 2024-05-06") in ("2024-05-06", None)


# -- the folder --------------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return [file.name for file in list_files(folder)[0]]


def reasons(folder: Path) -> dict[str, str]:
    return {item.path: item.reason for item in list_files(folder)[1]}


def test_files_are_listed_in_order_with_their_signatures(tmp_path: Path) -> None:
    write(tmp_path, {"b.txt": "b", "a/z.md": "z", "a/B.HTML": "<p>x", "ü.markdown": "u", "c.htm": "x"})
    files, skipped = list_files(tmp_path)
    assert [file.name for file in files] == ["a/B.HTML", "a/z.md", "b.txt", "c.htm", "ü.markdown"]
    assert not skipped
    assert all(file.signature == signature(file.path.stat()) for file in files)
    (tmp_path / "b.txt").write_text("longer")
    changed = list_files(tmp_path)[0]
    assert [old.name for old, new in zip(files, changed, strict=True) if old.signature != new.signature] == ["b.txt"]


def test_what_is_left_out_is_kept_with_its_reason(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.txt": "secret", "more/x.txt": "x"})
    docs = write(
        tmp_path / "docs",
        {"a.txt": "a", ".hidden.txt": "h", ".git/x.txt": "x", "b.doc": "p", "noending": "n", "sub/c.odt": "c"},
    )
    (docs / "in.txt").symlink_to(docs / "a.txt")
    (docs / "out.txt").symlink_to(outside / "secret.txt")
    (docs / "up.txt").symlink_to("../outside/secret.txt")
    (docs / "broken.txt").symlink_to(docs / "nothing")
    (docs / "loop.txt").symlink_to(docs / "loop.txt")
    (docs / "folder").symlink_to(outside / "more")
    (docs / "round").symlink_to(docs)
    (docs / "folder.txt").mkdir()
    os.mkfifo(docs / "pipe.txt")
    (docs / os.fsdecode(b"bad\xff.txt")).write_text("x")
    assert names(docs) == ["a.txt", "in.txt"]
    found = reasons(docs)
    expected = {
        ".hidden.txt": "hidden",
        ".git/": "hidden",
        "b.doc": "format .doc is not supported",
        "noending": "format without an ending is not supported",
        "sub/c.odt": "format .odt is not supported",
        "out.txt": "a link out of the folder",
        "up.txt": "a link out of the folder",
        "broken.txt": "is a broken link",
        "loop.txt": "is a broken link",
        "folder/": "a link to a folder",
        "round/": "a link to a folder",
        "pipe.txt": "is not a regular file",
        "bad?.txt": "not valid Unicode",
    }
    assert found.keys() == expected.keys()
    assert not [path for path in expected if expected[path] not in found[path]]


def test_folders_may_be_nested_deeper_than_the_recursion_limit(tmp_path: Path) -> None:
    write(tmp_path, {"b.txt": "b"})
    folders = [tmp_path.joinpath(*"d" * depth) for depth in range(1, min(sys.getrecursionlimit() + 200, 1800))]
    for folder in folders:
        folder.mkdir()
    (folders[-1] / "a.txt").write_text("a")
    files, skipped = list_files(tmp_path)
    assert [file.path for file in files] == [tmp_path / "b.txt", folders[-1] / "a.txt"]
    assert skipped == []
    assert read_document(files[1], max_file_mb=1).text == "a"
    files[1].path.unlink()
    for folder in reversed(folders):  # pytest, too, would go down by calls
        folder.rmdir()


IGNORED = [
    ("*.md", ["a.txt", "sub/b.txt", "sub/deep/c.txt"]),
    ("# comment\n\n  a.txt  ", ["d.md", "sub/b.txt", "sub/d.md", "sub/deep/c.txt"]),
    ("sub", ["a.txt", "d.md"]),
    ("sub/", ["a.txt", "d.md"]),
    ("/sub/", ["a.txt", "d.md"]),
    ("deep", ["a.txt", "d.md", "sub/b.txt", "sub/d.md"]),
    ("sub/deep", ["a.txt", "d.md", "sub/b.txt", "sub/d.md"]),
    ("/deep", ["a.txt", "d.md", "sub/b.txt", "sub/d.md", "sub/deep/c.txt"]),
    ("sub/*.txt", ["a.txt", "d.md", "sub/d.md", "sub/deep/c.txt"]),
    ("sub/**/*.txt", ["a.txt", "d.md", "sub/d.md"]),
    ("*.txt\n!a.txt", ["a.txt", "d.md", "sub/d.md"]),
    ("!a.txt\n\\!b", ["a.txt", "d.md", "sub/b.txt", "sub/d.md", "sub/deep/c.txt"]),
    ("/d.md", ["a.txt", "sub/b.txt", "sub/d.md", "sub/deep/c.txt"]),
    ("\ufeffa.txt\r\nd.md\r\n", ["sub/b.txt", "sub/deep/c.txt"]),
    ("[", ["a.txt", "d.md", "sub/b.txt", "sub/d.md", "sub/deep/c.txt"]),
]


@pytest.mark.parametrize(("patterns", "left"), IGNORED)
def test_qaignore(tmp_path: Path, patterns: str, left: list[str]) -> None:
    write(tmp_path, dict.fromkeys(["a.txt", "d.md", "sub/b.txt", "sub/d.md", "sub/deep/c.txt"], "x"))
    write(tmp_path, {IGNORE_FILE: patterns})
    assert names(tmp_path) == left
    assert set(reasons(tmp_path).values()) <= {"left out by .qaignore"}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_qaignore_that_cannot_be_read_is_an_error(tmp_path: Path, make: Any) -> None:
    write(tmp_path, {"private.txt": "x"})
    make(tmp_path / IGNORE_FILE)
    with pytest.raises(FolderError, match=r"\.qaignore"):
        list_files(tmp_path)


def test_a_path_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "a"})
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, message in {"nothing": "does not exist", "a.txt": "is not a folder", "loop": "cannot be read"}.items():
        with pytest.raises(FolderError, match=message):
            list_files(tmp_path / name)
    assert list_files(write(tmp_path / "empty", {IGNORE_FILE: ""})) == ([], [])


# The tests may run as root, whom no permission stops: the system's refusal is played at the call that gets it.


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, place: Path) -> None:
    real = getattr(os, call)

    def refusing(path: Any, *args: Any, **kwargs: Any) -> Any:
        if str(path) == str(place):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, call, refusing)


def test_an_unreadable_folder_is_an_error_and_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.txt": "a"})
    refuse(monkeypatch, "listdir", tmp_path)
    with pytest.raises(FolderError, match="Permission denied"):
        list_files(tmp_path)


def test_a_folder_that_vanishes_while_it_is_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.txt": "a"})
    refuse(monkeypatch, "scandir", tmp_path)
    with pytest.raises(FolderError, match="Permission denied"):
        list_files(tmp_path)


@pytest.mark.parametrize("back", [False, True])
def test_a_folder_that_is_moved_while_it_is_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    write(folder, {"a.txt": "a"})
    scandir = os.scandir

    def move(path: Any) -> Any:
        entries = scandir(path)
        folder.rename(tmp_path / "away")
        if back:
            folder.mkdir()
        return entries

    monkeypatch.setattr(os, "scandir", move)
    with pytest.raises(FolderError, match="does not exist any more, or was replaced"):
        list_files(folder)


def test_an_unreadable_subfolder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.txt": "a", "sub/b.txt": "b"})
    refuse(monkeypatch, "scandir", tmp_path / "sub")
    assert names(tmp_path) == ["a.txt"]
    assert reasons(tmp_path) == {"sub/": "cannot be read (Permission denied)"}


def test_an_unreadable_file_is_refused_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.txt": "a"})
    refuse(monkeypatch, "open", tmp_path / "a.txt")
    with pytest.raises(DocumentError, match="Permission denied"):
        read(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("replace", "reason"),
    [(None, "is gone"), (os.mkfifo, "not a regular file"), (Path.mkdir, "cannot be read")],
    ids=["deleted", "a pipe", "a folder"],
)
def test_a_file_may_change_between_listing_and_reading(tmp_path: Path, replace: Any, reason: str) -> None:
    (file,) = list_files(write(tmp_path, {"a.txt": "a"}))[0]
    file.path.unlink()
    if replace:
        replace(file.path)
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(DocumentError, match=reason):
        read_document(file, max_file_mb=1)
    assert len(os.listdir("/proc/self/fd")) == open_before, "a descriptor was left open"


@pytest.mark.parametrize("become", ["a.txt", "sub", "sub/b.txt", "in.txt"])
def test_what_becomes_a_link_out_of_the_folder_is_not_read(tmp_path: Path, become: str) -> None:
    outside = write(tmp_path / "outside", {"secret.txt": "secret", "b.txt": "secret"})
    docs = write(tmp_path / "docs", {"a.txt": "a", "sub/b.txt": "b"})
    (docs / "in.txt").symlink_to("sub/b.txt")
    files = list_files(docs)[0]
    assert [read_document(file, max_file_mb=1).text for file in files] == ["a", "b", "b"]
    (docs / become).rename(tmp_path / "away")
    (docs / become).symlink_to(outside if become == "sub" else outside / "secret.txt")
    told = []
    for file in files:
        try:
            assert read_document(file, max_file_mb=1).text in "ab"
        except DocumentError as error:
            told.append((file.name, str(error)))
    lost = [file.name for file in files if become in file.name or (file.name == "in.txt" and "sub" in become)]
    assert told == [(name, LINK_OUT) for name in lost]


def test_a_file_that_becomes_a_link_inside_the_folder_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "a", "b.txt": "b"})
    file = list_files(tmp_path)[0][0]
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").symlink_to("b.txt")
    assert read_document(file, max_file_mb=1).text == "b"
