"""Prints the exams' tables of `eval/RESULTS.md` in Markdown, from the record of a run.

python -m eval.exams.results .eval/record.json
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from eval.exams import report
from eval.exams.record import CaseVerdict, Record
from eval.outputs import markdown_row

TOTALS = {
    "answerable_right": "answerable",
    "refused": "unanswerable",
}  # share → the number of cases that it is taken of


def exams_table(record: Record) -> str:
    """A row for each figure, a column for each split of each exam."""
    columns = {name: figures for name, figures in record.figures.items() if "/" in name}
    lines = [markdown_row(["", *columns]), markdown_row(["---"] * (1 + len(columns)))]
    for key, label in report.ROWS:
        lines.append(markdown_row([label, *(_cell(figures, key) for figures in columns.values())]))
    return "\n".join(lines)


def kinds_table(verdicts: Sequence[CaseVerdict]) -> str:
    """A row for each kind of case, all splits together: shares of right cases with their counts."""
    lines = [markdown_row(["kind", "answerable, answered right", "not answerable, refused"]), markdown_row(["---"] * 3)]
    for exam, kind in sorted({(verdict.exam, verdict.kind) for verdict in verdicts}):
        of_kind = [verdict for verdict in verdicts if (verdict.exam, verdict.kind) == (exam, kind)]
        shares = [_share([case.right for case in of_kind if case.answerable is side]) for side in (True, False)]
        lines.append(markdown_row([f"{exam}: {kind}", *shares]))
    return "\n".join(lines)


def _cell(figures: dict[str, Any], key: str) -> str:
    shown = report.cell(figures, key, digits=2)
    return f"{shown} of {figures[TOTALS[key]]}" if key in TOTALS and figures[key] is not None else shown


def _share(right: Sequence[bool]) -> str:
    return f"{sum(right) / len(right):.2f} ({sum(right)} of {len(right)})" if right else "–"


@click.command(help="Print the exams' tables of RESULTS.md from the RECORD that `qa-eval run … --json RECORD` wrote.")
@click.argument("path", metavar="RECORD", type=click.Path(path_type=Path))
def main(path: Path) -> None:
    try:
        record = Record.model_validate_json(path.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read ({error.strerror}).") from None
    except ValidationError:
        raise click.ClickException(
            f"{path} is not a run record; make one with `qa-eval run … --json {path}`."
        ) from None
    click.echo(f"{exams_table(record)}\n\n{kinds_table(record.results)}")


if __name__ == "__main__":
    main(prog_name="python -m eval.exams.results")
