"""The architecture: each stage imports only earlier ones, and only the named file imports each heavy library."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

STAGES = (
    "schema errors config text words language dates rows formats documents chunks embed store"
    " indexing following uploads check conversation search reader decide conflicts short answers quotes wording"
    " engine assistant terminal cli __main__"
).split()
OWNERS = {
    "chromadb": "qa/store/vectors.py eval/load/plain.py",
    "gradio": "ui/",
    "sqlite3": "qa/store/ qa/assistant.py",
    "onnxruntime": "qa/embed.py",
    "docx": "qa/formats/docx.py",
    "pptx": "qa/formats/pptx.py",
    "openpyxl": "qa/formats/xlsx.py",
    "pypdfium2": "qa/formats/pdf_pages.py",
}
TOOLS = "eval/training/"  # training and export stand outside the pipeline


def imports(source: str) -> Iterator[str]:
    """Dotted names of all modules that the source imports when it runs, TYPE_CHECKING blocks left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` (relative to the checkout) may not import."""
    found = []
    if path.startswith(TOOLS):
        return found
    package, *rest = Path(path).with_suffix("").parts
    own = STAGES.index(rest[0]) if package == "qa" and rest[0] in STAGES else len(STAGES)
    for name in imports(source):
        first, *deeper = name.split(".")
        if package == "qa" and first in ("ui", "eval"):
            found.append(f"{path} imports {name}")
        if package == "qa" and first == "qa" and deeper and deeper[0] in STAGES and STAGES.index(deeper[0]) > own:
            found.append(f"{path} imports {name}, a later stage")
        if first in OWNERS and not path.startswith(tuple(OWNERS[first].split())):
            found.append(f"{path} imports {first}")
    return found


def test_imports_go_one_way() -> None:
    files = [path for folder in ("qa", "ui", "eval") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 20
    found = [one for path in files for one in violations(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))]
    assert not found


def test_every_stage_is_in_the_order() -> None:
    names = {path.stem if path.suffix else path.name for path in (ROOT / "qa").iterdir() if path.suffix in (".py", "")}
    assert names - {"__init__", "__pycache__", "models"} == set(STAGES)


def test_readers_import_their_libraries_late() -> None:
    code = (
        "import sys, qa.formats; print(sorted({'docx', 'pptx', 'openpyxl', 'pypdfium2', 'lxml'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("qa/chunks.py", "from qa.store.local import Library"),
        ("qa/chunks.py", "from qa import indexing"),
        ("qa/schema.py", "def late():\n    import qa.cli"),
        ("qa/assistant.py", "from ui.render import render_answer"),
        ("qa/decide.py", "import eval.metrics"),
        ("qa/search.py", "import chromadb"),
        ("qa/cli.py", "import gradio as gr"),
        ("qa/quotes.py", "import sqlite3"),
        ("qa/formats/pdf.py", "import pypdfium2"),
        ("qa/formats/web.py", "from qa.documents import decode"),
    ],
)
def test_planted_violations_are_found(path: str, source: str) -> None:
    assert violations(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("qa/cli.py", "from qa.assistant import Assistant"),
        ("ui/app.py", "import gradio\nfrom qa.schema import Turn"),
        ("qa/engine.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from qa.assistant import Assistant"),
    ],
)
def test_planted_right_ones_pass(path: str, source: str) -> None:
    assert not violations(path, source)
