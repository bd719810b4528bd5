"""Documents, conversations and the thread → HTML. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from qa.schema import DocumentInfo, Skipped
from qa.store.layout import UPLOADS
from ui.conversations import Conversation, Exchange, Summary
from ui.exports import answer_as_markdown, answer_as_text
from ui.html import button, counted, name, table, text
from ui.render import render_answer

Outcome = tuple[str, bool | None]
"""What happened, and whether it is well; None: still under way."""

BADGE = "No language model. Nothing leaves this machine."


@dataclass(frozen=True, slots=True)
class Pending:
    """A question on its way and how far it is."""

    question: str
    stage: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """What there is to ask about: the folder's name, without its path, and how many documents, uploads included."""

    folder: str
    documents: int
    uploads: int


def render_thread(
    conversation: Conversation | None,
    changed: Mapping[int, Mapping[int, str]],
    *,
    pending: Pending | None = None,
    error: str = "",
    corpus: Corpus | None = None,
    worded: str = "",
) -> str:
    """All turns, oldest first; `changed`: turn → number of a quote → why its source is another now.

    `corpus` is for a page without turns; `worded`: see `render_answer`.
    """
    turns = conversation.exchanges if conversation else ()
    parts = [
        _turn(
            one,
            number,
            changed.get(number, {}),
            worded=worded,
            last=number == len(turns) - 1 and not pending,
        )
        for number, one in enumerate(turns)
    ]
    if pending:
        parts.append(
            f'<article class="turn pending"><h2 class="question">{text(pending.question)}</h2>'
            '<p class="stage" role="status"><span class="dots" aria-hidden="true"></span>'
            f"{text(pending.stage)}</p></article>"
        )
    if error:
        parts.append(f'<p class="error" role="alert">{text(error)}</p>')
    if not turns and not pending:
        parts.insert(0, _welcome(corpus))
    which = f' data-conversation="{text(conversation.id)}"' if conversation else ""
    return f'<div class="thread"{which}>{"".join(parts)}</div>'


def _welcome(corpus: Corpus | None) -> str:
    """What this is, what there is to ask about, and how to add to it."""
    return (
        '<section class="welcome"><h2>Ask your documents</h2><p>Every answer is quoted word for word with the place'
        " it stands in. Where the documents do not answer, you are told so.</p>"
        f"{_corpus(corpus) if corpus else ''}</section>"
    )


def _corpus(corpus: Corpus) -> str:
    folder = f'The folder <strong class="folder">{name(corpus.folder)}</strong>'
    uploaded = f", {corpus.uploads:,} of them uploaded" if corpus.uploads else ""
    if corpus.documents:
        holds = f"{folder}: {counted(corpus.documents, 'document')}{uploaded}."
    else:
        holds = f"{folder} holds no document that can be read yet."
    return (
        f'<p class="corpus">{holds} To add some, put files into this folder, where they are noticed within seconds,'
        " or drop them on the page under Documents.</p>"
    )


def render_starters(questions: Sequence[str]) -> str:
    """Questions to begin with, each a button; nothing where there are none."""
    if not questions:
        return ""
    suggestions = "".join(f"<li>{button(text(one), 'starter', css='starter', question=one)}</li>" for one in questions)
    return f'<p class="small">For instance:</p><ul class="starters">{suggestions}</ul>'


def render_filter(documents: Sequence[str]) -> str:
    """The chip that says which documents a question is limited to, and takes the limit off; nothing without one."""
    if not documents:
        return ""
    shown = documents[0] if len(documents) == 1 else f"{len(documents)} documents"
    title = f"Only {', '.join(documents)}. Press to ask all documents again."
    return f'<p class="filter">{button(name(f"Only {shown} ✕"), "unfilter", css="chip", title=title)}</p>'


def _turn(one: Exchange, number: int, changed: Mapping[int, str], *, worded: str, last: bool) -> str:
    """A question, its rendered answer, and what can be done with it."""
    shown = render_answer(one.answer, turn=number, changed=changed, worded=worded)
    copies = "".join(
        button(label, "copy", title=title, copy=copied(one.answer, changed))
        for label, title, copied in (
            ("Copy", "Copy the answer with its sources, as text", answer_as_text),
            ("Copy as Markdown", "Copy the answer with its sources, as Markdown", answer_as_markdown),
        )
    )
    again = (
        button("Ask again", "retry", turn=number) + button("Edit question", "edit", question=one.answer.question)
        if last
        else ""
    )
    tools = (
        f'<div class="tools">{copies}{again}'
        f"{_thumb('up', one, number)}{_thumb('down', one, number)}</div>{_comment(one, number)}"
    )
    return (
        f'<article class="turn" data-turn="{number}"><h2 class="question">{text(one.answer.question)}</h2>'
        f"{shown}{tools}</article>"
    )


