"""A question in another language than the documents is told so, only where both are sure."""

import pytest

from qa import language
from qa.decide import NEAREST, refusal_text
from qa.language import foreign
from tests.answers import refused
from tests.conftest import Opener
from ui.render import reason_text, render_answer

ENGLISH = ["The pool opens at nine in the morning.", "The pool is closed on Mondays, when it is cleaned."]
GERMAN = ["Das Schwimmbad öffnet um neun Uhr morgens.", "Montags ist das Bad geschlossen, weil es gereinigt wird."]
UKRAINIAN = ["Басейн відкривається о дев'ятій годині ранку.", "У понеділок басейн зачинений на прибирання."]


@pytest.mark.parametrize(
    ("question", "passages", "languages"),
    [
        ("Was kostet der Eintritt ins Schwimmbad?", ENGLISH, ("German", "English")),
        ("Combien coûte un billet pour la piscine ?", ENGLISH, ("French", "English")),
        ("Скільки коштує квиток до басейну?", ENGLISH, ("Ukrainian", "English")),
        ("プールの入場料はいくらですか", ENGLISH, ("Japanese", "English")),
        ("What does a ticket to the pool cost?", GERMAN, ("English", "German")),
        ("What does a ticket to the pool cost?", UKRAINIAN, ("English", "Ukrainian")),
        ("What does a ticket to the pool cost?", ENGLISH, None),
        ("Was kostet der Eintritt ins Schwimmbad?", GERMAN, None),
        ("Was kostet der Eintritt ins Schwimmbad?", [*ENGLISH, GERMAN[0]], None),
        ("Was kostet der Eintritt ins Schwimmbad?", [], None),
        ("Kindergarten", ENGLISH, None),
        ("Schadenfreude Kindergarten", ENGLISH, None),
        ("Oleksandr Kononenko", ENGLISH, None),
        ("Who is Oleksandr Kononenko?", ENGLISH, None),
        ("who wrote Le Petit Prince", ENGLISH, None),
        ("pool ticket price", ENGLISH, None),
        ("Was kostet der Eintritt ins Schwimmbad?", ["12.40 | 13 | 2024", "17 | 4 | A-3"], None),
        ("1234 5678?", ENGLISH, None),
        ("", ENGLISH, None),
    ],
)
def test_it_is_said_only_where_sure(question: str, passages: list[str], languages: tuple[str, str] | None) -> None:
    assert foreign(question, passages) == languages


def test_no_model_is_loaded_for_plain_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_model", lambda: pytest.fail("the model is loaded"))
    assert foreign("What does a ticket to the pool cost?", ENGLISH) is None


def test_the_refusal_says_so_wherever_it_is_shown(open_folder: Opener) -> None:
    assistant = open_folder({"pool.txt": " ".join(ENGLISH), "library.txt": "The library lends books for four weeks."})
    answer = assistant.ask("Was kostet der Eintritt ins Schwimmbad?")
    assert answer.status == "refused"
    assert answer.reason in ("nothing_relevant", "not_covered")
    told = "The question is in German, the documents are in English: ask in English."
    assert answer.text.removesuffix(NEAREST) == told
    assert told in render_answer(answer)
    assert reason_text(answer) == told
    plain = assistant.ask("Who painted the Mona Lisa?")
    assert plain.text == refusal_text("nothing_relevant", None, 0)


def test_the_typed_reason_keeps_its_words_on_the_page() -> None:
    assert reason_text(refused()) == "The documents come near it but do not answer it."
    assert reason_text(refused(text=refusal_text("not_covered", None, 3))) == reason_text(refused())
    assert "German" in reason_text(refused(text=refusal_text("not_covered", None, 3, ("German", "English"))))
