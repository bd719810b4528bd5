"""`qa-eval` and `python -m eval`: run exams, compare runs, public benchmarks, speed, scale, load."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from eval import outputs
from eval.benchmarks.questions import Reach
from eval.exams import answerers, record, report
from eval.exams.record import Baseline, CaseResult, CaseVerdict, Record
from eval.exams.run import Exam, load_exam, make_record, packaged_exams, run_exam
from eval.load import stress
from qa.config import PACKAGED_SEEDS, default_docs, from_environment
from qa.errors import QAError

BENCHMARKS = "squad2 clapnq chunking beir ownwords collections talks talks-meant".split()
FALLS = 1  # exit code when a gated metric falls below the baseline beyond noise


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except QAError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Does it answer what the documents cover, and refuse what they do not?"""


@main.command()
@click.argument("cases", nargs=-1, type=click.Path(path_type=Path))
@click.option("--docs", type=click.Path(path_type=Path), help="Folder the cases are about.  [default: ./seeds]")
@click.option("--exams", is_flag=True, help="Run both packaged exams instead of CASES.")
@click.option("--split", type=click.Choice(["dev", "test"]), help="Only this split.")
@click.option("--answerer", default="qa", show_default=True, help="qa, an http address, or module:function.")
@click.option("--timeout", default=answerers.TIMEOUT_S, show_default=True, help="Seconds a question may take.")
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="Write the run record.")
@click.option("--html", "html_out", type=click.Path(path_type=Path), help="Write the report.")
@click.option("--baseline", type=click.Path(path_type=Path), help="A run to compare with; exit code 1 on a fall.")
@click.option("--keep", type=click.Path(path_type=Path), help="Write the verdicts alone, a --baseline for later runs.")
def run(
    cases: tuple[Path, ...], docs: Path | None, exams: bool, split: str | None, answerer: str, timeout: float,
    json_out: Path | None, html_out: Path | None, baseline: Path | None, keep: Path | None,
) -> None:  # fmt: skip
    """Ask all CASES and judge the answers.

    Exit code 1 when a quote is not exact, an answer fails, or a gated metric falls below the baseline beyond noise.
    """
    if bool(cases) == exams:
        raise click.UsageError("Pass case files, or --exams, and not both.")
    before = _read_verdicts(baseline) if baseline else None
    if html_out:
        report.check_plots()
    for path in filter(None, (json_out, html_out, keep)):
        outputs.prepare(path)
    loaded = packaged_exams() if exams else [load_exam(cases, docs or default_docs())]
    loaded = [_selected(exam, split, answerer) for exam in loaded]
    start = time.perf_counter()
    results: list[CaseResult] = []
    facts: dict[str, dict[str, Any]] = {}
    open_ = answerers.open_answerer(answerer)
    for exam in loaded:
        done, facts[exam.name] = run_exam(exam, open_, _progress(exam.name), timeout_s=timeout)
        results += done
    if isinstance(open_, answerers.Own):
        open_.close()
    config: dict[str, Any] = {"answerer": answerer, "split": split, "timeout_s": timeout}
    config["cases"] = {exam.name: exam.sha256 for exam in loaded}
    if isinstance(open_, answerers.Own):
        config |= {name: value for name, value in asdict(from_environment()).items() if name != "data_dir"}
    made = make_record(results, facts, time.perf_counter() - start, config)
    _print_figures(made)
    if json_out:
        outputs.write(json_out, made.model_dump_json(indent=1))
    if keep:
        outputs.write(
            keep, made.baseline().model_dump_json().replace('{"id"', '\n{"id"')
        )  # a line a case: diffs can be read
    if html_out:
        outputs.write(html_out, report.render(made))
    failed = [f"{result.exam} {result.id}: {result.error}" for result in results if result.error]
    failed += [
        f"{result.exam} {result.id}: not the slice it claims to be: {place}"
        for result in results
        for place in (result.judgement.inexact if result.judgement else ())
    ]
    for line in failed:
        click.echo(line, err=True)
    if (before is not None and _print_comparison(before, results)) or failed:
        sys.exit(FALLS)


