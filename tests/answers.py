"""Results as a page may get them, made by hand so that nothing but the rendering is under test."""

from typing import Any

from qa.schema import Answered, PartVerdict, Place, Quote, Refused, Skipped, Trace, TraceHit
from qa.text import text_sha256

TEXT = (
    "# Opening hours\n\nThe pool opens at nine. The pool opens at nine on holidays too.\n\n"
    "Ask at the desk. The pool opens at nine. Bring a towel.\n"
)


def quote(start: int = 17, end: int = 40, **change: Any) -> Quote:
    """A quote of TEXT."""
    facts = {
        "text": TEXT[start:end],
        "document": "hours.md",
        "title": "Opening hours",
        "date": "2024-03-01",
        "page": None,
        "locator": None,
        "heading": "Opening hours",
        "start": start,
        "end": end,
        "document_sha256": text_sha256(TEXT),
        "score": 0.91,
        "before": "",
        "after": "The pool opens at nine on holidays too.",
    }
    return Quote(**{**facts, **change})


def trace(**change: Any) -> Trace:
    """A trace of one part and two passages."""
    facts = {
        "question": "When does it open?",
        "history": (),
        "documents": None,
        "hits": (
            TraceHit(
                document="hours.md", start=0, end=80, part=0, scores={"dense": 0.71, "fused": 0.03, "reader": 0.93}
            ),
            TraceHit(
                document="rules.md", start=5, end=60, part=0, scores={"keyword": 4.2, "fused": 0.02, "reader": 0.11}
            ),
        ),
        "threshold": 0.3,
        "verdicts": (PartVerdict(part="When does it open?", covered=True, probability=0.91, why="best passage 0.91"),),
        "versions": {"qa": "0.1.0"},
        "models": {},
        "store": "0123456789abcdef",
        "timings_ms": {"search": 8.2, "read": 11.0},
        "skipped": (Skipped(path="x.odt", reason="format .odt is not supported"),),
    }
    return Trace(**{**facts, **change})


def answered(**change: Any) -> Answered:
    """An answer with one quote."""
    facts = {
        "question": "When does it open?",
        "asked": "When does the pool open?",
        "text": "“The pool opens at nine.” [1]",
        "confidence": 0.91,
        "trace": trace(),
        "short_answer": "at nine",
        "quotes": (quote(),),
    }
    return Answered(**{**facts, **change})


def refused(**change: Any) -> Refused:
    """A refusal with one nearest passage."""
    facts = {
        "question": "When does it close?",
        "asked": "When does it close?",
        "text": "The documents come near this question but do not answer it.",
        "confidence": 0.12,
        "trace": trace(verdicts=()),
        "reason": "not_covered",
        "nearest": (quote(score=0.1),),
    }
    return Refused(**{**facts, **change})


def conflicting() -> Answered:
    """Two sources of different dates that disagree."""
    other = quote(document="old.md", title="Old hours", date="2019", heading=None, text=TEXT[17:40], also_at=())
    return answered(quotes=(quote(also_at=(Place(document="copy.md", start=17, end=40),)), other), conflicts=((1, 2),))
