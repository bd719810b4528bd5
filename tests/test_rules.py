"""The tests' own rules: in CI nothing is skipped, and what is slow has a quick form that every run has."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SLOW = "pytest.mark.slow"
SKIPPED = {
    "test_mark.py": "import pytest\n@pytest.mark.skip\ndef test_it(): pass\n",
    "test_condition.py": "import pytest\n@pytest.mark.skipif(True, reason='so')\ndef test_it(): pass\n",
    "test_call.py": "import pytest\ndef test_it(): pytest.skip('so')\n",
    "test_module.py": "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass\n",
}


@pytest.mark.parametrize(("ci", "told"), [("true", "1 failed, 1 passed, 3 errors"), ("", "1 passed, 4 skipped")])
def test_in_ci_a_skip_is_a_failure(tmp_path: Path, ci: str, told: str) -> None:
    for name, source in SKIPPED.items():
        (tmp_path / name).write_text(source)
    (tmp_path / "test_fine.py").write_text("def test_it(): pass\n")
    options = ["-p", "tests.skips", "--rootdir", str(tmp_path), "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert told in done.stdout


def is_slow(mark: ast.expr) -> bool:
    """Whether this decorator makes every form of its test slow, be it by all the parameters that it gives."""
    if not (isinstance(mark, ast.Call) and len(mark.args) > 1 and isinstance(mark.args[1], ast.List)):
        return ast.unparse(mark) == SLOW
    marks = [
        [one.value for one in value.keywords] if isinstance(value, ast.Call) else [] for value in mark.args[1].elts
    ]
    return all(SLOW in map(ast.unparse, some) for some in marks)


def without_quick_form(source: str) -> list[str]:
    """The tests of this source of which no form runs every day."""
    tests = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [test.name for test in tests if any(map(is_slow, test.decorator_list))]


def test_what_is_slow_has_a_quick_form() -> None:
    sources = {path.name: path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py")}
    assert sum(SLOW in source for name, source in sources.items() if name != Path(__file__).name) >= 5
    alone = {name for source in sources.values() for name in without_quick_form(source)}
    assert alone == {"TestStoreMachineLong"}, "beside TestStoreMachine, which is its quick form"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("@pytest.mark.slow\ndef test_it(): pass", ["test_it"]),
        ("@pytest.mark.parametrize('n', [pytest.param(9, marks=pytest.mark.slow)])\ndef test_it(n): pass", ["test_it"]),
        ("@pytest.mark.parametrize('n', [1, pytest.param(9, marks=pytest.mark.slow)])\ndef test_it(n): pass", []),
    ],
)
def test_a_test_without_a_quick_form_is_found(source: str, found: list[str]) -> None:
    assert without_quick_form(source) == found
