"""The page: what is rendered is escaped text, and what is served asks no other host for anything."""

import re
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
from gradio_client import Client

from qa.assistant import Assistant
from qa.schema import Answered, Quote, Refused
from tests.conftest import SEEDS
from ui.app import build, options
from ui.render import render_answer, render_quote

ATTACK = "<img src=x onerror=alert(1)>\"'&</blockquote>${alert(1)}{{7*7}}"


@pytest.fixture(scope="module")
def url(seeds: Assistant) -> Iterator[str]:
    page = build(seeds)
    _, local, _ = page.launch(prevent_thread_lock=True, quiet=True, **options("127.0.0.1", 0))
    yield local
    page.close()
    gr.close_all(verbose=False)


def test_every_text_is_escaped(seeds: Assistant) -> None:
    answer = seeds.ask("How many Ukrainians were freed in 2024?")
    assert isinstance(answer, Answered)
    quote = answer.quotes[0].model_copy(
        update=dict.fromkeys(("text", "document", "title", "heading", "locator", "date"), ATTACK)
    )
    hostile = answer.model_copy(
        update={"quotes": (quote,), "question": ATTACK, "asked": f"{ATTACK}?", "not_covered": (ATTACK,)}
    )
    refused = Refused(
        question=ATTACK,
        asked=f"{ATTACK}?",
        text=ATTACK,
        confidence=0.1,
        reason="not_covered",
        nearest=(quote,),
        trace=answer.trace,
    )
    for html in (render_answer(hostile), render_answer(refused), render_quote(quote)):
        assert "<img" not in html
        assert set(re.findall(r"</?([a-z]+)", html)) <= {
            "div",
            "p",
            "blockquote",
            "cite",
            "details",
            "summary",
            "strong",
        }
        assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_a_refusal_does_not_look_like_an_answer(seeds: Assistant) -> None:
    refusal = seeds.ask("Which commission harvested wheat in Ukraine?")
    assert isinstance(refusal, Refused)
    html = render_answer(refusal)
    assert "No answer." in html
    assert 'class="answer refused"' in html
    assert html.index("not an answer") < html.index("<blockquote>")


def test_the_asked_question_is_shown_only_where_it_differs(seeds: Assistant) -> None:
    answer = seeds.ask("How many Ukrainians were freed in 2024?")
    assert "Asked:" not in render_answer(answer)
    assert "Asked: How many were freed in 2023?" in render_answer(
        answer.model_copy(update={"asked": "How many were freed in 2023?"})
    )


def test_the_page_answers_and_refuses_and_keeps_the_conversation(url: str) -> None:
    client = Client(url, verbose=False)
    answered = client.predict("How many Ukrainians were freed in 2024?", api_name="/ask")
    assert "1,358" in answered
    assert "000_2ab587bfd70437e4.txt" in answered
    follow_up = client.predict("and in 2023?", api_name="/ask")
    assert "2023" in follow_up
    assert "Asked:" in follow_up
    assert "No answer." in client.predict("What is the capital of France?", api_name="/ask")


def test_the_page_names_no_other_host(url: str) -> None:
    page = httpx.get(url).text
    loads = re.findall(r"""(?:src|href)=["']((?:https?:)?//[^"']+)""", page)
    assert not [one for one in loads if not one.startswith(url)]
    config = httpx.get(f"{url}config").json()
    assert config["analytics_enabled"] is False
    theme = httpx.get(f"{url}theme.css").text
    assert "fonts.googleapis" not in theme
    assert "@import" not in theme


def test_documents_are_not_served(url: str) -> None:
    for path in (f"{SEEDS}/000_2ab587bfd70437e4.txt", "/etc/passwd"):
        assert httpx.get(f"{url}gradio_api/file={path}").status_code in (403, 404)


def test_quote_numbers_are_marks_of_answers_only(seeds: Assistant) -> None:
    answer = seeds.ask("How many Ukrainians were freed in 2024?")
    assert isinstance(answer, Answered)
    quote: Quote = answer.quotes[0]
    assert "[1]" in render_quote(quote, 1)
    assert "[1]" not in render_quote(quote)
