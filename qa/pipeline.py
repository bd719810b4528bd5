"""One question on its way: conversation → search → read → decide → quote → `Answered` or `Refused`."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from qa import answers, decide, language, quotes
from qa.conflicts import find_conflicts, later_first, renumbered
from qa.conversation import Standalone, standalone
from qa.decide import Decision
from qa.errors import StoreBusy
from qa.named import Focus, Source, focus
from qa.reader.base import Reader, read_passages
from qa.schema import Answered, PartVerdict, Quote, Reason, Refused, Skipped, Stage, Trace, TraceHit, Turn
from qa.stages import Hit, Passage, Reading
from qa.store.ports import TextStore
from qa.wording import answer_text

MAX_QUOTES = 3
MAX_QUOTES_OF_PARTS = 6
MAX_NAMES = 50  # of one text: at each question every file that is named is looked at

Documents = Sequence[str] | None
"""The documents that may be used; None: all."""
Result = partial[Answered] | partial[Refused]
"""An answer that lacks only its trace."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a question is put through. Safe to share between threads."""

    texts: TextStore
    search: Callable[[str, Documents], list[Hit]]  # question and documents → hits, best first
    reader: Reader
    threshold: float
    read_hits: int  # of a part's hits, so many are read
    current: Callable[[Sequence[str]], Mapping[str, str]]  # documents → sha256 of those that are as they were indexed
    refresh: Callable[[], object]  # makes the store equal to the folder; raises StoreBusy
    trace: Callable[..., Trace]  # adds what does not depend on the question

    def stream(
        self, question: str, history: Sequence[Turn], documents: Documents
    ) -> Iterator[Stage | Answered | Refused]:
        """The stages as they begin, then the answer."""
        clock = _Clock()
        with clock.stage("conversation"):
            asked = standalone(question, history)
        given = {"question": question, "history": tuple(history), "documents": documents and tuple(documents)}
        if reason := self._refused_at_once(asked, documents):
            result = _refused(question, asked, reason, left_out=self.texts.skipped())
            yield result(trace=self.trace(**given, hits=(), verdicts=(), timings_ms=clock.ms))
            return
        yield Stage(name="searching")
        with clock.stage("search"):
            foci = [self._focus(part, documents) for part in asked.parts]
            hits = self._current_hits(asked.parts, foci, documents)
        yield Stage(name="reading", passages=sum(len(found[: self.read_hits]) for found in hits))
        with clock.stage("read"):
            readings = [
                self.read(source.put(hit.passage for hit in found), found)
                for source, found in zip(foci, hits, strict=True)
            ]
        with clock.stage("decide"):
            decisions = self._decide(asked.parts, foci, hits, readings)
        with clock.stage("quote"):
            result = self._concluded(question, asked, hits, decisions)
        traced = _traced(hits, readings)
        yield result(trace=self.trace(**given, hits=traced, verdicts=_verdicts(decisions), timings_ms=clock.ms))

    def read(self, part: str, hits: Sequence[Hit]) -> list[Reading]:
        """What the reader makes of the first hits' passages."""
        readings = read_passages(self.reader, part, [hit.passage for hit in hits[: self.read_hits]])
        return [answers.corrected(self.texts, part, reading) for reading in readings]

    def _refused_at_once(self, asked: Standalone, documents: Documents) -> Reason | None:
        """Why no search is needed, if that is so."""
        if not asked.text:
            return "empty_question"
        if not self.texts.count_chunks(documents, max_count=1):
            return "no_documents"
        return "unsupported_request" if asked.request else None

    def _focus(self, part: str, documents: Documents) -> Focus:
        """The documents and the section that the part names."""
        titles = self.texts.titles()
        return focus(part, [Source(path, title) for path, title in titles if documents is None or path in documents])

    def _found(self, part: str, focus: Focus, documents: Documents) -> list[Hit]:
        """The hits for a part. Where it names documents: theirs, and the best one of another, to be shown as near."""
        if not focus.documents:
            return self.search(part, documents)
        hits = self.search(part, sorted(focus.documents))
        others = [hit for hit in self.search(part, documents) if not focus.documents & set(hit.passage.documents)]
        return [*hits[: self.read_hits - 1], *others[:1], *hits[self.read_hits - 1 :]]

    def _current_hits(self, parts: Sequence[str], foci: Sequence[Focus], documents: Documents) -> list[list[Hit]]:
        """Hits for each part, none from a document that is gone from the folder or changed since it was indexed."""
        for attempt in ("as indexed", "refreshed"):
            found = [
                [_with_few_names(hit) for hit in self._found(part, focus, documents)]
                for part, focus in zip(parts, foci, strict=True)
            ]
            passages = [hit.passage for hits in found for hit in hits]
            current = self.current(sorted({name for passage in passages for name in passage.documents}))
            if all(_current_names(passage, current) == passage.documents for passage in passages):
                break
            if attempt == "as indexed":
                with contextlib.suppress(StoreBusy):
                    self.refresh()
        return [[kept for hit in hits if (kept := _kept(hit, current))] for hits in found]

    def _decide(
        self,
        parts: Sequence[str],
        foci: Sequence[Focus],
        hits: Sequence[Sequence[Hit]],
        readings: Sequence[Sequence[Reading]],
    ) -> list[Decision]:
        max_quotes = MAX_QUOTES if len(parts) == 1 else max(1, MAX_QUOTES_OF_PARTS // len(parts))
        decisions = []
        for part, source, found, read in zip(parts, foci, hits, readings, strict=True):
            first = found[: self.read_hits]
            answering = source.answering([hit.passage for hit in first])
            made = decide.decide(
                part, first, read, self.reader, self.threshold, max_quotes=max_quotes, answering=answering
            )
            decisions.append(made)
        return decisions

    def _concluded(
        self, question: str, asked: Standalone, hits: Sequence[Sequence[Hit]], decisions: Sequence[Decision]
    ) -> Result:
        """The quotes that answer, or the refusal with the nearest passages."""
        confidence = max((decision.probability for decision in decisions), default=0.0)
        chosen = [one for decision in decisions for one in decision.chosen]
        made = quotes.make_quotes(self.texts, chosen)
        if made:
            return _answered(question, asked, made, decisions)
        near = [one for decision in decisions for one in decision.near]
        reason: Reason = "unverified" if chosen else "not_covered" if near else "nothing_relevant"
        nearest = quotes.make_quotes(self.texts, near[: 2 * MAX_QUOTES])
        found = [hit.passage.text for part in hits for hit in part]
        languages = None if chosen else language.foreign(question, found)
        return _refused(question, asked, reason, nearest[:MAX_QUOTES], languages, confidence, self.texts.skipped())


def _answered(question: str, asked: Standalone, made: Sequence[Quote], decisions: Sequence[Decision]) -> Result:
    spans = [answers.answer_in(quote, decisions) for quote in made]
    conflicts = find_conflicts(asked.text, made, spans)
    order = later_first(made, conflicts)
    made, spans = [made[at] for at in order], [spans[at] for at in order]
    conflicts = renumbered(conflicts, order)
    covered = [decision for decision in decisions if answers.probability(decision, made) is not None]
    not_covered = tuple(decision.part for decision in decisions if decision not in covered)
    confidence = min(answers.probability(decision, made) or 0.0 for decision in covered)
    disputed = any(first for first, _ in conflicts)
    large = spans[0] if decide.level(confidence) and not disputed else None
    return partial(
        Answered,
        question=question,
        asked=asked.text,
        text=answer_text(made, conflicts, not_covered),
        confidence=confidence,
        short_answer=large.short if large else None,
        quotes=tuple(made),
        conflicts=conflicts,
        not_covered=not_covered,
    )


def _refused(
    question: str,
    asked: Standalone,
    reason: Reason,
    nearest: Sequence[Quote] = (),
    languages: tuple[str, str] | None = None,
    confidence: float = 0.0,
    left_out: Sequence[Skipped] = (),
) -> Result:
    return partial(
        Refused,
        question=question,
        asked=asked.text,
        text=decide.refusal_text(reason, asked.request, len(nearest), languages, left_out),
        confidence=confidence,
        reason=reason,
        nearest=tuple(nearest),
    )


@dataclass(frozen=True, slots=True)
class _Clock:
    """Milliseconds by stage."""

    ms: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.ms[name] = round(1000 * (time.perf_counter() - start), 3)


def _with_few_names(hit: Hit) -> Hit:
    return replace(hit, passage=replace(hit.passage, also_in=hit.passage.also_in[: MAX_NAMES - 1]))


def _current_names(passage: Passage, current: Mapping[str, str]) -> tuple[str, ...]:
    """The documents that have this very text now: since the search another one may have been indexed under a name."""
    return tuple(name for name in passage.documents if current.get(name) == passage.sha256)


def _kept(hit: Hit, current: Mapping[str, str]) -> Hit | None:
    """The hit with only its current names, the first as its document; None where it has none."""
    names = _current_names(hit.passage, current)
    return replace(hit, passage=replace(hit.passage, document=names[0], also_in=names[1:])) if names else None


def _traced(hits: Sequence[Sequence[Hit]], readings: Sequence[Sequence[Reading]]) -> tuple[TraceHit, ...]:
    """All hits, those that were read with the reader's score."""
    traced = []
    for part, (found, read) in enumerate(zip(hits, readings, strict=True)):
        scores = {reading.passage.chunk: {"reader": round(reading.score, 6)} for reading in read}
        for hit in found:
            passage = hit.passage
            known = {**hit.scores, **scores.get(passage.chunk, {})}
            traced.append(
                TraceHit(document=passage.document, start=passage.start, end=passage.end, part=part, scores=known)
            )
    return tuple(traced)


def _verdicts(decisions: Sequence[Decision]) -> tuple[PartVerdict, ...]:
    return tuple(
        PartVerdict(part=one.part, covered=one.covered, probability=one.probability, why=one.why) for one in decisions
    )