@main.command()
@click.argument("one", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
def compare(one: Path, other: Path) -> None:
    """Compare two run records case by case; exit code 1 when OTHER falls below ONE beyond noise."""
    if _print_comparison(_read_verdicts(one), _read_verdicts(other)):
        sys.exit(FALLS)


@main.command()
@click.argument("name", type=click.Choice(BENCHMARKS))
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--reach",
    type=click.Choice(["document", "group", "all"]),
    help="Which documents may be used: the gold one alone, its group, or one collection of all.  [default: group for"
    " collections, document for talks, else all]",
)
@click.option("--half", type=click.IntRange(1, 2), help="Only the first or second half by title.  [default: both]")
@click.option("--sample", default=0, show_default=True, type=click.IntRange(0), help="How many questions; 0 for all.")
@click.option("--seed", default=1, show_default=True)
@click.option("--recall", "only_recall", is_flag=True, help="Only how often search finds the place; nothing is read.")
@click.option("--keep", type=click.Path(dir_okay=False, path_type=Path), help="File of outcomes: go on where it ends.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Risk–coverage and reliability, a PNG.")
@click.option("--json", "as_json", is_flag=True)
def benchmark(
    name: str, path: Path, reach: Reach | None, half: int | None, sample: int, seed: int, only_recall: bool,
    keep: Path | None, plot: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Run a public benchmark whose files are in PATH.

    squad2, clapnq and chunking are NAME-passages.jsonl.gz (id, title, text) and NAME-questions.jsonl.gz (id, question,
    answerable, answers, starts or evidence, doc_ids), with NAME squad2-dev, clapnq-dev or chunking-eval; beir is
    corpus.jsonl, queries.jsonl and qrels/test.tsv; ownwords is ownwords-documents.jsonl.gz and
    ownwords-questions.jsonl.gz, of which the split dev is asked; collections is collections/NAME/ with questions.jsonl;
    talks is talks.jsonl.gz beside ownwords-documents.jsonl.gz, and talks-meant asks what each turn means by itself.
    """
    from eval.benchmarks import benchmark as benchmarks
    from eval.benchmarks import outcomes
    from eval.benchmarks.recall import recall
    from qa.reader.packaged import load_calibration

    if plot:
        report.check_plots()
        outputs.prepare(plot)
    config = from_environment()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        reached = reach or benchmarks.REACHES.get(name, "all")
        asked: dict[str, Any] = {"reach": reached, "half": half, "sample": sample, "seed": seed}
        if only_recall:
            (folder / "docs").mkdir()
            questions = benchmarks.load(name, path, folder / "docs", **asked)
            _print_kinds(recall(questions, folder, config, reach=reached, show=_progress(name)))
            return
        found = benchmarks.run(name, path, folder, config, **asked, show=_progress(name), keep=keep)
    threshold = load_calibration()["threshold"]
    if plot:
        outcomes.plot(found, threshold, plot)
    figures = outcomes.summary(found, threshold)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for key, value in figures.items():
        click.echo(f"{key:28} {_number(value)}")
    if any(outcome.question.kind for outcome in found):
        _print_kinds(outcomes.by_kind(found, threshold))


def _print_kinds(figures: dict[str, dict[str, Any]]) -> None:
    """A line a kind of question, a column a figure."""
    columns = list(next(iter(figures.values()), {}))
    click.echo(" ".join([f"{'kind':10}", *(f"{column:>10}" for column in columns)]))
    for kind, row in figures.items():
        click.echo(" ".join([f"{kind:10}", *(f"{_number(row[column]):>10}" for column in columns)]))


@main.command()
@click.option("--docs", type=click.Path(path_type=Path), help="Folder to index.  [default: the packaged seeds]")
@click.option("--question", multiple=True, help="What to ask.  [default: the packaged seeds cases]")
@click.option("--squad2", type=click.Path(path_type=Path), help="SQuAD 2.0's second half instead; PATH of its files.")
@click.option("--sample", default=300, show_default=True, type=click.IntRange(1), help="How many of its questions.")
@click.option("--plain", type=click.Path(path_type=Path), help="The six files of Chroma's default embedding function.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often; figures are medians.")
def speed(
    docs: Path | None, question: tuple[str, ...], squad2: Path | None, sample: int, plain: Path | None, rounds: int
) -> None:
    """Time, memory and disk beside their floors, and beside plain LlamaIndex and Chroma.

    PLAIN is made by `python -m eval.training.export_embedder SOURCE_DIR --chroma --out PLAIN`.
    """
    from eval.benchmarks import benchmark as benchmarks
    from eval.load import speed as measure

    with tempfile.TemporaryDirectory() as scratch:
        asked: Sequence[str] = question
        folder = docs or PACKAGED_SEEDS
        if squad2:
            folder = Path(scratch)
            found = benchmarks.load("squad2", squad2, folder, reach="all", half=2, sample=sample, seed=1)
            asked = asked or [question.text for question in found]
        asked = asked or [placed.case.turns[-1] for placed in packaged_exams()[0].cases]
        tables = measure.measure(
            folder, asked, rounds=rounds, plain=plain, show=lambda text: click.echo(text, err=True)
        )
    for title, rows in tables.items():
        click.echo(title)
        for name, value in rows.items():
            click.echo(f"  {name:44} {value:10.3f}")


main.add_command(stress.scale)
main.add_command(stress.load)


def _selected(exam: Exam, split: str | None, answerer: str) -> Exam:
    """The cases of the split; an endpoint cannot be told that a document is deleted, so those cases are left out."""
    cases = [placed for placed in exam.cases if split in (None, placed.case.split)]
    if answerer.startswith("http"):
        kept = [placed for placed in cases if not placed.case.delete]
        if len(kept) < len(cases):
            click.echo(f"{exam.name}: left out, as an endpoint cannot delete: {len(cases) - len(kept)} cases", err=True)
        cases = kept
    return replace(exam, cases=tuple(cases))


def _read_verdicts(path: Path) -> Sequence[CaseVerdict]:
    """Of a run record or a baseline."""
    try:
        data = json.loads(path.read_text("utf-8"))
        return Record.model_validate(data).results if "results" in data else Baseline.model_validate(data).verdicts
    except OSError as error:
        raise QAError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, TypeError, RecursionError):  # pydantic's errors are ValueErrors
        raise QAError(f"{path} is not a run record; make one with `qa-eval run … --json {path}`.") from None


def _progress(name: str) -> Callable[[int, int], None]:
    """Counts on one line of a terminal; elsewhere now and then a line."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{name} {done}/{total}", nl=done == total, err=True)
        elif done == total or done % 500 == 0:
            click.echo(f"{name} {done}/{total}", err=True)

    return show


