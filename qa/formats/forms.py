"""How a form's boxes are written: a sign that says whether the box is ticked, then its label."""

import re

TICKED, UNTICKED = "☒ ", "☐ "
EMPTY = "____"  # the value of a field that nobody has filled in

_TICKED = re.compile(r"[☒☑✓✔✗✘■]")
_IS_EMPTY = re.compile(
    r"(?:[-•*] )?[☐□❏❑]"  # the line of a box
    r"|[^☐.!?]{0,200} ?☐\Z"  # a box behind its label
    r"|[^.!?]{0,200}: ?_{3,}\Z"  # a label with nothing beside it
)


def is_unfilled(text: str) -> bool:
    """Whether a line only holds boxes that are not ticked, or the label of an empty field: it states nothing."""
    return _IS_EMPTY.match(text) is not None and _TICKED.search(text) is None
