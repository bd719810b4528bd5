"""The architecture: import-linter's contracts (pyproject.toml) hold, and planted violations break them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLANTED = {  # module → line, and the contract that it breaks
    "qa/chunks.py": ("from qa.store.local import Library", "A stage imports only earlier stages"),
    "qa/decide.py": ("def late():\n    import eval.metrics", "qa imports neither page nor evaluation"),
    "qa/search.py": ("import chromadb", "Only the vector store imports chromadb"),
    "qa/quotes.py": ("import sqlite3", "Only the modules named here import sqlite3"),
    "qa/formats/pdf.py": ("import pypdfium2", "Only the modules named here import pypdfium2"),
    "ui/render.py": ("from eval.exams import report", "The page does not import the evaluation"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the packages in this folder."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", "pyproject.toml"]
    env = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


def test_a_planted_import_breaks_its_contract(tmp_path: Path) -> None:
    for package in ("qa", "ui", "eval"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.bin", "*.onnx", "*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, (line, _) in PLANTED.items():
        with (tmp_path / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    for _, contract in PLANTED.values():
        assert f"{contract} BROKEN" in said, contract


@pytest.mark.parametrize(
    ("module", "late"),
    [
        ("qa.formats", "docx pptx openpyxl pypdfium2 lxml"),
        ("qa.store.disk", "qa.formats chromadb"),
        ("qa.store.locks", "qa.formats chromadb"),
        ("qa.assistant", "gradio torch qa.llamaindex"),
    ],
)
def test_heavy_modules_are_imported_late(module: str, late: str) -> None:
    code = f"import sys, {module}; print(sorted(set({late.split()}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