def _print_figures(made: Record) -> None:
    groups = [name for name in made.figures if ":" not in name]
    width = max(len(label) for _, label in report.ROWS) + 2
    click.echo(" " * width + "".join(f"{name:>22}" for name in groups))
    for key, label in report.ROWS[:-1]:  # the causes need more room; the report has them
        click.echo(f"{label:{width}}" + "".join(f"{report.cell(made.figures[name], key):>22}" for name in groups))
    click.echo(f"{made.seconds:.0f} s")


def _print_comparison(before: Sequence[CaseVerdict], after: Sequence[CaseVerdict]) -> bool:
    """Print the metrics of both and every case that changed; whether a metric falls beyond noise."""
    rows = record.compare(before, after)
    if not rows:
        raise QAError("the two runs have no case in common; compare runs of the same exam.")
    if gone := record.missing(before, after):
        click.echo(f"asked only before: {', '.join(gone)}", err=True)
    cases = {(verdict.exam, verdict.id): verdict for verdict in after}
    for row in rows:
        click.echo(
            f"{row['exam']} {row['metric']}: {row['before']:.3f} → {row['after']:.3f}"
            f" ({row['difference']:+.3f}, p {row['p']:.3f}, {row['cases']} cases)"
            + (" FALLS BEYOND NOISE" if row["falls"] else "")
        )
        for sign, names in (("-", row["lost"]), ("+", row["gained"])):
            for name in names:
                click.echo(f"  {sign} {_describe(cases[row['exam'], name])}")
    return any(row["falls"] for row in rows)


def _describe(one: CaseVerdict) -> str:
    """The case on a line, with what became of it where the run says so."""
    known = [one.id, one.kind]
    if isinstance(one, CaseResult):
        known += [one.error or (one.judgement.outcome if one.judgement else ""), " / ".join(one.turns)]
    return "  ".join(known)


def _number(value: Any) -> str:
    return str([round(number, 3) for number in value]) if isinstance(value, tuple) else report.number(value)


if __name__ == "__main__":
    main(prog_name="qa-eval")
