"""`qa-eval` and `python -m eval`: run exams, compare runs, public benchmarks, speed."""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from eval import answerers, record, report
from eval.record import Record, Result
from eval.run import Exam, load_exam, make_record, run_exam
from qa.config import default_docs, from_environment
from qa.errors import QAError

HERE = Path(__file__).resolve().parent
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
@click.option("--store", type=click.Path(path_type=Path), help="Where the index is kept.")
@click.option("--exams", is_flag=True, help="Run both packaged exams instead of CASES.")
@click.option("--split", type=click.Choice(["dev", "test"]), help="Only this split.")
@click.option("--answerer", default="qa", show_default=True, help="qa, an http address, or module:function.")
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="Write the run record.")
@click.option("--html", "html_out", type=click.Path(path_type=Path), help="Write the report.")
@click.option("--baseline", type=click.Path(path_type=Path), help="A record to compare with; exit code 1 on a fall.")
def run(
    cases: tuple[Path, ...], docs: Path | None, store: Path | None, exams: bool, split: str | None,
    answerer: str, json_out: Path | None, html_out: Path | None, baseline: Path | None,
) -> None:  # fmt: skip
    """Ask all CASES and judge the answers."""
    if bool(cases) == exams:
        raise click.UsageError("Pass case files, or --exams, and not both.")
    before = _read_record(baseline) if baseline else None
    loaded = _packaged() if exams else [load_exam(cases, docs or default_docs())]
    if split:
        loaded = [replace(one, cases=tuple(case for case in one.cases if case.case.split == split)) for one in loaded]
    start = time.perf_counter()
    results: list[Result] = []
    facts: dict[str, dict[str, Any]] = {}
    for exam in loaded:
        open_ = answerers.open_answerer(answerer, store=store)
        done, facts[exam.name] = run_exam(exam, open_, _progress(exam.name))
        results += done
    made = make_record(results, facts, time.perf_counter() - start)
    _print_figures(made)
    if json_out:
        json_out.write_text(made.model_dump_json(indent=1), "utf-8")
    if html_out:
        html_out.write_text(report.render(made), "utf-8")
    inexact = [name for name, one in made.figures.items() if one["exactness"] not in (None, 1.0)]
    for name in inexact:
        click.echo(f"{name}: quotes that are not exact", err=True)
    if (before and _print_comparison(before.results, results)) or inexact:
        sys.exit(FALLS)


@main.command()
@click.argument("one", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
def compare(one: Path, other: Path) -> None:
    """Compare two run records case by case; exit code 1 when OTHER falls below ONE beyond noise."""
    if _print_comparison(_read_record(one).results, _read_record(other).results):
        sys.exit(FALLS)


@main.command()
@click.argument("name", type=click.Choice(["squad2", "clapnq", "chunking", "beir"]))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--given", is_flag=True, help="Only the gold document may be used, instead of one open collection.")
@click.option("--half", type=click.IntRange(1, 2), help="Only the first or second half by title.  [default: both]")
@click.option("--sample", default=0, show_default=True, help="How many questions; 0 for all.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def benchmark(name: str, path: Path, given: bool, half: int | None, sample: int, seed: int, as_json: bool) -> None:
    """Run a public benchmark whose files are in PATH."""
    from eval import benchmark as public

    config = from_environment()
    with tempfile.TemporaryDirectory() as scratch:
        found = public.run(
            name, path, Path(scratch), config, given=given, half=half, sample=sample, seed=seed, show=_counter(name)
        )
    figures = public.summary(found, config.threshold)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for key, value in figures.items():
        click.echo(f"{key:28} {_number(value)}")


@main.command()
@click.option("--docs", type=click.Path(path_type=Path), help="Folder to index.  [default: ./seeds]")
@click.option("--question", multiple=True, help="What to ask.  [default: the packaged seeds cases]")
def speed(docs: Path | None, question: tuple[str, ...]) -> None:
    """Where the time goes: a fresh process, indexing beside bare embedding, questions in a row."""
    from eval import speed as measure

    folder, config = docs or default_docs(), from_environment()
    asked = question or tuple(one.case.turns[-1] for one in _packaged()[0].cases)
    tables = {
        "Fresh process, seconds": measure.fresh_process(folder, asked[0]),
        "Indexing": measure.indexing(folder, config),
        "Questions": measure.questions(folder, asked, config),
    }
    for title, rows in tables.items():
        click.echo(title)
        for name, value in rows.items():
            click.echo(f"  {name:32} {value:10.3f}")


def _packaged() -> list[Exam]:
    exams = {"seeds": default_docs(), "handbook": HERE / "handbook"}
    return [load_exam([HERE / "cases" / f"{name}.jsonl"], docs) for name, docs in exams.items()]


def _read_record(path: Path) -> Record:
    try:
        return Record.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise QAError(f"{path} cannot be read ({error.strerror}).") from None
    except ValidationError:
        raise QAError(f"{path} is not a run record; make one with `qa-eval run … --json {path}`.") from None


def _progress(name: str) -> Any:
    def show(done: int, total: int, one: Result) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{name} {done}/{total}", nl=done == total, err=True)

    return show


def _counter(name: str) -> Any:
    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() or done % 500 == 0:
            click.echo(f"\r{name} {done}/{total}", nl=done == total or not sys.stderr.isatty(), err=True)

    return show


def _print_figures(made: Record) -> None:
    groups = [name for name in made.figures if ":" not in name]
    width = max(len(label) for _, label in report.ROWS) + 2
    click.echo(" " * width + "".join(f"{name:>16}" for name in groups))
    for key, label in report.ROWS:
        click.echo(f"{label:{width}}" + "".join(f"{report.number(made.figures[name][key]):>16}" for name in groups))
    click.echo(f"{made.seconds:.0f} s")


def _print_comparison(before: Sequence[Result], after: Sequence[Result]) -> bool:
    """Print the rows and, where one falls, its lost cases; whether one falls."""
    rows = record.compare(before, after)
    for row in rows:
        click.echo(
            f"{row['exam']} {row['metric']}: {row['before']:.3f} → {row['after']:.3f}"
            f" ({row['difference']:+.3f}, p {row['p']:.3f}, {row['cases']} cases)"
        )
    falls = [row for row in rows if row["falls"]]
    for row in falls:
        click.echo(f"{row['exam']} {row['metric']} falls beyond noise; lost: {', '.join(row['lost'])}", err=True)
    return bool(falls)


def _number(value: Any) -> str:
    return str([round(one, 3) for one in value]) if isinstance(value, tuple) else report.number(value)


if __name__ == "__main__":
    main(prog_name="qa-eval")
