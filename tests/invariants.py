"""The promises as named laws. Each takes what the product returned and raises AssertionError where it is broken.

They read the documents themselves and share no code with the pipeline, so that a fault in it cannot hide.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from qa.schema import Answered, Chunk, Quote, Refused
from tests.reading import file_text

MAX_QUOTE_CHARS = 500
SENTENCE_END = re.compile(r"[.!?…。！？｡:;][\"'”’»)\]]*$|[\"”’»)\]|]$")
TAKES_BACK = re.compile(r"\W*(?:not|unless|except\w*)\b", re.IGNORECASE)


def exact_slice(quote: Quote, text: str) -> None:
    """Promise 1: the quote is the slice it says it is, of the text it says it is."""
    assert quote.text, "an empty quote"
    assert text[quote.start : quote.end] == quote.text, f"not the slice at {quote.start}:{quote.end}"
    assert hashlib.sha256(text.encode()).hexdigest() == quote.document_sha256, "not the text that was hashed"


def right_place(answer: Answered | Refused) -> None:
    """Promise 2: every quote lies inside a passage that was retrieved from that very place."""
    for quote in quotes_of(answer):
        assert any(
            hit.document == quote.document and hit.start <= quote.start and quote.end <= hit.end
            for hit in answer.trace.hits
        ), f"{quote.document}:{quote.start} was not retrieved"


def whole_sentences(quote: Quote, text: str) -> None:
    """Promise 3: at most 500 characters, from the start of a sentence, to its end, with what takes it back."""
    assert len(quote.text) <= MAX_QUOTE_CHARS, "longer than 500 characters"
    assert quote.text == quote.text.strip(), "white space around a quote"
    before, after = text[: quote.start], text[quote.end :]
    line_start = before.rsplit("\n", 1)[-1]
    assert not line_start.strip() or SENTENCE_END.search(before.rstrip()), (
        f"starts inside a sentence: {quote.text[:40]!r}"
    )
    line_end = re.split(r"[\r\n]", after, maxsplit=1)[0]
    clause_end = quote.text[-1] in ",;:)" and len(quote.text) > 100
    assert not line_end.strip() or SENTENCE_END.search(quote.text) or clause_end, (
        f"ends inside a sentence: {quote.text[-40:]!r}"
    )
    assert not TAKES_BACK.match(after), f"cut before {after.strip()[:20]!r}"


def typed_result(answer: Answered | Refused) -> None:
    """Promise 4: an answer has quotes and no reason, a refusal a reason and at most three passages."""
    if isinstance(answer, Answered):
        assert answer.status == "answered"
        assert 1 <= len(answer.quotes) <= 6
        assert not hasattr(answer, "reason")
        for number in range(1, len(answer.quotes) + 1):
            assert f"[{number}]" in answer.text, f"mark [{number}] is not in the text"
        for one, other in answer.conflicts:
            assert 0 <= one < other <= len(answer.quotes), "a conflict names no quote"
    else:
        assert answer.status == "refused"
        assert answer.reason
        assert len(answer.nearest) <= 3
        assert not re.search(r"\[\d\]", answer.text), "a refusal that looks cited"
        assert not any(quote.text in answer.text for quote in answer.nearest), "a refusal that tells an answer"


def probability(answer: Answered | Refused) -> None:
    """Promise 5: confidence is a probability, and decides."""
    assert 0 <= answer.confidence <= 1
    if isinstance(answer, Answered):
        assert answer.confidence >= answer.trace.threshold
    for quote in quotes_of(answer):
        assert 0 <= quote.score <= 1


def currently_in_folder(answer: Answered | Refused, folder: Path, uploads: Path | None = None) -> None:
    """Promise 6: nothing is cited that is not in the folder, or among the uploads, as it is now."""
    for quote in quotes_of(answer):
        assert _file(quote, folder, uploads).is_file(), f"{quote.document} is gone"
        exact_slice(quote, file_text(_file(quote, folder, uploads)))


def _file(quote: Quote, folder: Path, uploads: Path | None) -> Path:
    uploaded = uploads if quote.document.startswith("uploads/") else None
    return uploaded.parent / quote.document if uploaded else folder / quote.document


def chunk_laws(text: str, chunks: Sequence[Chunk]) -> None:
    """Slices inside the text, strictly increasing starts and ends, nothing but white space outside of all."""
    previous_start = previous_end = -1
    at = 0
    for chunk in chunks:
        assert 0 <= chunk.start < chunk.end <= len(text), "outside of the text"
        assert chunk.start > previous_start, "starts do not increase"
        assert chunk.end > previous_end, "a chunk inside the one before"
        assert not text[at : chunk.start].strip(), f"not covered: {text[at : chunk.start][:40]!r}"
        previous_start, previous_end = chunk.start, chunk.end
        at = max(at, chunk.end)
    assert not text[at:].strip(), f"not covered: {text[at:][:40]!r}"
    assert len({chunk.id for chunk in chunks}) == len(chunks), "two chunks with one id"


def quotes_of(answer: Answered | Refused) -> Sequence[Quote]:
    """All that is shown verbatim: an answer's quotes or a refusal's nearest passages."""
    return answer.quotes if isinstance(answer, Answered) else answer.nearest


def every_promise(answer: Answered | Refused, folder: Path, uploads: Path | None = None) -> None:
    """All laws that an answer can keep or break by itself. `uploads`: the store's folder of that name."""
    typed_result(answer)
    probability(answer)
    right_place(answer)
    currently_in_folder(answer, folder, uploads)
    for quote in quotes_of(answer):
        whole_sentences(quote, file_text(_file(quote, folder, uploads)))
