"""Broken, hostile and misnamed files: each gives a document or one line that says why not, and nothing else."""

import io
import os
import random
import re
import subprocess
import sys
import warnings
import weakref
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from qa import formats
from qa.documents import read_document
from qa.errors import DocumentError
from qa.folder import File
from qa.formats import READERS, SCHEMAS, Extract, blocks, extract, guarded, office, package_reader
from qa.formats.apart import Apart
from qa.formats.pdf import read_pdf
from qa.formats.xlsx import read_xlsx
from tests import files
from tests.files import SAMPLES
from tests.test_formats import block_laws

FLIPS = 60  # a format; of a PDF fewer, each takes a process
PDF_FLIPS = 12


def tried(data: bytes, ending: str, read: Callable[[bytes], Extract] | None = None) -> Extract | str:
    """The extract, its laws checked, or the reason; read with another reader than the usual one where one is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = guarded(read, data, ending) if read else extract(data, ending)
        except DocumentError as error:
            reason = str(error)
            assert reason
            assert "\n" not in reason
            assert len(reason) < 200
            return reason
    block_laws(found.text, found.blocks)
    found.text.encode("utf-8")
    assert "\0" not in found.text
    return found


def reason(data: bytes, ending: str, read: Callable[[bytes], Extract] | None = None) -> str:
    found = tried(data, ending, read)
    assert isinstance(found, str), "was read"
    return found


@pytest.mark.parametrize("ending", SAMPLES)
def test_a_sample_is_read_the_same_twice(ending: str) -> None:
    data = SAMPLES[ending]()
    first = tried(data, ending)
    assert isinstance(first, Extract), first
    assert any(block.kind not in ("rule", "heading") for block in first.blocks)
    assert tried(data, ending) == first


def test_every_format_has_a_sample() -> None:
    assert {*SAMPLES, ".markdown", ".htm"} == READERS.keys()


@pytest.mark.parametrize("ending", SAMPLES)
def test_truncations_and_flips(ending: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = SAMPLES[ending]()
    dice = random.Random(ending)
    for _ in range(PDF_FLIPS if ending == ".pdf" else FLIPS):
        tried(data[: dice.randrange(len(data))], ending)
        flipped = bytearray(data)
        for _ in range(dice.choice([1, 3, 30])):
            flipped[dice.randrange(len(flipped))] = dice.randrange(256)
        tried(bytes(flipped), ending)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", [".docx", ".pptx", ".xlsx"])
def test_flips_inside_a_package(ending: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = SAMPLES[ending]()
    dice = random.Random(ending)
    names = [name for name in zipfile.ZipFile(io.BytesIO(data)).namelist() if name.endswith((".xml", ".rels"))]

    def spoil(part: bytes) -> bytes:
        spoiled = bytearray(part)
        for _ in range(dice.choice([1, 5])):
            at = dice.randrange(len(spoiled))
            spoiled[at : at + dice.choice([0, 1, 20])] = dice.choice([b"", b"<", b'"', b"9", b"-1", b"zz", b"&#0;"])
        return bytes(spoiled)

    for _ in range(FLIPS):
        tried(files.repacked(data, {dice.choice(names): spoil}), ending)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", SAMPLES)
@pytest.mark.parametrize("other", SAMPLES)
def test_any_format_under_any_name(ending: str, other: str) -> None:
    found = tried(SAMPLES[other](), ending)
    binary = {".docx", ".pptx", ".xlsx", ".pdf"}
    assert ending == other or not {ending, other} & binary or isinstance(found, str)


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
WRONG = [
    (b"%PDF-1.7", ".txt", "is not text but a PDF (.pdf)"),
    (b"<!DOCTYPE html><html><p>Not found", ".pdf", "is not a PDF but a web page (.html)"),
    (b"\xef\xbb\xbf <html>", ".docx", "is broken or not a Word document (.docx) but a web page (.html)"),
    (b"%PDF-1.7", ".xlsx", "but a PDF (.pdf)"),
    (b"{\\rtf1 text}", ".docx", "rich text: save it as .docx"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        ".xlsx",
        "is of an old Office format; save it as an Excel workbook",
    ),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), ".docx", "is encrypted"),
    (b"%PDF-1.7\n%broken", ".pdf", "is a broken PDF"),
    (b"\0\1\2\3", ".csv", "is binary, not text"),
    (b"{", ".json", "is not JSON (line 1, column 2)"),
    (b'{"a": 1}\n{', ".jsonl", "is not JSON in line 2"),
    (b"Just text.", ".eml", "is not an e-mail"),
]


@pytest.mark.parametrize(("data", "ending", "said"), WRONG)
def test_what_a_file_is_not(data: bytes, ending: str, said: str) -> None:
    assert said in reason(data, ending)


@pytest.mark.parametrize("ending", [".docx", ".pptx", ".xlsx"])
def test_packages_of_another_kind(ending: str) -> None:
    other = ".xlsx" if ending == ".docx" else ".docx"
    assert re.search(rf"is not an? .*\({ending}\) but an? .*\({other}\)", reason(SAMPLES[other](), ending))
    assert "but another zip archive" in reason(files.zip_bytes({"a.txt": b"x"}), ending)


@pytest.mark.parametrize("ending", SAMPLES)
@pytest.mark.parametrize("data", [b"", b" \r\n", b"\0"])
def test_empty_files(tmp_path: Path, ending: str, data: bytes) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    with pytest.raises(DocumentError):
        read_document(File(path, path.name, (0, 0, 0)), max_file_mb=1)


# -- bombs -------------------------------------------------------------------------------------

MAIN = {".docx": "word/document.xml", ".pptx": "ppt/slides/slide1.xml", ".xlsx": "xl/worksheets/sheet1.xml"}


@pytest.mark.parametrize("ending", MAIN)
def test_zip_bombs_are_not_unpacked(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = files.repacked(SAMPLES[ending](), {MAIN[ending]: lambda part: part + b" " * office.MAX_XML[SCHEMAS[ending]]})
    read = zipfile.ZipExtFile.read
    unpacked: list[int] = []

    def counting(file: zipfile.ZipExtFile, *args: Any) -> bytes:
        data = read(file, *args)
        unpacked.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    assert "unpacks to more than" in reason(bomb, ending)
    assert sum(unpacked) < 1_000_000
    assert isinstance(tried(SAMPLES[ending](), ending), Extract)
    assert unpacked, "what is unpacked is not counted"


def test_a_zip_that_lies_about_its_size() -> None:
    data = bytearray(SAMPLES[".docx"]())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    tried(bytes(data), ".docx")
    many = files.zip_bytes({**{f"{n}.txt": b"" for n in range(20_001)}, "[Content_Types].xml": b"<Types/>"})
    assert "parts" in reason(many, ".docx")


@pytest.mark.parametrize("ending", MAIN)
@pytest.mark.parametrize("marks", [{b"PK\x01\x02": 8}, {b"PK\x01\x02": 8, b"PK\x03\x04": 6}], ids=["listed", "both"])
def test_a_zip_with_a_password(ending: str, marks: dict[bytes, int]) -> None:
    """`marks`: what begins an entry of a zip's list, or a part, and how far behind it stand the flags."""
    data = bytearray(files.repacked(SAMPLES[ending](), {}))
    assert isinstance(tried(bytes(data), ending), Extract)
    for mark, flags in marks.items():
        data[data.index(mark) + flags] |= 1
    assert reason(bytes(data), ending) == "is encrypted; save a copy without a password"


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("ending", MAIN)
@pytest.mark.parametrize("code", ["utf-8", "utf-16", "utf-32", "cp037", "cp500"])
def test_entities_are_refused(ending: str, code: str) -> None:
    def declare(part: bytes) -> bytes:
        return ('<?xml version="1.0"?>' + LAUGHS.decode() + part.decode().partition("?>")[2]).encode(code)

    assert "declares entities" in reason(files.repacked(SAMPLES[ending](), {MAIN[ending]: declare}), ending)


