"""E-mails → the subject as heading, sender, recipients, date and body; attachments are only named."""

import codecs
import itertools
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from qa.errors import DocumentError
from qa.formats.blocks import Extract, Line, assemble, clean, raise_beyond
from qa.formats.decoding import NO_TEXT, declared_encoding, decode
from qa.formats.marks import guarded, note_signs
from qa.formats.plain import plain_blocks
from qa.formats.replies import bare_text, parts
from qa.formats.web import page_lines

if TYPE_CHECKING:
    from email.message import EmailMessage

MAX_PARTS = 10_000  # of a mail, attachments and their parts included
MAX_HEADER = 100_000  # characters; the library's time for a header grows with the square of its length
SAYS_MORE = 2  # so many times the words of the plain text
SHOWN = ("From", "To", "Cc", "Date")
KNOWN = (*SHOWN, "Subject", "Received", "Message-ID")


def read_eml(data: bytes) -> Extract:
    """Read a mail. Its body is the plain text, or the HTML part where that says far more."""
    import email  # imported late: it takes time, and only folders with mails need it

    raise_beyond(data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n"))
    mail: Any = email.message_from_bytes(data, policy=_bounded_policy())
    if not any(mail[name] for name in KNOWN):
        raise DocumentError("is not an e-mail: it has no sender, subject or date")
    subject = _header(mail, "Subject")
    lines = [Line(subject, "heading", 1)] if subject else []
    lines += [Line(f"{name}: {_header(mail, name)}", "header") for name in SHOWN if _header(mail, name)]
    lines += _body(mail)
    names = [_one_line(part.get_filename() or part.get_content_type()) for part in mail.iter_attachments()]
    lines += [Line(f"Attachment, left out: {name}", "item", apart=number == 0) for number, name in enumerate(names)]
    found = assemble(lines, note_signs(line.text for line in lines))
    return replace(found, title=subject or None, dates=_dates(mail), encoding="eml")


def _bounded_policy() -> Any:
    """The library's policy with limits of headers and parts; they apply before a header or part is parsed."""
    from email.message import EmailMessage
    from email.policy import EmailPolicy

    parts = itertools.count(1)

    class Bounded(EmailPolicy):
        def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
            if sum(map(len, sourcelines)) > MAX_HEADER:
                raise DocumentError(
                    f"has a header of more than {MAX_HEADER:,} characters, which no mail program writes"
                )
            return super().header_source_parse(sourcelines)

        def message_factory(self, policy: Any) -> EmailMessage:
            if next(parts) > MAX_PARTS:
                raise DocumentError(f"holds more than {MAX_PARTS:,} parts, which no mail program writes")
            return EmailMessage(policy)

    return Bounded()


def _body(mail: "EmailMessage") -> list[Line]:
    text = guarded(_text(mail, "plain"))
    markup = _text(mail, "html")
    page = list(page_lines(markup)) if markup.strip() else []
    # Some programs write a blank plain text beside the HTML part, others one that only points to it.
    if SAYS_MORE * len(text.split()) < sum(len(line.text.split()) for line in page):
        return page
    return [line for first, last, level in parts(text) for line in _part(text[first:last], level)]


def _part(text: str, level: str | None) -> Iterator[Line]:
    """The lines of the mail's own words or, with `level` as locator, of what it quotes, without the marks."""
    bare = text if level is None else bare_text(text)
    for block in plain_blocks(bare, 0, len(bare)):
        yield Line(bare[block.start : block.end], "text" if block.kind == "row" else block.kind, locator=level)


def _text(mail: "EmailMessage", kind: str) -> str:
    """The body of this kind ("plain", "html"); "" when there is none."""
    part = mail.get_body((kind,))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    return _decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset())


def _decoded(data: bytes, charset: str | None) -> str:
    """The text in the encoding that the mail names, else in the one that is detected."""
    try:
        name = codecs.lookup(charset or "utf-8").name.replace("-", "_")
        text = data.decode("utf-8" if name in NO_TEXT else name)
    except (LookupError, UnicodeError):
        text = decode(data, declared_encoding(data))[0] if data.strip() else ""
    return text.replace("\r\n", "\n")


def _dates(mail: "EmailMessage") -> tuple[str, ...]:
    try:
        return (parsedate_to_datetime(str(mail["Date"])).date().isoformat(),)
    except (ValueError, TypeError):
        return ()


def _header(mail: "EmailMessage", name: str) -> str:
    return _one_line(str(mail[name] or ""))


def _one_line(text: str) -> str:
    return " ".join(guarded(clean(text)).split())
