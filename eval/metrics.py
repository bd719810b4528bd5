"""Metrics as pure functions. A case that is not eligible gives None, never 0; a mean over no values is None.

Intervals are (document, start, end) in code points; the end is exclusive. `right` means that the case is judged right.
"""

import bisect
import math
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

Interval = tuple[str, int, int]
HIT_SHARE = 0.5  # of the shorter of two intervals that must overlap


def overlaps(one: Interval, other: Interval, share: float = HIT_SHARE) -> bool:
    """Whether the overlap of two intervals is at least `share` of the shorter one. Symmetric."""
    common = min(one[2], other[2]) - max(one[1], other[1])
    return one[0] == other[0] and common > 0 and common >= share * min(one[2] - one[1], other[2] - other[1])


def mean(values: Sequence[float | bool | None]) -> float | None:
    """Arithmetic mean of the values that are not None; None when there are none."""
    eligible = [float(value) for value in values if value is not None]
    return fmean(eligible) if eligible else None


def quote_precision(quotes: Sequence[Interval], gold: Sequence[Interval]) -> float | None:
    """|quotes that overlap a gold passage| / |quotes|, 0–1. Eligible: answered cases with gold."""
    return mean([any(overlaps(quote, passage) for passage in gold) for quote in quotes]) if gold else None


def quote_recall(quotes: Sequence[Interval], parts: Sequence[Sequence[Interval]]) -> float | None:
    """|parts of which a quote overlaps a gold passage| / |parts|, 0–1. Eligible: cases with gold.

    All gold passages are one part when the case has no parts.
    """
    return mean([any(overlaps(quote, passage) for quote in quotes for passage in part) for part in parts])


Ranked = Sequence[frozenset[int]]
"""For each hit, best first, the numbers of the parts that it covers. Without parts, all gold is part 0."""


def recall_at(ranked: Ranked, k: int, parts: int) -> float | None:
    """|parts covered by the first k hits| / |parts|, 0–1 (Manning et al. 2008, ch. 8, a part being one relevant item).

    Eligible: parts > 0.
    """
    return len(frozenset[int]().union(*ranked[:k])) / parts if parts else None


def reciprocal_rank(ranked: Ranked) -> float:
    """1 / rank of the first relevant hit, 0 when there is none; its mean is MRR (Voorhees 1999)."""
    return next((1 / rank for rank, covers in enumerate(ranked, 1) if covers), 0.0)


def ndcg(ranked: Ranked, k: int, parts: int) -> float | None:
    """min(1, DCG@k / ideal DCG@k), 0–1 (Järvelin & Kekäläinen 2002); DCG = Σ parts first covered / log2(rank + 1).

    The ideal ranking covers one new part at each rank. The value is capped at 1, since one passage may cover several
    parts. Eligible: parts > 0.
    """
    if not parts:
        return None
    gained, seen = 0.0, frozenset[int]()
    for rank, covers in enumerate(ranked[:k], 1):
        gained += len(covers - seen) / math.log2(rank + 1)
        seen |= covers
    return min(1.0, gained / sum(1 / math.log2(rank + 1) for rank in range(1, min(k, parts) + 1)))


def normalise_answer(text: str) -> str:
    """The answer in SQuAD's normal form: lower case, no punctuation, articles or extra white space (Rajpurkar 2016)."""
    text = "".join(char for char in text.lower() if char not in string.punctuation)
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", text).split())


def exact_match(answer: str, accepted: Sequence[str]) -> float | None:
    """1 if the normalised answer equals an accepted one, else 0. Eligible: `accepted` is not empty."""
    return float(normalise_answer(answer) in map(normalise_answer, accepted)) if accepted else None


def token_f1(answer: str, accepted: Sequence[str]) -> float | None:
    """Best 2·P·R / (P + R) over the accepted answers, on normalised tokens (SQuAD), 0–1. Eligible as exact_match."""
    tokens = normalise_answer(answer).split()
    return max((_f1(tokens, normalise_answer(other).split()) for other in accepted), default=None)


Print = Literal["right", "wrong", "absent"]


def large_print(short: str | None, accepted: Sequence[str], *, disputed: bool = False) -> Print:
    """Whether what is printed large above the quotes may stand there.

    "right" where some accepted answer stands in it as a run of whole tokens (SQuAD's normal form), within one cell of
    a row, and no sources disagree (`disputed`); "absent" where nothing is printed; else "wrong". Its share is
    right / (right + wrong). Eligible: answered cases of one part that list an accepted answer other than yes and no,
    and those whose sources disagree.
    """
    if short is None:
        return "absent"
    printed = normalise_answer(short).split()
    runs = [normalise_answer(answer).split() for answer in accepted]
    inside = any(
        run and printed[at : at + len(run)] == run for run in runs for at in range(len(printed) - len(run) + 1)
    )
    return "right" if inside and not disputed and not re.search(r"[|\t]", short) else "wrong"


