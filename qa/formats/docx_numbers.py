"""Word's automatic numbers of headings and list items: "2.1", "(a)", "iv."; they stand in no text of the file."""

import re
from typing import Any

from qa.formats.docx_text import W, value
from qa.formats.marks import guarded

LEVELS = 9
MAX_NUMBER = 100_000_000  # a larger one is the work of an attacker
MAX_TEXT = 60  # characters of a level's pattern, such as "Article %1."

_ROMAN = tuple(
    zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "m cm d cd c xc l xl x ix v iv i".split(), strict=True)
)
_SILENT = ("bullet", "none")
_Level = tuple[int, str, str, int | None, bool]
"""Start, format, pattern, the level after which it restarts (None: any higher one), whether all numbers are Arabic."""


def roman(number: int) -> str:
    """The number in small Roman numerals: 4 → "iv"."""
    found = ""
    for worth, sign in _ROMAN:
        found += number // worth * sign
        number %= worth
    return found


class Numbering:
    """Counts the numbered paragraphs of a document, in its order."""

    def __init__(self, root: Any, styles: dict[str, Any]) -> None:
        """`root` is the document's numbering part, or None where it has none."""
        every = [] if root is None else list(root)
        abstracts = {one.get(f"{W}abstractNumId"): one for one in every if one.tag == f"{W}abstractNum"}
        self._nums = {one.get(f"{W}numId"): one for one in every if one.tag == f"{W}num"}
        self._lists = {name: value(one.find(f"{W}abstractNumId")) for name, one in self._nums.items()}
        for name, abstract in abstracts.items():  # a list can borrow the levels of another one, by a style's name
            style = styles.get(value(abstract.find(f"{W}numStyleLink")) or "")
            lent = None if style is None else value(style.find(f"{W}pPr/{W}numPr/{W}numId"))
            self._lists |= {
                num: self._lists.get(lent) or one for num, one in self._lists.items() if lent and one == name
            }
        self._abstracts = abstracts
        self._levels: dict[str, list[_Level]] = {}
        self._counts: dict[str, list[int | None]] = {}  # of each list
        self._restarted: set[tuple[str, int]] = set()  # numbers whose own start was used

    def level_of_style(self, num: str, style: str) -> int:
        """The level of the list that counts the paragraphs of this style; 0 where none does."""
        abstract = self._abstracts.get(self._lists.get(num))
        for level in () if abstract is None else abstract.iterchildren(f"{W}lvl"):
            if value(level.find(f"{W}pStyle")) == style:
                return min(_number(level.get(f"{W}ilvl"), 0), LEVELS - 1)
        return 0

    def next_sign(self, num: str, level: int) -> str:
        """The number of the next paragraph at this level of the list; "" where it has a bullet or nothing."""
        name = self._lists.get(num)
        if name is None or name not in self._abstracts or not 0 <= level < LEVELS:
            return ""
        levels = self._levels.get(num)
        if levels is None:
            levels = self._levels[num] = self._read(num, name)
        counts = self._counts.setdefault(name, [None] * LEVELS)
        own = self._own_start(num, level)
        if own is not None:
            counts[level] = own
        else:
            before = counts[level]
            counts[level] = levels[level][0] if before is None else min(before + 1, MAX_NUMBER)
        for deeper in range(level + 1, LEVELS):
            after = levels[deeper][3]
            if after is None or level < after:
                counts[deeper] = None
        for higher in range(level):
            counts[higher] = levels[higher][0] if counts[higher] is None else counts[higher]
        return _written(levels, counts, level)

    def _own_start(self, num: str, level: int) -> int | None:
        """Where the list starts anew for this number, the first time that it is used."""
        if (num, level) in self._restarted:
            return None
        self._restarted.add((num, level))
        for override in self._nums[num].iterchildren(f"{W}lvlOverride"):
            if override.get(f"{W}ilvl") == str(level):
                start = value(override.find(f"{W}startOverride"))
                return None if start is None else _number(start, 1)
        return None

    def _read(self, num: str, name: str) -> list[_Level]:
        levels: list[_Level] = [(1, "none", "", None, False)] * LEVELS
        overrides = [one.find(f"{W}lvl") for one in self._nums[num].iterchildren(f"{W}lvlOverride")]
        for level in (*self._abstracts[name].iterchildren(f"{W}lvl"), *(one for one in overrides if one is not None)):
            at = _number(level.get(f"{W}ilvl"), 0)
            if at >= LEVELS:
                continue
            restart = value(level.find(f"{W}lvlRestart"))
            levels[at] = (
                _number(value(level.find(f"{W}start")), 1),
                value(level.find(f"{W}numFmt")) or "decimal",
                guarded(value(level.find(f"{W}lvlText")) or "")[:MAX_TEXT],
                None if restart is None else _number(restart, 0),
                level.find(f"{W}isLgl") is not None,
            )
        return levels


def _written(levels: list[_Level], counts: list[int | None], level: int) -> str:
    _, form, pattern, _, is_legal = levels[level]
    if form in _SILENT:
        return ""

    def number(found: re.Match[str]) -> str:
        at = int(found[1]) - 1
        return _formatted(counts[at] or 0, "decimal" if is_legal and at < level else levels[at][1])

    return " ".join(re.sub(r"%([1-9])", number, pattern).split())


def _formatted(number: int, form: str) -> str:
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        return roman(number) if form == "lowerRoman" else roman(number).upper()
    if form in ("lowerLetter", "upperLetter") and 0 < number <= 260:  # … y, z, aa, bb
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter if form == "lowerLetter" else letter.upper()
    if form == "none":
        return ""
    return f"{number:02}" if form == "decimalZero" else str(number)


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default