@pytest.mark.parametrize(
    "start", [LAUGHS, b" " * 100_000 + LAUGHS, '<?xml version="1.0"?>'.encode("cp037")], ids=["", "blank", "EBCDIC"]
)
def test_entities_are_refused_whatever_the_part_is_called(start: bytes) -> None:
    hidden = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SAMPLES[".docx"]())) as package, zipfile.ZipFile(hidden, "w") as other:
        for part in package.infolist():
            data = package.read(part).replace(b"word/document.xml", b"word/document.bin")
            name = part.filename.replace("word/document.xml", "word/document.bin")
            other.writestr(name, start + data.partition(b"?>")[2] if name == "word/document.bin" else data)
    assert "declares entities" in reason(hidden.getvalue(), ".docx")


def test_a_text_shown_in_many_cells_counts_each_time() -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in range(10):
        book.worksheets[0].append(["x" * 600, row])
    saved = io.BytesIO()
    book.save(saved)
    assert "more than 5,000 characters" in reason(saved.getvalue(), ".xlsx", partial(read_xlsx, max_chars=5_000))


def test_an_external_entity_is_never_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    page = f'<!DOCTYPE x [<!ENTITY s SYSTEM "file://{tmp_path}/secret.txt">]><p>&s; word</p>'.encode()
    found = tried(page, ".html")
    assert isinstance(found, Extract)
    assert "secret" not in found.text


