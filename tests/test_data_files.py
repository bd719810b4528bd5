"""CSV, TSV, JSON, JSON lines and e-mails."""

import csv
import io
import json
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.formats import Extract, extract
from qa.formats.blocks import LOCATOR_CHARS, ROW_CHARS
from tests.files import SHOWN, csv_bytes, eml_bytes, json_bytes, jsonl_bytes
from tests.test_formats import block_laws, shown
from tests.test_hostile_files import reason, tried


def read(data: bytes, ending: str) -> Extract:
    found = extract(data, ending)
    block_laws(found.text, found.blocks)
    return found


def places(found: Extract) -> list[tuple[str | None, str]]:
    return [(block.locator, found.text[block.start : block.end]) for block in found.blocks]


# -- CSV ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv(delimiter: str, encoding: str) -> None:
    data = csv_bytes(delimiter=delimiter, lineterminator="\n").decode().encode(encoding)
    found = read(data, ".csv")
    assert places(found) == [(f"row {number}", row) for number, row in enumerate(SHOWN, 1)]
    assert {kind for kind, _ in shown(found)} == {"row"}


TABLES = [
    ("a;b\n1,5;2,5\n3,5;4,5\n", ["a | b", "1,5 | 2,5", "3,5 | 4,5"]),
    ('name,about\nRope,"strong, and\nlong"\n', ["name | about", "Rope | strong, and long"]),
    ("Prices of 2024\n\na,b\n1,2\n", ["Prices of 2024", "a | b", "1 | 2"]),
    ("a,b\r\n1,2\r\n", ["a | b", "1 | 2"]),
    ("a,b\r1,2\r", ["a | b", "1 | 2"]),
    ("only\none\ncolumn\n", ["only", "one", "column"]),
    ('a,b\n5" pipe,3\n', ["a | b", '5" pipe | 3']),
    (",,\na,b\n,,\n", ["a | b"]),
]


@pytest.mark.parametrize(("text", "rows"), TABLES)
def test_tables_as_people_write_them(text: str, rows: list[str]) -> None:
    assert [row for _, row in shown(read(text.encode(), ".csv"))] == rows


def test_numbers_of_rows_count_empty_ones() -> None:
    assert places(read(b"a,b\n\n1,2\n", ".csv")) == [("row 1", "a | b"), ("row 3", "1 | 2")]


@pytest.mark.parametrize("blank", ["", ",", " , ", "\n,\n\n\n"])
def test_a_blank_row_ends_a_table(blank: str) -> None:
    found = read(f"ticket,price\nAdult,5\n{blank}\nFor help\nname,phone\nAnn,555\n".encode(), ".csv")
    assert found.text == "ticket | price\nAdult | 5\n\nFor help\n\nname | phone\nAnn | 555"


@pytest.mark.parametrize("end", ["\r\r\n", "\n\n", "\n,\n"])
def test_blank_rows_between_all_rows_do_not_end_the_table(end: str) -> None:
    found = read(end.join(["ticket,price", "Adult,5", "Child,3", ""]).encode(), ".csv")
    assert found.text == "ticket | price\nAdult | 5\nChild | 3"
    assert places(found)[1:] == [("row 3", "Adult | 5"), ("row 5", "Child | 3")]


def test_long_rows_say_which_column_is_which() -> None:
    header = [f"Question {number}" for number in range(30)]
    answers = [f"answer {number} of this" for number in range(29)] + ["Long. " * 200]
    found = read(csv_bytes([header, answers]), ".csv")
    texts = [text for _, text in shown(found)]
    assert all(len(text) <= ROW_CHARS for text in texts[:-1])
    assert any("Question 28: answer 28 of this" in text for text in texts)
    assert shown(found)[-1] == ("text", "Question 29: " + ("Long. " * 200).strip())
    assert {block.locator for block in found.blocks} == {"row 1", "row 2"}


CELLS = st.text(st.characters(codec="utf-8").filter(str.isprintable) | st.sampled_from("\n\r\t"), max_size=9)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=8))
def test_any_table_comes_back_row_by_row(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter="\t").writerows([["Header", "of it"], *rows])
    found = read(file.getvalue().encode(), ".tsv")
    cells = {f"row {number}": [" ".join(cell.split()) for cell in row] for number, row in enumerate(rows, 2)}
    got = dict(places(found))
    assert got.pop("row 1") == "Header | of it"
    assert got.keys() == {row for row in cells if any(cells[row])}
    # Above a header, which a blank row asks for anew, a cell by itself is text.
    assert all(text in (" | ".join(cells[row]).strip(), "".join(cells[row])) for row, text in got.items())
    assert all(text == " | ".join(cells[row]).strip() for row, text in got.items() if sum(map(bool, cells[row])) > 1)


