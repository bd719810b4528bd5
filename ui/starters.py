"""Starter questions drawn from the documents, each of which is really answered by the sentence it was drawn from.

They show what the product can do: a question says enough to be understood alone, its answer is sure, short and of the
kind that was asked for, and comes from as many documents as possible.
They are drawn from plain English sentences only. Where there are none, as in documents of another language, the page
begins without suggestions.
"""

import itertools
import re
import threading
import time
from collections.abc import Iterator

from qa.assistant import Assistant
from qa.errors import QAError
from qa.schema import Answered
from qa.words import FUNCTION_WORDS

COUNT = 4
TRIED = 24  # questions asked before there are no more
LOOKED_AT = 400  # passages
LEAST_WORDS = 6  # of a question: a shorter one leans on a context that whoever opens the page does not have …
MOST_WORDS = 18  # … and a longer one is hard to take in
MOST_ANSWER_WORDS = 12  # of what is printed large
LEAST_CONFIDENCE = 0.8
BUDGET_S = 1.0  # that a page waits for them; the next page goes on where it stopped

_PLAIN = r"[^,;:.()“”\"|*_\n]"  # inside one clause
_SUBJECT = rf"(?P<subject>(?:The|An?|All|Each|Every) {_PLAIN}{{3,34}}?)"
_VERB = r"(?P<verb>is|are|was|were|has been|have been|will be|must be|can be)"
_PATTERNS = (
    (  # “… that 1,358 soldiers were returned in 2024”
        "How many",
        re.compile(
            r"(?:^|\bthat )(?:\d{1,3}(?:,\d{3})+|\d+) "
            rf"(?P<noun>[A-Za-z]{_PLAIN}{{2,50}}?) (?P<verb>was|were|are|is|have) (?P<rest>{_PLAIN}{{6,80}})"
        ),
    ),
    (
        "By whom",
        re.compile(rf"^{_SUBJECT} {_VERB} (?P<rest>[a-z]+ed|built|made|run|led|written|held|kept) by (?:the )?[A-Z]"),
    ),
    (
        "Where",
        re.compile(
            rf"^{_SUBJECT} {_VERB} (?P<rest>kept|held|stored|located|built|found|shown) (?:in|at|on|beside)\b(?! \d)"
        ),
    ),
    (  # “The bells are tested every Tuesday at 09:30”
        "When",
        re.compile(
            rf"^{_SUBJECT} {_VERB} "
            rf"(?P<rest>(?:[a-z]+(?:ed|en)|kept|held|open|shut|built|paid|due)(?: {_PLAIN}{{2,40}}?)??)"
            r" (?:when|(?:on|at|in|by|every|until|from|before|after) (?=[^.]*(?:\d|day\b)))"
        ),
    ),
    (  # “The Office of the Ombudsman held a meeting with the families”
        "Who",
        re.compile(
            r"^(?:The )?[A-Z][\w’'-]+(?: (?:of|the|for|and|[A-Z][\w’'-]+)){1,7}"
            rf" (?P<verb>(?!need\b)[a-z]{{2,}}ed|held|told|took) (?P<rest>{_PLAIN}{{12,90}})"
        ),
    ),
)
_SECOND_CLAUSE = re.compile(r" (?:who|which|that|do|does|not|costs|and (?:is|are)) ")
_SECOND_VERB = re.compile(r" (?:do|does|did|can|may|must|will|shall|is|are|was|were|has|have|had) ")
_TIME = re.compile(
    r"\b(?:\d{1,2}[:.]\d{2}|[12]\d{3}|o.clock|midnight|noon|(?:mon|tues|wednes|thurs|fri|satur|sun)?days?|mornings?"
    r"|afternoons?|evenings?|nights?|seconds?|minutes?|hours?|weeks?|weekends?|months?|quarters?|years?|spring|summer|autumn"
    r"|winter|january|february|march|april|may|june|july|august|september|october|november|december|when|while|until"
    r"|before|after|during|once|as soon as)\b",
    re.IGNORECASE,
)
_KINDS = {  # what the answer to such a question must hold
    "How many": re.compile(r"\d"),
    "By whom": re.compile(r"[A-Z][a-z]"),
    "Where": re.compile(r"^\D*[^\W\d_]{3}\D*$"),
    "When": _TIME,
    "Who": re.compile(r"[^\W\d_]{3}"),
}
_DANGLING = re.compile(r" (?:a|an|and|as|at|by|for|from|in|is|not|of|on|or|that|the|to|was|which|who|with)$")


