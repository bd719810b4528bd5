"""Renders a run record as one self-contained HTML file: figures, plots, every lost case with its quotes in context."""

import importlib.util
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from eval import metrics
from eval.exams.record import CaseResult, Record
from qa.errors import QAError

ROWS = (  # key of the figures, what is shown
    ("cases", "cases"),
    ("errors", "errors"),
    ("answerable_right", "answerable, answered right"),
    ("outcomes", "correct / incorrect / not attempted"),
    ("refused", "not answerable, refused"),
    ("balanced_accuracy", "balanced accuracy"),
    ("refusal_precision", "refusal precision"),
    ("refusal_recall", "refusal recall"),
    ("refusal_counts", "… right / refused / unanswerable"),
    ("exactness", "quote exactness"),
    ("quote_precision", "quote precision"),
    ("quote_recall", "quote recall"),
    ("exact_match", "short answer EM"),
    ("token_f1", "short answer F1"),
    ("large_print_right", "large print, right of what is printed"),
    ("large_print_counts", "… right / wrong / absent"),
    ("recall_at_12", "retrieval recall@12"),
    ("mrr", "retrieval MRR"),
    ("ndcg_at_12", "retrieval nDCG@12"),
    ("conflict_precision", "conflict precision"),
    ("conflict_recall", "conflict recall"),
    ("conflict_counts", "… right / marked, found / expected"),
    ("coverage", "coverage"),
    ("aurc", "AURC over that coverage (lower is better)"),
    ("ece", "ECE (lower is better)"),
    ("causes", "causes of lost cases"),
)
SHARES = (("answerable_right", "answerable"), ("refused", "unanswerable"))
_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { border-bottom: 1px solid #ddd; padding: .2rem .6rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } figure { margin: .5rem 0; } svg { width: 100%; height: auto; }
.case { border-left: 4px solid #b91c1c; padding: .2rem 1rem; margin: 1rem 0; }
blockquote { margin: .3rem 0 .3rem 1rem; }
.gold { color: #166534; } .context { color: #777; } mark { background: #fde68a; } small { color: #555; }
"""
_FILTER = """
for (const list of document.querySelectorAll('select')) list.addEventListener('change', () => {
  const [kind, split] = ['kind', 'split'].map(name => document.getElementById(name).value);
  for (const one of document.querySelectorAll('.case'))
    one.hidden = kind !== '' && one.dataset.kind !== kind || split !== '' && one.dataset.split !== split;
});
"""


def render(record: Record) -> str:
    """The report as HTML; every text of a document, question or note is escaped."""
    exams = sorted({result.exam for result in record.results})
    lost = [result for result in record.results if not result.right]
    kinds = sorted({f"{result.exam}:{result.kind}" for result in lost})
    options = "".join(f"<option>{escape(kind)}</option>" for kind in kinds)
    dirty = " with uncommitted changes" if record.dirty else ""
    head = (
        f"<p>{escape(record.started)}, commit {escape(record.commit or 'unknown')}{dirty}, {escape(record.machine)}, "
        f"{record.seconds:.0f} s. Threshold {escape(str(record.config.get('threshold')))}.</p>"
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Evaluation</title><style>{_CSS}</style>"
        "<h1>Evaluation</h1>"
        + head
        + "".join(
            _figures(record, exam) + _plots([case for case in record.results if case.exam == exam], exam)
            for exam in exams
        )
        + f"<h2>Lost cases ({len(lost)})</h2><p><label>Kind <select id=kind><option value=''>all</option>{options}"
        + "</select></label> <label>Split <select id=split><option value=''>both</option><option>dev</option>"
        + "<option>test</option></select></label></p>"
        + "".join(map(_case, lost))
        + f"<script>{_FILTER}</script></html>"
    )


def check_plots() -> None:
    """Raise QAError when matplotlib is missing, which draws the plots; the rest of the harness does not need it."""
    if importlib.util.find_spec("matplotlib") is None:
        raise QAError("the report's plots need matplotlib; install this package's extra `report`, or leave --html out.")


def number(value: Any, digits: int = 3) -> str:
    """A figure as text; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def cell(figures: dict[str, Any], key: str, digits: int = 3) -> str:
    """One figure of a group as text, with its 95 % interval or its counts if it has any."""
    if key == "outcomes":
        return " / ".join(str(figures[name]) for name in ("correct", "incorrect", "not_attempted"))
    value = figures[key]
    if key == "causes":
        return ", ".join(f"{cause.replace('_', ' ')} {count}" for cause, count in value.items()) or "–"
    if isinstance(value, list):
        return " / ".join(map(str, value))
    interval = figures.get(f"{key}_interval")
    return number(value, digits) + (f" ({interval[0]:.2f}–{interval[1]:.2f})" if interval else "")


def _figures(record: Record, exam: str) -> str:
    columns = [name for name in record.figures if name == exam or name.startswith(f"{exam}/")]
    rows = "".join(
        f"<tr><td>{label}</td>"
        + "".join(f"<td>{escape(cell(record.figures[name], key))}</td>" for name in columns)
        + "</tr>"
        for key, label in ROWS
    )
    latencies: dict[str, Any] = record.figures[exam]["latency_ms"]  # type: ignore[assignment]
    by_stage = "".join(
        f"<tr><td>{escape(stage)}</td><td>{number(times['p50'])}</td><td>{number(times['p95'])}</td></tr>"
        for stage, times in latencies.items()
    )
    kinds = {name.partition(":")[2]: found for name, found in record.figures.items() if name.startswith(f"{exam}:")}
    by_kind = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{_share(found[key], found[total])}</td>" for key, total in SHARES)
        + "".join(f"<td>{number(found[key])}</td>" for key in ("refusal_precision", "refusal_recall", "quote_recall"))
        + "</tr>"
        for name, found in kinds.items()
    )
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    return (
        f"<h2>{escape(exam)}</h2><table><tr><th></th>{heads}</tr>{rows}</table>"
        "<h3>By kind</h3><table><tr><th>kind</th><th>answerable, right</th><th>not answerable, refused</th>"
        f"<th>refusal precision</th><th>refusal recall</th><th>quote recall</th></tr>{by_kind}</table>"
        f"<h3>Latency, ms</h3><table><tr><th>stage</th><th>p50</th><th>p95</th></tr>{by_stage}</table>"
    )


def _share(share: Any, total: Any) -> str:
    """The share with its counts: "0.50 (2 of 4)"."""
    return "–" if share is None else f"{share:.2f} ({round(share * total)} of {total})"


def plot_risk_coverage(axes: Any, confidence: Sequence[float], right: Sequence[bool], total: int) -> None:
    """Plot the share of wrong answers (risk) over the share of questions answered (coverage), most confident first."""
    curve = metrics.risk_coverage(confidence, right, total)
    axes.plot([x for x, _ in curve], [y for _, y in curve], drawstyle="steps-post")
    axes.set(title="Risk–coverage", xlabel="coverage", ylabel="risk", ylim=(0, 1))


def plot_reliability(axes: Any, confidence: Sequence[float], right: Sequence[bool]) -> None:
    """Plot the share of right answers over the confidence; a point's size grows with the number of its answers."""
    cells = metrics.reliability(confidence, right)
    axes.plot([0, 1], [0, 1], "--", color="grey")
    axes.scatter([x for x, _, _ in cells], [y for _, y, _ in cells], s=[5 + 3 * n for _, _, n in cells])
    axes.set(title="Reliability", xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1))


def _plots(results: list[CaseResult], exam: str) -> str:
    from matplotlib.figure import Figure

    answered = [result for result in results if result.answered]
    confidence, right = [result.confidence for result in answered], [result.right for result in answered]
    figure = Figure(figsize=(14, 3.2), layout="constrained")
    risk, reliability, latency, causes = figure.subplots(1, 4)
    plot_risk_coverage(risk, confidence, right, len(results))
    plot_reliability(reliability, confidence, right)
    latency.hist([1000 * result.seconds for result in results], bins=30)
    latency.set(title="Latency", xlabel="ms", ylabel="cases")
    lost = [(result.judgement and result.judgement.cause) or "error" for result in results if not result.right]
    names = sorted(set(lost))
    causes.barh(names, [lost.count(name) for name in names])
    causes.set(title="Causes of lost cases")
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return f"<figure aria-label='{escape(exam)}'>{svg[svg.index('<svg') :]}</figure>"


def _case(one: CaseResult) -> str:
    answer: Any = one.answer or {}
    quotes = "".join(_quote(quote) for quote in answer.get("quotes", ()))
    quotes += "".join(_quote(quote, "not an answer: ") for quote in answer.get("nearest", ()))
    turns = "<br>".join(escape(turn) for turn in one.turns)
    expected = "".join(
        f"<blockquote class=gold>expected: {escape(gold.quote)} <small>{escape(gold.document)}</small></blockquote>"
        for gold in one.gold
    )
    judged = one.judgement
    verdict = one.error or (f"{judged.outcome}, {judged.cause}, confidence {one.confidence:.2f}" if judged else "")
    verdict += f", {answer['reason']}" if "reason" in answer else ""
    note = f"<p><small>{escape(one.note)}</small></p>" if one.note else ""
    kind = escape(f"{one.exam}:{one.kind}")
    return (
        f'<div class=case data-kind="{kind}" data-split="{one.split}"><b>{escape(one.id)}</b> '
        f"{escape(one.kind)}, {one.split} <small>{escape(verdict)}</small><p>{turns}</p>{quotes}{expected}{note}</div>"
    )


def _quote(quote: dict[str, Any], label: str = "") -> str:
    context = [f"<span class=context>{escape(quote[side])}</span>" for side in ("before", "after")]
    place = f"{quote['document']}, {quote['start']}–{quote['end']}, {quote['score']:.2f}"
    text = f"{label}{context[0]} <mark>{escape(quote['text'])}</mark> {context[1]}"
    return f"<blockquote>{text} <small>{escape(place)}</small></blockquote>"
