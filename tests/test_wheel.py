"""What users install: the wheel holds all that is needed at run time, and answers without the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, unpacked as an installer would."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "QA_DATA_DIR": str(cwd / "data")}
    command = [sys.executable, "-P", "-m", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, check=False)


def test_the_wheel_holds_what_it_should(installed: Path) -> None:
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    wanted = {f"qa/seeds/{path.name}" for path in (ROOT / "seeds").glob("*.txt")}
    for folder in ("qa/models", "eval/cases", "eval/handbook"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        wanted |= {path.relative_to(ROOT).as_posix() for path in files}
    assert len(wanted) > 25
    assert wanted <= names
    assert not [name for name in names if name.startswith(("tests/", "eval/training/"))]
    assert any(name.startswith("eval/exams/") for name in names)
    assert len({name.partition("/")[0] for name in names} - {"qa", "ui", "eval"}) == 1  # its metadata


def test_it_answers_from_the_packaged_seeds_anywhere(installed: Path, tmp_path: Path) -> None:
    asked = run(installed, tmp_path, "qa", "ask", "How many people came home in 2024?")
    assert asked.returncode == 0, asked.stderr
    assert "1,358" in asked.stdout


def test_it_knows_its_exams(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()  # a folder of that name that has nothing to do with it
    code = "import eval, json; from eval.exams.run import packaged_exams;"
    code += "print(json.dumps([eval.__file__, *(len(exam.cases) for exam in packaged_exams())]))"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=True)
    where, *counts = json.loads(done.stdout)
    assert Path(where).is_relative_to(installed)
    assert all(count > 100 for count in counts)