class Starters:
    """The questions for a store as it is now; each state of it is searched once."""

    def __init__(self, assistant: Assistant, *, budget_s: float = BUDGET_S) -> None:
        self._assistant = assistant
        self._budget_s = budget_s
        self._store = ""
        self._found: list[str] = []
        self._search: Iterator[str | None] = iter(())
        self._lock = threading.Lock()

    def questions(self) -> tuple[str, ...]:
        """At most COUNT questions that are answered, from as many documents as possible: those found in time."""
        end = time.monotonic() + self._budget_s
        with self._lock:
            try:
                store = self._assistant.store.library.fingerprint()
                if self._store != store:
                    self._store, self._found, self._search = store, [], self._try()
                while len(self._found) < COUNT and time.monotonic() < end:
                    question = next(self._search)
                    self._found += [question] if question else []
            except StopIteration:
                pass
            except QAError:
                self._store = ""  # the next page begins anew
            return tuple(self._found)

    def _try(self) -> Iterator[str | None]:
        """Questions in rounds, one of each document a round; None for one that is not answered as it should be."""
        columns = [[(document, *one) for one in drawn] for document, drawn in self._drawn().items()]
        rounds = itertools.zip_longest(*columns)
        drawn = (one for row in rounds for one in row if one)
        for document, question, sentence in itertools.islice(drawn, TRIED):
            yield question if self._is_answered(question, document, sentence) else None

    def _drawn(self) -> dict[str, list[tuple[str, tuple[int, int]]]]:
        """Document → its questions, each with the place of its sentence."""
        library = self._assistant.store.library
        ids = library.chunk_ids()
        drawn: dict[str, list[tuple[str, tuple[int, int]]]] = {}
        for passage in library.passages(ids[:: max(1, len(ids) // LOOKED_AT)]):
            text = library.text(passage.content)
            for one in passage.sentences:
                question = question_from(text[one.start : one.end]) if one.kind == "text" else None
                known = drawn.setdefault(passage.document, [])
                if question and says_enough(question) and question not in (asked for asked, _ in known):
                    known.append((question, (one.start, one.end)))
        return drawn

    def _is_answered(self, question: str, document: str, sentence: tuple[int, int]) -> bool:
        answer = self._assistant.ask(question)
        if not isinstance(answer, Answered) or not shows_well(question, answer):
            return False
        first = answer.quotes[0]
        return first.document == document and first.start <= sentence[0] and sentence[1] <= first.end


def says_enough(question: str) -> bool:
    """Whether the question can be understood by itself, and at a glance."""
    return LEAST_WORDS <= len(question.split()) <= MOST_WORDS


def shows_well(question: str, answer: Answered) -> bool:
    """Whether the answer is sure and undisputed, and its short form is short and of the kind that is asked for."""
    short = answer.short_answer or ""
    kind = next((pattern for word, pattern in _KINDS.items() if question.startswith(f"{word} ")), None)
    return (
        (answer.confidence or 0.0) >= LEAST_CONFIDENCE
        and not answer.conflicts
        and not answer.not_covered
        and 1 <= len(short.split()) <= MOST_ANSWER_WORDS
        and bool(kind and kind.search(short))
    )


def question_from(sentence: str) -> str | None:
    """A question whose answer the sentence states, by turning a few plain kinds of English sentence round; or None."""
    line = " ".join(sentence.split())
    if not 25 <= len(line) <= 300:
        return None
    for word, pattern in _PATTERNS:
        if (match := pattern.search(line)) and (question := _turned(word, match)):
            return question
    return None


def _turned(word: str, match: re.Match[str]) -> str | None:
    """“The bells are tested every Tuesday” → “When are the bells tested?”; None where that would not read well."""
    verb, rest = match["verb"], match["rest"].strip()
    said = match[0].removeprefix("that ")
    if _DANGLING.search(rest) or (word != "Who" and _SECOND_CLAUSE.search(f" {said} ")):
        return None
    if word == "Who":
        return None if _SECOND_VERB.search(f" {rest} ") else f"Who {verb} {rest}?"
    if word == "How many":
        noun = match["noun"]
        words = noun.lower().split()
        return None if FUNCTION_WORDS.intersection(words) - {"and"} else f"How many {noun} {verb} {rest}?"
    auxiliary, _, participle = verb.partition(" ")
    if word == "When" and not _TIME.search(match.string[match.end("rest") :]):
        return None
    subject = match["subject"][:1].lower() + match["subject"][1:]
    return " ".join(filter(None, [word, auxiliary, subject, participle, rest])) + "?"
