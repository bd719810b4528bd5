"""The commands `qa-eval scale` and `qa-eval load`: their options and their output."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from eval import outputs
from qa.config import from_environment

BROKEN = 1  # exit code when a law is broken


def _sizes(context: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        sizes = tuple(map(int, value.split(",")))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise click.BadParameter(f"{value!r} is not a list of numbers like 1000,10000.")
    return sizes


@click.command()
@click.option("--chunks", default="1000,10000,100000", show_default=True, callback=_sizes, help="Sizes to measure.")
@click.option("--recorded", type=click.IntRange(1), help="One more size, most of whose vectors are not embedded.")
@click.option("--plain", type=click.Path(path_type=Path), help="The six files of Chroma's default embedding function.")
@click.option("--questions", type=click.IntRange(2), help="How many are asked at each size.  [default: 200]")
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="Write all figures.")
def scale(
    chunks: tuple[int, ...], recorded: int | None, plain: Path | None, questions: int | None, json_out: Path | None
) -> None:
    """Cost by size of the collection, over text made by seed; exit code 1 when a law is broken.

    Needs about 5 KB on disk a chunk while it runs, 15 with PLAIN, which is made as for `speed`.
    """
    from eval.load import scale as measured
    from eval.load import tables

    if json_out:
        outputs.prepare(json_out)
    plan = measured.Plan(chunks, recorded, plain, questions=questions or measured.QUESTIONS)
    columns = measured.measure(plan, show=_show)
    laws = tables.scale_laws(columns)
    if json_out:
        outputs.write(json_out, _record({"chunks": columns, "laws": [asdict(law) for law in laws]}))
    click.echo(tables.scale_table(columns) + "\n")
    for law in laws:
        click.echo(str(law))
    if not all(law.holds for law in laws):
        sys.exit(BROKEN)


@click.command()
@click.option("--askers", default=16, show_default=True, type=click.IntRange(1), help="How many ask at the same time.")
@click.option("--questions", default=10_000, show_default=True, type=click.IntRange(10), help="How many they ask.")
@click.option("--docs", type=click.Path(path_type=Path), help="Ask a changing copy of this.  [default: text by seed]")
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="Write all figures.")
def load(askers: int, questions: int, docs: Path | None, json_out: Path | None) -> None:
    """Ask from many threads while the folder changes and is indexed; exit code 1 on any error.

    Every quote is checked against the texts that stood on disk while its question was asked.
    """
    from eval.load import load as measured
    from eval.load import tables

    if json_out:
        outputs.prepare(json_out)
    with tempfile.TemporaryDirectory() as scratch:
        given = {"askers": askers, "questions": questions, "docs": str(docs.resolve()) if docs else None}
        _show(f"{questions:,} questions by {askers} at a time")
        found = measured.measure(Path(scratch), given)
    if json_out:
        outputs.write(json_out, _record(asdict(found)))
    click.echo(tables.load_table(found.figures))
    for fault in found.faults:
        click.echo(fault, err=True)
    if found.figures["errors"]:
        sys.exit(BROKEN)


def _record(figures: dict[str, Any]) -> str:
    """The figures as JSON, with the versions and the number of threads that they depend on."""
    from qa.assistant import versions

    return json.dumps({"versions": versions(), "threads": from_environment().threads} | figures, indent=1)


def _show(text: str) -> None:
    click.echo(text, err=True)