def _f1(answer: list[str], gold: list[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold))


@dataclass(frozen=True, slots=True)
class Refusals:
    """Counts over all cases. precision = true / refused, recall = true / unanswerable; None when the divisor is 0."""

    true: int  # refused and unanswerable
    refused: int
    unanswerable: int

    @property
    def precision(self) -> float | None:
        return self.true / self.refused if self.refused else None

    @property
    def recall(self) -> float | None:
        return self.true / self.unanswerable if self.unanswerable else None


def refusals(refused: Sequence[bool], answerable: Sequence[bool]) -> Refusals:
    """Refusal precision and recall, as haiku.rag and NoMIRACL define them."""
    true = sum(r and not a for r, a in zip(refused, answerable, strict=True))
    return Refusals(true, sum(refused), sum(not a for a in answerable))


def balanced_accuracy(right: Sequence[bool], answerable: Sequence[bool]) -> float | None:
    """(share right of the answerable + share right of the unanswerable) / 2. Eligible: cases of both kinds exist."""
    yes = mean([r for r, a in zip(right, answerable, strict=True) if a])
    no = mean([r for r, a in zip(right, answerable, strict=True) if not a])
    return None if yes is None or no is None else (yes + no) / 2


def risk_coverage(confidence: Sequence[float], right: Sequence[bool], total: int) -> list[tuple[float, float]]:
    """(coverage, risk) after each answer, the most confident first: answers / total and wrong answers / answers so far.

    El-Yaniv & Wiener 2010. Only answers have a risk; `total` also counts refused questions. Answers of equal confidence
    are one step.
    """
    order = sorted(zip(confidence, right, strict=True), key=lambda pair: -pair[0])
    curve: list[tuple[float, float]] = []
    wrong = 0
    for number, (value, is_right) in enumerate(order, 1):
        wrong += not is_right
        if number == len(order) or order[number][0] != value:
            curve.append((number / total, wrong / number))
    return curve


def aurc(curve: Sequence[tuple[float, float]]) -> float | None:
    """Mean risk over the coverage reached, 0 (best) to 1: Σ (coverage − the one before) · risk / last coverage.

    The curve is a step function. Refused questions are not on it, so this figure must be read beside the coverage.
    """
    if not curve:
        return None
    before = [0.0, *(coverage for coverage, _ in curve)]
    return sum((coverage - at) * risk for at, (coverage, risk) in zip(before, curve, strict=False)) / curve[-1][0]


def ece(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> float | None:
    """Σ over equal-width bins of (n_bin / n) · |mean confidence − share right|, 0–1 (Guo et al. 2017)."""
    cells = reliability(confidence, right, bins)
    total = sum(count for _, _, count in cells)
    return sum(count / total * abs(sure - share) for sure, share, count in cells) if total else None


def reliability(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean confidence, share right, count) of each bin that is not empty, ascending."""
    cells: dict[int, list[tuple[float, bool]]] = {}
    for value, is_right in zip(confidence, right, strict=True):
        cells.setdefault(min(int(value * bins), bins - 1), []).append((value, is_right))
    return [
        (fmean(value for value, _ in cell), fmean(float(is_right) for _, is_right in cell), len(cell))
        for _, cell in sorted(cells.items())
    ]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` (0–1) of the values do not exceed (nearest rank), or None."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def bootstrap(
    values: Sequence[float], statistic: Callable[[Sequence[float]], float] = fmean, *, rounds: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % percentile interval of the statistic over resamples with replacement (Efron 1979). Eligible: not empty."""
    if not values:
        return None
    draw = random.Random(seed)  # noqa: S311  # statistics, not secrets
    found = sorted(statistic(draw.choices(values, k=len(values))) for _ in range(rounds))
    return found[int(0.025 * rounds)], found[int(0.975 * rounds) - 1]


def paired_difference(one: Sequence[bool], other: Sequence[bool]) -> tuple[float, float]:
    """(mean of other − mean of one, p) over the same cases in the same order.

    p is that of the exact one-sided sign test (McNemar 1947): the probability of at least as many losses among the
    changed cases, if losses and gains were equally likely. For five losses and no gain it is 1/32.
    """
    gained = sum(b and not a for a, b in zip(one, other, strict=True))
    lost = sum(a and not b for a, b in zip(one, other, strict=True))
    n = gained + lost
    return (gained - lost) / max(len(one), 1), sum(math.comb(n, k) for k in range(lost, n + 1)) / 2**n


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """P(score of a positive > that of a negative) + ½ P(equal), 0–1 (Mann–Whitney). Eligible: no list is empty."""
    if not positive or not negative:
        return None
    ordered = sorted(negative)
    wins = sum(bisect.bisect_left(ordered, score) + bisect.bisect_right(ordered, score) for score in positive) / 2
    return wins / (len(positive) * len(negative))
