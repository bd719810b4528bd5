"""Quoted replies in mail, plain text and Markdown; mails whose plain part says less than their HTML part."""

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.chunks import split_sentences
from qa.documents import text_sha256
from qa.formats import extract
from qa.formats.blocks import Extract
from qa.formats.replies import bare_text, parts
from qa.schema import Document

REPLY = (
    "We come on Friday.\n\nOn 4 May 2021 Ola Berg wrote:\n"
    "> The hut has eight beds and a stove, and the key is kept by\n> the warden. Bring your own sheets, because there\n"
    "> are none.\n>\n> - no dogs\n"
)
WHOLE = ["The hut has eight beds and a stove, and the key is kept by the warden.", "- no dogs"]
WHOLE.insert(1, "Bring your own sheets, because there are none.")


def mail(plain: str, html: str | None = None) -> bytes:
    message = EmailMessage()
    message["From"], message["Date"], message["Subject"] = "Ann", "Tue, 10 Jun 2025 08:05:00 +0200", "Re: Hut"
    message.set_content(plain)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


def sentences(found: Extract) -> list[tuple[str, str | None]]:
    """Each sentence as a person reads it, without marks, and its locator."""
    text = found.text
    document = Document("a", text, text_sha256(text), "a", None, None, "utf-8", found.blocks)
    spans = split_sentences(document)
    return [(" ".join(bare_text(text[one.start : one.end]).split()), one.locator) for one in spans]


@pytest.mark.parametrize("ending", [".txt", ".md", ".eml"])
def test_a_quoted_sentence_is_whole_and_says_whose_it_is(ending: str) -> None:
    found = sentences(extract(mail(REPLY) if ending == ".eml" else REPLY.encode(), ending))
    quoted = [(said, locator) for said, locator in found if locator and said]
    assert quoted == [(said, "quoted: On 4 May 2021 Ola Berg wrote") for said in WHOLE]
    assert ("We come on Friday.", None) in found


def test_the_name_can_stand_in_the_quoted_lines() -> None:
    found = sentences(extract(b"Yes.\n\n> Ola Berg wrote on 4 May 2021:\n> The hut is open.\n", ".txt"))
    assert found[-1] == ("The hut is open.", "quoted: Ola Berg wrote on 4 May 2021")


def test_a_line_that_only_contains_the_sign_is_not_quoted() -> None:
    assert [locator for _, _, locator in parts("a > b\nif x > 3 then\n")] == [None]


@given(st.text(alphabet="> ab.\n", max_size=60))
def test_the_parts_cover_the_text_in_order(text: str) -> None:
    found = list(parts(text))
    assert "".join(text[start:end] for start, end, _ in found) == text
    assert all(start < end for start, end, _ in found)


HTML = "<p>The van comes on Monday at nine. Keep the yard free, and send the keys to the office by Friday.</p>"


def test_the_part_that_says_more_is_read() -> None:
    stub = extract(mail("This mail is in HTML. Use another reader.\n", HTML), ".eml").text
    assert "van comes on Monday" in stub
    assert "another reader" not in stub
    same = extract(mail("The van comes on Monday at nine. Keep the yard free, and send the keys.\n", HTML), ".eml").text
    assert "by Friday" not in same


def test_the_lines_of_a_mails_header_are_a_kind_of_their_own() -> None:
    found = extract(mail("Hello there.\n"), ".eml")
    assert [found.text[one.start : one.end] for one in found.blocks if one.kind == "header"] == [
        "From: Ann",
        "Date: Tue, 10 Jun 2025 08:05:00 +0200",
    ]


@pytest.mark.parametrize("ending", [".txt", ".md", ".eml"])
def test_ten_thousand_levels_are_read(ending: str) -> None:
    text = ">" * 10_000 + " the hut is open.\n" + "> " * 10_000 + "it is.\n"
    found = extract(mail(text) if ending == ".eml" else text.encode(), ending)
    assert "the hut is open." in found.text