def _thumb(which: str, one: Exchange, number: int) -> str:
    label = "Helpful" if which == "up" else "Not helpful"
    css = "plain thumb on" if one.rating == which else "plain thumb"
    shown = button(label, "rate", css=css, turn=number, rating=which)
    return shown.replace("<button", f'<button aria-pressed="{"true" if one.rating == which else "false"}"', 1)


def _comment(one: Exchange, number: int) -> str:
    """Where a rated answer can be commented on."""
    if one.rating is None:
        return ""
    return (
        f'<form class="comment" data-do="comment" data-turn="{number}"><input name="comment" maxlength="2000"'
        f' aria-label="Comment on this answer" placeholder="What was good or wrong? (kept on this machine)"'
        f' value="{text(one.comment)}"><button type="submit" class="plain">Save</button></form>'
    )


def render_conversations(summaries: Sequence[Summary], current: str, words: str = "", *, more: bool = False) -> str:
    """The list on the left, newest first; `words` is what it was searched for, `more` whether it is cut."""
    if not summaries:
        return f'<p class="small none">{"Nothing found." if words else "No conversations yet."}</p>'
    rest = '<p class="small">Older ones are found by searching.</p>' if more else ""
    return f'<ul class="conversations">{"".join(_conversation(one, current) for one in summaries)}</ul>{rest}'


def _conversation(one: Summary, current: str) -> str:
    here = ' aria-current="true"' if one.id == current else ""
    opener = button(
        f'<span class="title">{text(one.title)}</span><span class="small">{_when(one.updated)} · {one.turns}</span>',
        "open",
        css="open",
        id=one.id,
    )
    links = "".join(
        f'<a class="plain" href="conversations/{text(one.id)}.{ending}" download title="{title}">{label}</a>'
        for ending, label, title in (("md", "Markdown", "Export as Markdown"), ("json", "JSON", "Export as JSON"))
    )
    tools = (
        f"{button('Rename', 'rename', id=one.id, title='Rename this conversation')}"
        f"{links}{button('Delete', 'delete', css='plain danger', id=one.id, title='Delete this conversation')}"
    )
    more = f'<details class="more"><summary aria-label="More">⋯</summary><div class="menu">{tools}</div></details>'
    return f"<li{here}>{opener}{more}</li>"


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%-d %b %Y, %H:%M")


def render_documents(
    documents: Sequence[DocumentInfo],
    skipped: Sequence[Skipped],
    *,
    formats: str,
    max_file_mb: float,
    under_way: str = "",
) -> str:
    """The table of what is indexed, what is not and why, and the limits; `under_way`: how far indexing is."""
    left_out = {one.path: _left_out(one) for one in skipped}
    rows = [
        (
            f'<span class="path">{name(one.path)}</span>',
            name(one.title),
            text(one.date or "–"),
            _size(one.bytes),
            str(one.chunks),
            " ".join(filter(None, ('<span class="state ok">indexed</span>', left_out.pop(one.path, None)))),
            _actions(one),
        )
        for one in documents
    ]
    rows += [(f'<span class="path">{name(path)}</span>', "", "", "", "", why, "") for path, why in left_out.items()]
    head = ("Document", "Title", "Date", "Size", "Passages", "State", "")
    listing = table(head, rows) if rows else '<p class="none">Nothing is indexed yet.</p>'
    passages = counted(sum(one.chunks for one in documents), "passage")
    counts = f"{len(documents)} indexed, {passages}, {len(left_out)} left out."
    return (
        f'<div class="documents"><p class="small">{counts}{f" {text(under_way)}." if under_way else ""} '
        f"Files of {text(formats)} up to {max_file_mb:g} MB each. "
        "Uploads are kept in the index's own folder, and everyone who uses this chat can ask about them. "
        f"Files of the documents folder are added and deleted there.</p>{listing}</div>"
    )


def _left_out(one: Skipped) -> str:
    return f'<span class="state left-out">left out: {text(one.reason)}</span>'


def _actions(one: DocumentInfo) -> str:
    if not one.path.startswith(UPLOADS):
        return ""
    return button("Delete", "drop", css="plain danger", document=one.path, title=f"Delete {one.path}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB" if count >= 1000 else f"{count} bytes"


def render_outcomes(lines: Sequence[Outcome]) -> str:
    """One line for each uploaded file."""
    css = {True: "ok", False: "error", None: "waiting"}
    items = "".join(f'<li class="{css[good]}">{name(line)}</li>' for line, good in lines)
    return f'<ul class="outcomes" role="status">{items}</ul>' if items else ""
