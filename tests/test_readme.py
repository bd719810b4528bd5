"""The documents are true: what they show is printed, their Python runs, and the commands and files they name exist."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from eval.__main__ import main as qa_eval
from eval.exams.record import Baseline
from eval.exams.results import kinds_table
from qa.cli import main as qa
from tests.conftest import ROOT
from ui.__main__ import main as qa_chat

PATHS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not path.relative_to(ROOT).as_posix().startswith((".", "seeds/", "eval/handbook/", "tests/golden/"))
)
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in PATHS}
README = TEXTS["README.md"]
MAX_README_LINES = 150
PROGRAMS: dict[str, click.Command] = {"qa": qa, "qa-chat": qa_chat, "qa-eval": qa_eval}


class Block(NamedTuple):
    """A fenced block of a document."""

    document: str
    language: str
    text: str


BLOCKS = [
    Block(name, *found)
    for name, text in TEXTS.items()
    for found in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
]
CONSOLE = [block for block in BLOCKS if block.language == "console"]
PYTHON = [block for block in BLOCKS if block.language == "python"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """(document, words) of each command that a document names: in a fenced block, an indented line or `code`."""
    for name, text in TEXTS.items():
        without_fences = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        code = [block.text for block in BLOCKS if block.document == name and block.language in ("", "console")]
        code += re.findall(r"^    (\S.*)", without_fences, re.M)
        code += [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", without_fences)]
        for line in "\n".join(code).splitlines():
            line = re.split(r"\s#\s|…", line.removeprefix("$ ").removeprefix(".venv/bin/"))[0]
            if line.split() and line.split()[0] in (*PROGRAMS, "make", "python", "python3", "pytest"):
                yield name, shlex.split(line.replace("[", "").replace("]", ""))


def run(command: str, data: Path) -> subprocess.CompletedProcess[str]:
    words = re.sub(r"^qa-chat\b", f"{sys.executable} -m ui", command)
    words = re.sub(r"^qa\b", f"{sys.executable} -m qa", words)
    environment = {**os.environ, "QA_DATA_DIR": str(data), "COLUMNS": "80"}
    return subprocess.run(["sh", "-c", words], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= MAX_README_LINES


def test_there_are_an_answer_and_a_refusal() -> None:
    shown = [block.text for block in CONSOLE if block.document == "README.md"]
    assert len(shown) >= 2
    assert any("[1]" in text for text in shown)
    assert any("Refused (" in text for text in shown)


@pytest.mark.parametrize("block", CONSOLE, ids=lambda block: f"{block.document}: {block.text.splitlines()[0]}")
def test_commands_print_what_is_shown(block: Block, tmp_path: Path) -> None:
    command, _, shown = block.text.removeprefix("$ ").partition("\n")
    assert run(command, tmp_path).stdout.strip() == shown.strip()


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"{block.document}: {block.text.splitlines()[0]}")
def test_the_python_examples_run(block: Block, tmp_path: Path) -> None:
    code = block.text
    if block.document == "README.md":
        code += "assert answer.status == 'answered', answer; assert '2023' in follow_up.asked; engine.query('x')"
    environment = {**os.environ, "QA_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_there_is_a_python_example() -> None:
    assert "README.md" in {block.document for block in PYTHON}


def test_named_commands_and_their_options_exist() -> None:
    found = list(commands())
    assert {words[0] for _, words in found} >= {"qa", "qa-chat", "qa-eval", "make", "python"}
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    wrong = [f"{name}: {' '.join(words)}: {fault}" for name, words in found if (fault := mistake(words, targets))]
    assert not wrong


def mistake(words: list[str], targets: list[str]) -> str | None:
    """What a command names that does not exist: a make target, a module, a subcommand or an option."""
    program, *rest = words
    if program == "make":
        unknown = [word for word in rest[:1] if word not in targets and "=" not in word]
        return f"no target {unknown[0]}" if unknown else None
    if program in ("python", "python3"):
        module = rest[1] if rest[:1] == ["-m"] and len(rest) > 1 else None
        return f"no module {module}" if module and importlib.util.find_spec(module) is None else None
    if program not in PROGRAMS:
        return None
    command = PROGRAMS[program]
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    unknown = [word for word in rest if word.startswith("-") and word != "-" and word.split("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize(
    "command", ["make nothing", "python -m qa.nothing", "qa nothing", "qa ask --nothing", "qa-eval run x --nothing"]
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    assert mistake(command.split(), ["test"])


def test_every_command_of_qa_is_named() -> None:
    for name in qa.commands:
        assert f"`{name}`" in README or f"qa {name}" in README, name


def test_named_tests_exist() -> None:
    named = {name for text in TEXTS.values() for name in re.findall(r"`(test_\w+)`", text)}
    assert len(named) > 15
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert named <= set(re.findall(r"def (test_\w+)", sources))


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_and_pictures_resolve() -> None:
    pictures = 0
    for name, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
            link = "".join(target)
            if link.startswith(("https://", "http://")):
                continue
            path, _, anchor = link.partition("#")
            file = (ROOT / name).parent / path if path else ROOT / name
            assert file.is_file(), f"{name}: {link}"
            assert not anchor or anchor in anchors(file.read_text("utf-8")), f"{name}: {link}"
            pictures += file.suffix == ".png"
    assert pictures >= 6


def test_named_files_exist() -> None:
    """A path in backticks is of the checkout, or stands beside the document that names it."""
    for name, text in TEXTS.items():
        for path in re.findall(r"`([\w./-]+/[\w.-]+\.(?:md|py|json|png))`", text):
            written = path.startswith((".eval/", "RUN"))  # by a command
            assert written or (ROOT / path).is_file() or (ROOT / name).parent.joinpath(path).is_file(), (
                f"{name}: {path}"
            )


def test_every_readme_is_linked_from_the_front_page() -> None:
    linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", README))
    assert set(TEXTS) - {"README.md"} <= linked


def test_the_figures_of_the_exams_are_those_of_the_baseline() -> None:
    verdicts = Baseline.model_validate(json.loads((ROOT / "eval/baseline.json").read_text("utf-8"))).verdicts
    assert kinds_table(verdicts) in TEXTS["eval/RESULTS.md"]

    def share(exam: str, answerable: bool) -> str:
        right = [one.right for one in verdicts if one.exam == exam and one.answerable is answerable]
        return f"{sum(right) / len(right):.2f} ({sum(right)} of {len(right)})"

    for exam in ("seeds", "handbook"):
        yes, no = share(exam, True), share(exam, False)
        assert f"answerable answered right {yes}, not answerable refused {no}" in README
    for kind, told in (("conversation", "follow-up questions ({}"), ("fact", "other words than the document's ({}")):
        right = [one.right for one in verdicts if (one.exam, one.kind, one.answerable) == ("handbook", kind, True)]
        assert told.format(f"{sum(right)} of {len(right)}") in " ".join(README.split())
    near_misses = [one.right for one in verdicts if one.kind == "near_miss"]
    lost = len(near_misses) - sum(near_misses)
    assert f"Of {len(near_misses)} questions that the documents nearly answer, it answers {lost}" in README
    (row,) = re.findall(r"^\| correct / incorrect / not attempted \|(.*)\|$", TEXTS["eval/RESULTS.md"], re.M)
    correct, incorrect, refused = (
        sum(map(int, column)) for column in zip(*(cell.split(" / ") for cell in row.split("|")), strict=True)
    )
    assert correct == sum(one.right for one in verdicts if one.answerable)
    told = f"Of the {correct + incorrect + refused} answerable cases of both exams it answers {correct} right, refuses"
    assert f"{told} {refused} and answers {incorrect} wrongly" in " ".join(README.split())


def test_help_is_one_screen(tmp_path: Path) -> None:
    for command in ("qa --help", "qa ask --help", "qa index --help", "qa backup --help"):
        done = run(command, tmp_path)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) <= 24