DEEP = [
    (b"[" * 100_000 + b"]" * 100_000, ".json"),
    (b'{"a":' * 300 + b"1" + b"}" * 300, ".json"),
    (b"[" * 500 + b'{"a":1}' + b"]" * 500, ".jsonl"),
    (b"<ul>" * 100_000 + b"x", ".html"),
]


@pytest.mark.parametrize(("data", "ending"), DEEP)
def test_deep_nesting(data: bytes, ending: str) -> None:
    assert "nested more than" in reason(data, ending)


def test_deep_nesting_in_a_package() -> None:
    def bury(part: bytes) -> bytes:
        return part.replace(b"<w:body>", b"<w:body>" + b"<w:sdt>" * 5000).replace(
            b"</w:body>", b"</w:sdt>" * 5000 + b"</w:body>"
        )

    assert "is broken or not a .docx file" in reason(files.repacked(SAMPLES[".docx"](), {MAIN[".docx"]: bury}), ".docx")


@pytest.mark.parametrize("ending", MAIN)
def test_a_large_package_is_read_apart_and_gives_the_same(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tried(SAMPLES[ending](), ending)
    broken = files.repacked(SAMPLES[ending](), {MAIN[ending]: lambda part: part[:-20]})
    why = reason(broken, ending)
    apart = package_reader(ending, large_xml=0)
    monkeypatch.setitem(formats.PARSERS, ending, lambda data: Extract("read here", ()))
    assert isinstance(here, Extract)
    assert tried(SAMPLES[ending](), ending, apart) == here
    assert reason(broken, ending, apart) == why


EMPTY = {
    "paragraphs": (".docx", "word/document.xml", b"<w:body>", b"<w:p/>"),
    "shapes": (".pptx", "ppt/slides/slide1.xml", b"<p:spTree>", b"<p:sp/>"),
    "styles": (".xlsx", "xl/styles.xml", b"<cellXfs>", b"<xf/>"),
    "cells": (".xlsx", "xl/worksheets/sheet1.xml", b"<row>", b"<c/>"),
}


@pytest.mark.skipif(os.name == "nt", reason="a process has no limits there")
@pytest.mark.parametrize(("ending", "part", "within", "mark"), EMPTY.values(), ids=EMPTY)
def test_empty_marks_take_no_more_memory_than_a_limit(ending: str, part: str, within: bytes, mark: bytes) -> None:
    def multiply(content: bytes) -> bytes:
        begun = re.sub(rb"<(cellXfs|row)\b[^>]*>", rb"<\1>", content)
        assert within in begun
        return begun.replace(within, within + mark * 2_000_000, 1)

    read = package_reader(ending, large_xml=0, apart=Apart(memory_bytes=300_000_000))
    assert isinstance(tried(SAMPLES[ending](), ending, read), Extract)
    assert reason(files.repacked(SAMPLES[ending](), {part: multiply}), ending, read).startswith("takes too much memory")


def test_what_a_reader_held_is_free_before_its_error_is_told() -> None:
    class Held:
        pass

    held: list[weakref.ref[Held]] = []

    def read(data: bytes) -> Extract:
        much = Held()
        held.append(weakref.ref(much))
        raise MemoryError

    with pytest.raises(DocumentError, match="takes too much memory") as caught:
        guarded(read, b"", ".docx")
    assert held[0]() is None, caught.value


@pytest.mark.parametrize("ending", MAIN)
def test_what_is_no_xml_is_broken(ending: str) -> None:
    assert reason(files.repacked(SAMPLES[ending](), {MAIN[ending]: lambda _: b"garbage"}), ending).startswith(
        "is broken"
    )


MANY = {  # of these pieces each takes a hundred times its own size
    "paragraphs": ("a\n\n" * 60, ".txt"),
    "lines of one paragraph": ("a\n" * 120, ".txt"),
    "blank lines": ("\n" * 120, ".md"),
    "list items": ("- a\n" * 60, ".md"),
    "lists in lists": ("- - - - - - - - a\n" * 10, ".md"),
    "rows": ("|a|\n|-|\n" + "|b|\n" * 110, ".md"),
    "line breaks": ("<br>" * 60, ".html"),
    "words": ("<b>a</b>" * 40, ".html"),
    "code": ("<pre>" + "a\n" * 120, ".html"),
    "records": ("a,b\n" * 120, ".csv"),
    "tabs": ("a\tb\n" * 120, ".tsv"),
    "members": ("{" + '"a":1,' * 120 + '"b":1}', ".json"),
    "brackets": ("[" + "[]," * 120 + "1]", ".json"),
    "lines in a string": ('{"a":"' + "b\\n" * 120 + '"}', ".json"),
    "lines of JSON": ('{"a":1}\n' * 120, ".jsonl"),
    "lines of a mail": ("Subject: S\n\n" + "a\n" * 120, ".eml"),
    "encoded lines": ("Subject: S\nContent-Transfer-Encoding: base64\n\n" + "YQphCmEK" * 40, ".eml"),
    "a page in a mail": ("Subject: S\nContent-Type: text/html\n\n" + "<br>" * 60, ".eml"),
}


@pytest.mark.parametrize(("text", "ending"), MANY.values(), ids=MANY)
def test_more_pieces_than_the_limit(text: str, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(tried(text.encode(), ending), Extract)
    monkeypatch.setattr(blocks, "MAX_PIECES", 100)
    assert reason(text.encode(), ending) == "holds more than 100 lines or marks; split it"


def test_a_mail_of_more_parts_than_any_program_writes() -> None:
    parts = "Subject: S\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\n\n" * 10_000
    assert "more than 10,000 parts" in reason(parts.encode(), ".eml")


SHEETS = [
    ('<row r="1048577"><c r="A1048577"><v>1</v></c></row>', "more than 1,048,576 rows"),
    ('<row r="999999999999"><c r="A999999999999"><v>1</v></c></row>', "more than 1,048,576 rows"),
]


@pytest.mark.parametrize(("rows", "said"), SHEETS)
def test_rows_that_cannot_be(rows: str, said: str) -> None:
    def far(part: bytes) -> bytes:
        return re.sub(rb"<sheetData>.*</sheetData>", f"<sheetData>{rows}</sheetData>".encode(), part, flags=re.DOTALL)

    assert said in reason(files.repacked(SAMPLES[".xlsx"](), {MAIN[".xlsx"]: far}), ".xlsx")


def test_a_million_empty_rows_are_no_text() -> None:
    def fill(book: Any) -> None:
        book.active["A1"], book.active["B1048576"] = "first", "last"

    found = tried(files.xlsx_bytes(fill), ".xlsx")
    assert isinstance(found, Extract)
    assert [block.locator for block in found.blocks] == [
        "sheet Sheet",
        "sheet Sheet, row 1",
        "sheet Sheet, row 1048576",
    ]


def test_an_open_quotation_mark_is_named() -> None:
    assert "is a quotation mark open" in reason(b'a,b\n"' + b"x,y\n" * 50_000, ".csv")


# -- PDFs --------------------------------------------------------------------------------------


def raw_pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    body, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(places) + 1, table, len(places) + 1, len(body)
    )  # fmt: skip


def stream(content: bytes, head: bytes = b"") -> bytes:
    return b"<</Length %d%s>>\nstream\n%s\nendstream" % (len(content), head, content)


def forms_in_forms(levels: int, times: int) -> bytes:
    """Each form draws the next one several times: times ** levels texts in a file of some kilobytes."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 500]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>"
    forms = [
        stream(
            b"/X Do " * times,
            b"/Type/XObject/Subtype/Form/BBox[0 0 500 500]/Resources<</XObject<</X %d 0 R>>>>" % (n + 1),
        )
        for n in range(5, 5 + levels)
    ]
    last = stream(b"BT (x) Tj ET", b"/Type/XObject/Subtype/Form/BBox[0 0 500 500]")
    tree = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, page, stream(b"/X Do"), *forms, last)


def test_forms_that_multiply_end_at_a_limit() -> None:
    of_two_seconds = partial(read_pdf, apart=Apart(cpu_s=2))
    assert "cannot be read: it takes too long" in reason(forms_in_forms(9, 12), ".pdf", of_two_seconds)
    assert "takes too long" in reason(SAMPLES[".pdf"](), ".pdf", partial(read_pdf, apart=Apart(clock_s=0.0)))


def test_a_pdf_with_more_pages_or_text_than_the_limit() -> None:
    kids = b"3 0 R " * 30_000
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 500]>>"
    tree = b"<</Type/Pages/Kids[%s]/Count 30000>>" % kids
    assert "has more than 20,000 pages" in reason(raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, page), ".pdf")
    two_pages = files.pdf_bytes(*[lambda drawn: files.write_lines(drawn, ["x"])] * 2)
    for limits, data, said in (
        ({"pieces": 3}, SAMPLES[".pdf"](), "holds more than 3 pieces of text; split it"),
        ({"characters": 20}, SAMPLES[".pdf"](), "holds more than 20 characters; split it"),
        ({"pages": 1}, two_pages, "has more than 1 pages; split it"),
    ):
        assert reason(data, ".pdf", partial(read_pdf, **limits)) == said


@pytest.mark.skipif(os.name == "nt", reason="a process has no limits there")
def test_a_pdf_is_read_under_limits_that_are_lower() -> None:
    code = (
        "import resource, sys; from qa.formats.pdf import read_pdf\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (100, 100))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))\n"
        "print(read_pdf(sys.stdin.buffer.read()).pages)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=SAMPLES[".pdf"](), capture_output=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, b"1"), done.stderr


def test_the_process_that_cannot_start_is_named() -> None:
    read = partial(read_pdf, apart=Apart(python="/nowhere/python"))
    assert "no process could be started" in reason(SAMPLES[".pdf"](), ".pdf", read)


# -- the folder --------------------------------------------------------------------------------


def test_the_rest_is_indexed(open_folder: Callable[..., Any]) -> None:
    good = {f"good{ending}": make() for ending, make in SAMPLES.items()}
    bad = {f"bad{ending}": make()[:-40] for ending, make in SAMPLES.items() if ending in MAIN}
    odd = {"n" * 240 + ".csv": SAMPLES[".csv"](), "rtl\u202etxt.csv": b"name,price\nRope,5\n", "wrong.pdf": b"<html>"}
    assistant = open_folder({**good, **bad, **odd})
    paths = {one.path for one in assistant.documents()}
    assert paths == good.keys() | odd.keys() - {"wrong.pdf"}
    skipped = {one.path: one.reason for one in assistant.skipped()}
    assert skipped.keys() == bad.keys() | {"wrong.pdf"}
    assert "web page" in skipped["wrong.pdf"]
