"""Made-up tables, lists and records, and questions about their values.

Prose teaches nothing of rows: that a cell belongs to its row and to the header above it, and that a table without the
row, the column or the condition that is asked for does not answer. Pure; every function draws from the `Random` given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from eval.training.pairs import CharSpan
from eval.training.table_words import CAPTIONS, CONDITIONS, GROUPS


@dataclass(frozen=True, slots=True)
class Sheet:
    """A question about a text; `span` is the answer's cell in `text`, None when the table does not answer."""

    question: str
    text: str
    span: CharSpan | None
    heading: str  # a caption, and the header row when `text` begins below it
    title: str


def bare(entity: str) -> str:
    """The entity as it stands in a cell: without article, with a capital."""
    for article in ("the ", "an ", "a "):
        entity = entity.removeprefix(article)
    return entity[:1].upper() + entity[1:]


def sheet(names: Sequence[str], random: Random, *, answered: bool) -> Sheet:
    """A made-up table, list or record with a question that it answers, or one that it does not.

    `names` are proper names to fill rows with, now and then.
    """
    head, pool, attributes = random.choice(GROUPS[:-1] if len(names) < 8 else GROUPS)
    entities = random.sample(list(pool or names), min(random.randint(3, 8), len(pool or names) - 2))
    others = [entity for entity in (pool or names) if entity not in entities]
    columns = random.sample(list(attributes), min(random.choice((1, 2, 2, 3, 3, 4)), len(attributes) - 1))
    headers = [random.choice(column.headers) for column in columns]
    cells = [[column.value(random) for column in columns] for _ in entities]
    row, column = random.randrange(len(entities)), random.randrange(len(columns))
    asked, attribute, condition = entities[row], columns[column], ""
    if not answered:
        miss = random.random()
        if miss < 0.4:
            asked = random.choice(others)
        elif miss < 0.75:
            attribute = random.choice([other for other in attributes if other not in columns])
        else:
            condition = " " + random.choice(CONDITIONS)
    value = cells[row][column]
    question = random.choice(attribute.questions).format(e=asked).rstrip("?") + condition + "?"
    place: tuple[int, int] = (row, column)
    column_values = [line[column] for line in cells]
    if answered and random.random() < 0.15 and column_values.count(value) == 1:  # asked the other way round
        noun, header = head.lower(), headers[column].lower()
        question = random.choice(
            (
                f"Which {noun} has the {header} {value}?",
                f"For which {noun} is the {header} {value}?",
                f"{value}: which {noun} is that?",
            )
        )
        place = (row, -1)
    text, span, header_row = _render(head, entities, headers, cells, place, random)
    caption = random.choice(("", *CAPTIONS)) if random.random() < 0.6 else ""
    heading = " › ".join(filter(None, (caption, header_row)))
    return Sheet(question, text, span if answered else None, heading, random.choice(("", *CAPTIONS)))


def _render(
    head: str,
    entities: Sequence[str],
    headers: Sequence[str],
    cells: Sequence[Sequence[str]],
    place: tuple[int, int],
    random: Random,
) -> tuple[str, CharSpan, str]:
    """The text, where the cell at `place` (row, column; -1: the entity) stands in it, and the header row above it."""
    row, column = place
    shape = random.random()
    lines: list[list[str]]  # each line in parts, the wanted one alone
    names = [bare(entity) for entity in entities]
    header_row = ""
    if shape < 0.6:  # a table
        left, between, right = random.choice((("", " | ", ""), ("", " | ", ""), ("| ", " | ", " |"), ("", "\t", "")))
        lines = []
        for number, name in enumerate(names):
            parts = [left]
            for at, cell in enumerate((name, *cells[number])):
                parts += [between] * bool(at) + [cell]
            lines.append([*parts, right])
        wanted = 1 + 2 * (column + 1)
        top = left + between.join((random.choice((head, head, "Name", "")), *headers)) + right
        if random.random() < 0.55:
            ruler = ["|" + "---|" * (1 + len(headers))] if left else []
            lines = [[top], *[[line] for line in ruler], *lines]
            row += 1 + len(ruler)
        else:
            header_row = top.strip()
        gap = "\n"
    elif shape < 0.85:  # a list
        mark, colon = random.choice(("- ", "* ", "• ", "")), random.choice((": ", " – ", ": ", ", "))
        lines = []
        for number, name in enumerate(names):
            parts = [mark, name]
            for at, cell in enumerate(cells[number]):
                label = f"{headers[at].lower()} " if len(headers) > 1 or random.random() < 0.3 else ""
                parts += [(", " if at else colon) + label, cell]
            lines.append([*parts, ""])
        wanted, gap = 1 + 2 * (column + 1), "\n"
        if random.random() < 0.5:
            lines = [[f"{headers[0]}:" if len(headers) == 1 else random.choice(CAPTIONS) + ":"], *lines]
            row += 1
    else:  # records
        lines, row_of = [], 0
        for number, name in enumerate(names):
            if number == row:
                row_of = len(lines)
            lines.append([f"{head}: ", name])
            lines += [[f"{header}: ", cell] for header, cell in zip(headers, cells[number], strict=True)]
        row, wanted, gap = row_of + column + 1, 1, "\n"
    before = gap.join("".join(line) for line in lines[:row])
    start = len(before) + len(gap) * bool(row) + len("".join(lines[row][:wanted]))
    return gap.join("".join(line) for line in lines), (start, start + len(lines[row][wanted])), header_row
