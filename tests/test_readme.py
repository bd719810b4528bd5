"""What the README says is true now: its commands print what it shows, its Python runs, its files and targets exist."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qa.assistant import Assistant
from qa.cli import main
from tests.commands import invoke
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def run(command: str, data: Path) -> subprocess.CompletedProcess[str]:
    words = re.sub(r"^qa-chat\b", f"{sys.executable} -m ui", command)
    words = re.sub(r"^qa\b", f"{sys.executable} -m qa", words)
    environment = {**os.environ, "QA_DATA_DIR": str(data), "COLUMNS": "80"}
    return subprocess.run(["sh", "-c", words], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)


def test_there_are_an_answer_and_a_refusal() -> None:
    assert len(CONSOLE) >= 2
    assert any("[1]" in block for block in CONSOLE)
    assert any("Refused (" in block for block in CONSOLE)


@pytest.mark.parametrize("block", CONSOLE)
def test_commands_print_what_is_shown(block: str, seeds: Assistant, tmp_path: Path) -> None:
    command, _, shown = block.removeprefix("$ ").partition("\n")
    program, *words = shlex.split(command)
    if program == "qa":
        printed = invoke(main, *words, QA_DATA_DIR=str(seeds.config.data_dir)).stdout
    else:
        printed = run(command, tmp_path).stdout
    assert printed.strip() == shown.strip()


def test_the_python_example_runs(seeds: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("QA_DATA_DIR", str(seeds.config.data_dir))
    names: dict[str, Any] = {}
    exec(code, names)
    with closing(names["assistant"]):
        assert names["answer"].status == "answered", names["answer"]
        assert "2023" in names["follow_up"].asked
        assert names["engine"].query("x")


def test_commands_and_targets_exist(tmp_path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) <= set(targets)
    known = run("qa --help", tmp_path).stdout
    for name in ("ask", "index", "documents", "check", "backup", "forget"):
        assert f"\n  {name} " in known
        assert f"`{name}`" in README or f"qa {name}" in README


def test_named_tests_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", README))
    assert len(named) > 15
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert named <= set(re.findall(r"def (test_\w+)", sources))


def test_named_files_exist() -> None:
    pictures = re.findall(r"\]\(([\w./-]+\.png)\)|src=\"([\w./-]+)\"", README)
    assert len(pictures) >= 6
    assert all((ROOT / (one or other)).is_file() for one, other in pictures)
    for name in re.findall(r"`([\w./-]+/[\w.-]+\.(?:md|py))`", README):
        assert (ROOT / name).is_file(), name


def test_help_is_one_screen(tmp_path: Path) -> None:
    for command in ("qa --help", "qa ask --help", "qa index --help", "qa backup --help"):
        done = run(command, tmp_path)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) <= 24
