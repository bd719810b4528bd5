"""A spreadsheet cell's value and number format → the text that the spreadsheet shows; dates as ISO."""

import datetime
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

EXACT = 1e15  # the digits of a larger float are not all exact
MAX_PLACES = 30  # decimal places; Excel's own limit

_PARTS = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|[_*].|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[[^\]]*\]'
    r"|(?P<digit>[#0?.,]+)|(?P<percent>%)|(?P<other>General|[@/]|[eE][+-]|[a-zA-Z]+)|(?P<sign>.)"
)
_TOKEN = re.compile(r'"[^"]*"|[\\_*].|\[[^\]]*\]|.', re.DOTALL)
_CONDITION = re.compile(r"\[\s*[<>=]")
_MINUS = re.compile(r"(?<!\w)[-−–]|[-−–](?!\w)")  # not the hyphen of a word


@dataclass(frozen=True, slots=True)
class _Format:
    before: str
    digits: str  # such as #,##0.00
    after: str
    percent: bool


def shown(value: Any, number_format: str) -> str:
    """The value as text: `1234.5` in `#,##0.00 "€"` is "1,234.50 €". In an unsupported format it is shown plainly."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() + ("" if value.time() == datetime.time() else f" {_time(value.time())}")
    if isinstance(value, datetime.time):
        return _time(value)
    if isinstance(value, int | float):
        return _number(value, number_format or "General")
    return str(value)


def _time(value: datetime.time) -> str:
    return value.isoformat("seconds" if value.second else "minutes")


def _number(value: int | float, number_format: str) -> str:
    sections = _sections(number_format)
    own = value < 0 and len(sections) > 1  # negative numbers have a section of their own, which omits the minus sign
    section = sections[1] if own else sections[2] if value == 0 and len(sections) > 2 else sections[0]
    found = _parse(section)
    if found is None or not abs(value) < EXACT:
        return _plain(value)
    with localcontext(prec=60):  # enough for all digits before and after the point
        digits = found.digits.rstrip(",")  # each comma at the end divides by a thousand
        whole, _, part = digits.partition(".")
        number = abs(Decimal(repr(value))) * (100 if found.percent else 1)
        number /= 1000 ** (len(found.digits) - len(digits))
        places, needed = (sum(map(part.count, signs)) for signs in ("0#?", "0"))
        if places > MAX_PLACES:
            return _plain(value)
        rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = f"{rounded:,f}" if "," in whole else f"{rounded:f}"
    before, dot, after = text.partition(".")
    after = after[:needed] + after[needed:].rstrip("0")
    zeros = whole.count("0")
    before = before.zfill(zeros) if "," not in whole else before
    minus = "-" if value < 0 and rounded and not (own and _says_negative(found)) else ""
    return f"{minus}{found.before}{before}{dot if after else ''}{after}{found.after}".strip()


def _sections(number_format: str) -> list[str]:
    """The sections for positive, negative and zero values. A format with conditions, such as [>=100], is ignored."""
    sections = [""]
    for piece in _TOKEN.findall(number_format):
        if _CONDITION.match(piece):
            return ["General"]
        if piece == ";":
            sections.append("")
        else:
            sections[-1] += piece
    return sections


def _says_negative(found: _Format) -> bool:
    """Whether the section itself marks a negative number. If it only sets a colour, a minus sign must be added."""
    return bool(_MINUS.search(found.before) or _MINUS.search(found.after)) or (
        "(" in found.before and ")" in found.after
    )


def _parse(section: str) -> _Format | None:
    """The digits of a format section and the text around them; None when it is not supported.

    Not supported are sections without digits, dates, fractions, scientific notation, and digits in several groups, such
    as those of a telephone number.
    """
    before = after = digits = ""
    percent = False
    for match in _PARTS.finditer(section):
        if match["other"] is not None:
            return None
        if match["digit"] is not None and re.search(r"[#0?]", match["digit"]):
            if digits or match["digit"].count(".") > 1:
                return None
            digits = match["digit"]
            continue
        percent = percent or match["percent"] is not None
        sign = next(
            (match[name] for name in ("quoted", "escaped", "currency", "percent", "sign", "digit") if match[name]), ""
        )
        before, after = (before, after + sign) if digits else (before + sign, after)
    return _Format(before, digits, after, percent) if digits else None


def _plain(value: int | float) -> str:
    """The value with eleven significant digits, as in a cell without a format."""
    if isinstance(value, int) or not abs(value) < EXACT:
        return str(value)
    return f"{Decimal(f'{value:.11g}'):f}" if abs(value) > 1e-9 or value == 0 else f"{value:.11g}"
