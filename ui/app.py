"""Gradio wiring: question in, quotes or refusal out; the turns of a page are its conversation."""

from typing import Any

import gradio as gr

from qa.assistant import Assistant
from qa.errors import QAError
from qa.schema import Stage, Turn
from ui.render import CSS, render_answer

SYSTEM_FONTS = ["system-ui", "sans-serif"]  # Gradio's own theme would fetch fonts from another host


def build(assistant: Assistant) -> Any:
    """The page for one assistant: a `gr.Blocks`."""

    def ask(question: str, turns: list[Turn]):  # type: ignore[no-untyped-def]  # Gradio reads the signature at run time
        try:
            for event in assistant.stream(question, history=turns):
                if isinstance(event, Stage):
                    yield f"{event.name.capitalize()} {event.passages or ''} …".replace("  ", " "), gr.skip()
                else:
                    yield render_answer(event), [*turns, Turn(question=event.asked, text=event.text)]
        except QAError as error:
            raise gr.Error(str(error)) from error

    with gr.Blocks(title="Quotes or nothing", analytics_enabled=False) as page:
        gr.Markdown("# Ask your documents\nAnswers are quoted word for word, or refused. Nothing leaves this machine.")
        turns = gr.State([])
        question = gr.Textbox(
            label="Question", placeholder="Ask something that the documents may answer", autofocus=True
        )
        button = gr.Button("Ask", variant="primary")
        answer = gr.HTML(label="Answer")
        gr.on([question.submit, button.click], ask, [question, turns], [answer, turns], api_name="ask")
    return page


def options(host: str, port: int) -> dict[str, Any]:
    """What the page is launched with; port 0 takes any free one."""
    return {
        "server_name": host,
        "server_port": port or None,
        "share": False,
        "ssr_mode": False,
        "theme": gr.themes.Base(font=SYSTEM_FONTS, font_mono=["ui-monospace", "monospace"]),
        "css": CSS,
        "footer_links": [],
    }


def launch(assistant: Assistant, *, host: str, port: int) -> None:
    """Serve the page until interrupted; raises QAError where the port is taken."""
    try:
        build(assistant).launch(**options(host, port))
    except OSError as error:
        raise QAError(f"port {port} on {host} cannot be used; pass another --port.") from error
