"""The figures of `scale.py` and `load.py` as Markdown tables, checked against bounds, the laws. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.load.scale import FILTER_DOCUMENTS, LONG_WORDS, RECORDED
from eval.load.speed import STAGES, Figures
from eval.outputs import markdown_row

INDEXING_OVER_FLOOR = 1.25  # indexing takes at most this many times as long as embedding the same texts alone, …
INDEXING_FROM = 1000  # … from this many chunks on; in smaller collections the fixed costs dominate
GROWTH = 2.0  # a question takes less than this many times as long over GROWTH_TO chunks as over GROWTH_FROM
GROWTH_FROM, GROWTH_TO = 10_000, 100_000
SPEED_OVER_PLAIN = 3.0  # indexing is at least this many times as fast as plain LlamaIndex and Chroma

Table = Mapping[str, Figures]
SEARCH_PARTS = ("embedding the question", "nearest vectors", "words", "reading the passages")


@dataclass(frozen=True, slots=True)
class Law:
    """A bound, the measured value, and whether the value keeps the bound."""

    text: str
    value: float
    holds: bool

    def __str__(self) -> str:
        return f"{self.text}: {self.value:.2f}, {'holds' if self.holds else 'BROKEN'}"


def scale_table(columns: Table) -> str:
    """A row for each figure, a column for each size; "–" when a size does not have the figure."""
    filled = {name: figures | derived(figures) for name, figures in columns.items()}
    rows: list[tuple[str, Sequence[str], str]] = [
        ("chunks", ("passages",), ",.0f"),
        ("chunks indexed a second", ("passages a second",), ",.0f"),
        ("seconds of indexing / of embedding alone", ("index s", "embedded alone s"), ",.1f"),
        ("indexing over embedding alone", ("indexing over floor",), ".2f"),
        ("indexing speed over plain", ("indexing speed over plain",), ".1f"),
        ("bytes on disk a chunk", ("bytes a passage",), ",.0f"),
        ("peak memory MB: indexing / asking", ("peak memory MB of indexing", "peak memory MB of asking"), ",.0f"),
        ("opening the index that is up to date, s", ("open s",), ".1f"),
        ("a question, ms p50 / p95", ("p50 ms", "p95 ms"), ",.0f"),
        *((f"… {stage}", (f"p50 ms {stage}", f"p95 ms {stage}"), ",.1f") for stage in _stages()),
        ("search of plain, ms p50 / p95", ("p50 ms search of plain", "p95 ms search of plain"), ",.1f"),
        ("a question of the commonest words, ms p50", ("p50 ms of the commonest words",), ",.0f"),
        (f"a question of {LONG_WORDS:,} words, ms p50", ("p50 ms of a long question",), ",.0f"),
        (f"a filter of {FILTER_DOCUMENTS:,} documents, ms p50", ("p50 ms under a filter",), ",.0f"),
        ("planted facts quoted / unanswerable refused", ("planted facts quoted", "unanswerable refused"), ".2f"),
    ]
    lines = [markdown_row(["", *(_heading(name) for name in columns)]), markdown_row(["---"] * (1 + len(columns)))]
    for label, keys, form in rows:
        if any(key in figures for figures in filled.values() for key in keys):
            lines.append(markdown_row([label, *(_cell(figures, keys, form) for figures in filled.values())]))
    if any(name.endswith(RECORDED) for name in columns):
        lines += [
            "",
            "Vectors recorded: the first texts are embedded; the other texts get the same vectors with noise.",
        ]
        lines[-1] += " There, the time of indexing and what is found are not meaningful."
    return "\n".join(lines)


def derived(figures: Figures) -> Figures:
    """Ratios of the figures of one size, as far as it has them."""
    found: Figures = {}
    if "index s" in figures:
        found["indexing over floor"] = figures["index s"] / figures["embedded alone s"]
    if "passages a second of plain" in figures:
        found["indexing speed over plain"] = figures["passages a second"] / figures["passages a second of plain"]
    return found


def scale_laws(columns: Table) -> list[Law]:
    """All laws that can be checked with these sizes."""
    laws = []
    for name, figures in columns.items():
        ratios = derived(figures)
        value = ratios.get("indexing over floor")
        if value is not None and int(name.replace(",", "")) >= INDEXING_FROM:
            text = f"indexing over embedding alone at {name} chunks, at most {INDEXING_OVER_FLOOR}"
            laws.append(Law(text, value, value <= INDEXING_OVER_FLOOR))
        if (value := ratios.get("indexing speed over plain")) is not None:
            text = f"indexing speed over plain at {name} chunks, at least {SPEED_OVER_PLAIN}"
            laws.append(Law(text, value, value >= SPEED_OVER_PLAIN))
    small, large = columns.get(f"{GROWTH_FROM:,}"), columns.get(f"{GROWTH_TO:,}")
    if small and large:
        value = large["p50 ms"] / small["p50 ms"]
        text = f"a question at {GROWTH_TO:,} chunks over one at {GROWTH_FROM:,}, below {GROWTH}"
        laws.append(Law(text, value, value < GROWTH))
    return laws


def load_table(figures: Figures) -> str:
    """A Markdown table with a row for each figure."""
    rows: list[tuple[str, Sequence[str], str]] = [
        ("askers at a time", ("askers",), ".0f"),
        ("questions: answered / refused", ("answered", "refused"), ",.0f"),
        ("quotes checked", ("quotes",), ",.0f"),
        ("changes of the folder / times indexed meanwhile", ("changes", "refreshes"), ",.0f"),
        ("questions a second", ("a second",), ",.1f"),
        ("a question, ms p50 / p95", ("p50 ms", "p95 ms"), ",.0f"),
        ("peak memory MB", ("peak memory MB",), ",.0f"),
        ("memory MB, last tenth of the questions over the first", ("memory growth MB",), "+,.0f"),
        ("errors", ("errors",), ".0f"),
    ]
    lines = [markdown_row(["", "measured"]), markdown_row(["---"] * 2)]
    return "\n".join([*lines, *(markdown_row([label, _cell(figures, keys, form)]) for label, keys, form in rows)])


def _stages() -> list[str]:
    at = STAGES.index("search") + 1
    return [*STAGES[:at], *(f"search: {part}" for part in SEARCH_PARTS), *STAGES[at:]]


def _heading(name: str) -> str:
    recorded = RECORDED if name.endswith(RECORDED) else ""
    return f"{name.removesuffix(RECORDED)} chunks{recorded}"


def _cell(figures: Figures, keys: Sequence[str], form: str) -> str:
    if not set(keys) & set(figures):
        return "–"
    return " / ".join(format(figures[key], form) if key in figures else "–" for key in keys)
