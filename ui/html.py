"""Small pieces of HTML that all panels share. Pure. All data must pass through `text` or `name`, which escape it."""

from collections.abc import Sequence
from html import escape

from qa.terminal import visible


def text(value: object) -> str:
    """`value`, escaped for use as text in an element or in a quoted attribute."""
    return escape(str(value))


def name(value: object) -> str:
    """A name, escaped and without invisible characters, with which it could look like another name."""
    return text(visible(str(value)))


def counted(number: int, noun: str) -> str:
    """“1 passage”, “2 passages”."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def button(label: str, do: str, *, css: str = "", title: str = "", **data: object) -> str:
    """A button that triggers the page's action `do`; `label` is HTML, everything else is data."""
    facts = "".join(f' data-{key}="{text(value)}"' for key, value in data.items())
    shown = f' title="{name(title)}" aria-label="{name(title)}"' if title else ""
    return f'<button type="button" class="{css or "plain"}" data-do="{do}"{facts}{shown}>{label}</button>'


def tip(label: str, explanation: str, css: str = "hint") -> str:
    """A label with an explanation that is shown on hover and focus; both are data."""
    return (
        f'<span class="tipped {css}" tabindex="0">{text(label)}<span class="tip" role="tooltip">'
        f"{text(explanation)}</span></span>"
    )


def details(summary: str, body: str, css: str) -> str:
    """A part that a person can open; `summary` is data, `body` is HTML."""
    return f'<details class="{css}"><summary>{text(summary)}</summary>{body}</details>'


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; its cells are HTML, its head is data."""
    titles = "".join(f'<th scope="col">{text(title)}</th>' for title in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'