# -- JSON --------------------------------------------------------------------------------------


def test_json() -> None:
    value = {
        "centre": "Tarn Hollow",
        "opening": {"monday": {"from": "09:00"}, "closed": ["Sunday", "Friday"]},
        "tickets": [
            {"name": "Adult", "price": 5.5, "extra": {"audio": True, "map": None}},
            {"name": "Family", "about": "For two adults. " * 20, "of": [{"a": 1}, {"a": 2}]},
        ],
        "odd key": [],
    }
    found = read(json_bytes(value), ".json")
    assert places(found) == [
        ("$.centre", "centre: Tarn Hollow"),
        ("$.opening.monday.from", "opening.monday.from: 09:00"),
        ("$.opening.closed", "opening.closed: Sunday, Friday"),
        ("$.tickets[0]", "tickets | name: Adult | price: 5.5 | extra.audio: true | extra.map: null"),
        ("$.tickets[1]", "tickets | name: Family"),
        ("$.tickets[1].about", "tickets.about: " + ("For two adults. " * 20).strip()),
        ("$.tickets[1].of[0]", "tickets.of | a: 1"),
        ("$.tickets[1].of[1]", "tickets.of | a: 2"),
        ('$["odd key"]', "odd key:"),
    ]
    assert [kind for kind, _ in shown(found)] == "row row row row row text row row row".split()


def test_numbers_and_twice_written_keys_are_kept_as_they_are() -> None:
    found = read(b'{"a": 1.10, "a": 1e3, "b": 123456789012345678901234567890}', ".json")
    assert found.text.split() == ["a:", "1.10", "a:", "1e3", "b:", "123456789012345678901234567890"]


def test_long_strings_are_paragraphs() -> None:
    found = read(json_bytes({"text": "One. Two.\n\nThree.\n- item"}), ".json")
    assert shown(found) == [("text", "text: One. Two."), ("text", "Three."), ("item", "- item")]


def test_jsonl() -> None:
    found = read(jsonl_bytes(), ".jsonl")
    assert places(found) == [("line 1", "name: Adult | price: 5.50"), ("line 3", "name: Child | price: 3")]


def test_a_key_of_half_a_character_gives_a_locator_that_can_be_stored() -> None:
    found = read(b'{"\\ud83d": "text", "a": [{"b\\ud83d": "%s"}]}' % (b"Long. " * 99), ".json")
    assert [block.locator for block in found.blocks] == ['$[""]', '$.a[0]["b"]']


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_long_keys_are_cut_in_locators_and_refused_beyond_a_limit(ending: str) -> None:
    found = read(json.dumps([{"k" * 900: "Long. " * 99}]).encode(), ending)
    assert {len(block.locator or "") for block in found.blocks} == {LOCATOR_CHARS}
    for value in ({"k" * 1001: 1}, [{"k" * 1001: 1}], [{"k" * 600: {"k" * 600: 1}}], {"k" * 600: [{"k" * 600: {}}]}):
        assert "keys of more than 1,000 characters" in reason(json.dumps(value).encode(), ending)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_every_word_of_any_value_is_in_the_text(value: Any) -> None:
    found = read(json.dumps(value).encode(), ".json")

    def words(one: Any) -> list[str]:
        if isinstance(one, dict):
            return [word for inner in one.values() for word in words(inner)]
        if isinstance(one, list):
            return [word for inner in one for word in words(inner)]
        return one.encode("utf-8", "ignore").decode().replace("\0", "").split() if isinstance(one, str) else []

    assert all(word in found.text for word in words(value))
    assert read(json.dumps([value]).encode() + b"\n", ".jsonl")


# -- e-mails -----------------------------------------------------------------------------------


def test_eml() -> None:
    found = read(eml_bytes(), ".eml")
    assert shown(found) == [
        ("heading", "Pool closed"),
        ("header", "From: Anna <anna@x.org>"),
        ("header", "To: all@x.org"),
        ("header", "Date: Fri, 24 May 2024 10:00:00 +0100"),
        ("text", "Dear all,"),
        ("text", "The pool is closed on Friday."),
        ("item", "Attachment, left out: plan of the pool.pdf"),
    ]
    assert (found.title, found.dates, found.encoding) == ("Pool closed", ("2024-05-24",), "eml")


