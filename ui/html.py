"""The smallest pieces of HTML that every panel shares. Pure; `text` is the one way in for anything that is data."""

from collections.abc import Sequence
from html import escape

from qa.terminal import visible


def text(value: object) -> str:
    """`value` as text of the page, never as markup, neither in an element nor in a quoted attribute."""
    return escape(str(value))


def name(value: object) -> str:
    """A name as text of the page, without the characters by which a name can look like another."""
    return text(visible(str(value)))


def counted(number: int, noun: str) -> str:
    """“1 passage”, “2 passages”."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def button(label: str, do: str, *, css: str = "", title: str = "", **data: object) -> str:
    """A button that asks the page to `do` something; `label` is HTML, everything else is data."""
    facts = "".join(f' data-{key}="{text(value)}"' for key, value in data.items())
    shown = f' title="{name(title)}" aria-label="{name(title)}"' if title else ""
    return f'<button type="button" class="{css or "plain"}" data-do="{do}"{facts}{shown}>{label}</button>'


def tip(label: str, explanation: str, css: str = "hint") -> str:
    """Words with an explanation on hover and focus; both are data."""
    return (
        f'<span class="tipped {css}" tabindex="0">{text(label)}<span class="tip" role="tooltip">'
        f"{text(explanation)}</span></span>"
    )


def details(summary: str, body: str, css: str) -> str:
    """A part that opens on demand; `summary` is data, `body` HTML."""
    return f'<details class="{css}"><summary>{text(summary)}</summary>{body}</details>'


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; the cells are HTML, the head is data."""
    titles = "".join(f'<th scope="col">{text(one)}</th>' for one in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'
