"""Which language a text is in, and whether a question is in another one than the passages; said only where sure."""

import re
import threading
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from qa.words import FUNCTION_WORDS, words

LEAST_WORDS = 4  # a shorter text is a name or a key word as often as a sentence …
LEAST_SIGNS = 8  # … where words have no space between them, so many letters
SURE = 0.9  # of 23,459 English questions one is taken for another language with this probability and so many words
EXCLUDED = 0.01  # the passages' language must be less probable than this for the question
PLAIN_QUESTION = 0.4  # with this share of English function words a question is English: no model is loaded for it
PLAIN_PASSAGE = 0.3  # the same for a passage
MOST_CHARS = 1000  # of a text that are looked at

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch", "no": "Norwegian",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "sr": "Serbian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""The languages that are told apart. Of all that the model knows, short texts would be spread over dialects."""

_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_loading = threading.Lock()


def foreign(question: str, passages: Sequence[str]) -> tuple[str, str] | None:
    """(the question's language, that of the passages) where they surely differ; None otherwise.

    The passages are those that search has found: one in the question's language would be among them.
    """
    if _is_plain_english(question, PLAIN_QUESTION):
        if any(_is_plain_english(one, PLAIN_PASSAGE) for one in passages):
            return None
        asked = {"en": 1.0}
    else:
        asked = _probabilities(question)
    mine = _sure(asked)
    found = Counter(_language(one) for one in passages)
    if mine is None or mine in found or not passages:
        return None
    theirs, count = found.most_common(1)[0]
    if theirs is None or 2 * count < len(passages) or asked.get(theirs, 0.0) >= EXCLUDED:
        return None
    return NAMES[mine], NAMES[theirs]


def _language(text: str) -> str | None:
    """The language of a passage, None where that is not sure."""
    return "en" if _is_plain_english(text, PLAIN_PASSAGE) else _sure(_probabilities(text))


def _is_plain_english(text: str, share: float) -> bool:
    said = words(text[:MOST_CHARS])
    return len(said) >= LEAST_WORDS and sum(word in FUNCTION_WORDS for word in said) >= share * len(said)


def _probabilities(text: str) -> dict[str, float]:
    """Language → probability; empty for a text that is too short to tell."""
    text = text[:MOST_CHARS]
    if len(_WORD.findall(text)) < LEAST_WORDS and len(_UNSPACED.findall(text)) < LEAST_SIGNS:
        return {}
    with _loading:  # else two threads would load it, and each takes 100 MB
        model = _model()
    return {code: float(probability) for code, probability in model.rank(text)}


def _sure(probabilities: dict[str, float]) -> str | None:
    best = max(probabilities, key=lambda code: probabilities[code], default=None)
    return best if best is not None and probabilities[best] >= SURE else None


@cache
def _model() -> Any:
    """The model in py3langid's wheel, loaded when a question is refused and may not be English."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(NAMES))
    return model