def mail(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in {"Subject": "S", **headers}.items():
        made[name] = value
    return made


def test_a_mail_without_plain_text_is_read_as_a_page() -> None:
    made = mail()
    made.set_content("<h1>News</h1><p>The <b>pool</b> is open.</p><script>x</script>", subtype="html")
    assert shown(read(made.as_bytes(), ".eml")) == [
        ("heading", "S"),
        ("heading", "News"),
        ("text", "The pool is open."),
    ]


@pytest.mark.parametrize("plain", ["", " \r\n", "\xa0\n"])
def test_a_mail_with_blank_plain_text_is_read_as_a_page(plain: str) -> None:
    made = mail()
    made.set_content(plain)
    made.add_alternative("<p>The pool is open.", subtype="html")
    assert shown(read(made.as_bytes(), ".eml"))[1:] == [("text", "The pool is open.")]


def test_a_mail_of_attachments_only_keeps_its_headers() -> None:
    made = mail()
    made.add_attachment(b"\0\1", maintype="application", subtype="octet-stream", filename="plan.bin")
    assert "plan.bin" in read(made.as_bytes(), ".eml").text


@pytest.mark.parametrize(
    ("charset", "body"),
    [("iso-8859-1", "Caf\xe9".encode("latin-1")), ("unknown-8bit", "Café".encode()), ("nonsense", "Café".encode()),
     ("punycode", "Café".encode()), ("hex", "Café".encode()), ("utf-16", "Café".encode())],
)  # fmt: skip
def test_bodies_in_any_encoding(charset: str, body: bytes) -> None:
    data = b"Subject: S\r\nContent-Type: text/plain; charset=%s\r\n\r\n%s, and caf\xc3\xa9s\r\n" % (
        charset.encode(),
        body,
    )
    found = read(data, ".eml")
    assert found.blocks
    assert charset == "utf-16" or "Caf" in found.text


def test_headers_are_decoded_and_of_one_line() -> None:
    data = b"Subject: =?utf-8?q?Caf=C3=A9_is?=\r\n =?utf-8?q?_closed?=\r\nDate: soon\r\n\r\nText.\r\n"
    found = read(data, ".eml")
    assert (found.title, found.dates) == ("Café is closed", ())


@pytest.mark.parametrize("name", ["To", "Content-Type", "X-Other"])
@pytest.mark.parametrize("before", ["", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"])
def test_a_mail_with_a_huge_header_is_refused_before_it_is_parsed(
    name: str, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    parse = EmailPolicy.header_fetch_parse
    monkeypatch.setattr(EmailPolicy, "header_fetch_parse", lambda *args: parsed.append(len(args[2])) or parse(*args))
    data = f"Subject: S\r\n{before}{name}: {'a,' * 60_000}\r\n\r\nText.\r\n"
    assert "header of more than 100,000 characters" in reason(data.encode(), ".eml")
    assert max(parsed, default=0) < 1000


def test_a_mail_without_body_still_names_what_it_carries() -> None:
    made = mail(From="a@x.org")
    made.add_attachment(b"x", maintype="image", subtype="png", filename="map.png")
    assert [text for _, text in shown(read(made.as_bytes(), ".eml"))] == [
        "S",
        "From: a@x.org",
        "Attachment, left out: map.png",
    ]


HEADERS = [
    *("Subject: a", "From: <", "To: a,,;:<>@", "Date: 31 Feb 2024", "", "=?x?q?=?=", "\xff"),
    *("Content-Type: multipart/mixed; boundary=b", "--b", "--b--", "Content-Type: text/html"),
    *("Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename*=''%ff"),
]


@given(st.lists(st.sampled_from(HEADERS), max_size=14))
def test_any_soup_of_headers_is_a_mail_or_none(lines: list[str]) -> None:
    tried("\r\n".join(["Subject: S", *lines]).encode("latin-1"), ".eml")


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_a_first_line_that_names_the_delimiter_is_no_row(line: str) -> None:
    found = extract(f"{line}Name, first;Age\nAda, L.;36\n".encode(), ".csv")
    assert found.text == "Name, first | Age\nAda, L. | 36"
    assert [block.locator for block in found.blocks] == ["row 2", "row 3"]
