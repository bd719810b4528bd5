"""A model's folder changes whole, or not at all: laws of `eval.training.swap`, and of the card's section."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eval.training import card
from eval.training.place import place, verify
from eval.training.swap import check_sums, recover, replacing, write_sums
from qa.errors import ModelError
from qa.reader.packaged import FILES, MODEL
from tests.conftest import ROOT


def folder_of(place: Path, text: str) -> Path:
    place.mkdir(parents=True)
    (place / "a.txt").write_text(text)
    (place / "README.md").write_text("the card")
    write_sums(place, ["a.txt"])
    return place


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def test_a_folder_is_replaced_whole_and_keeps_its_other_files(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "old")
    with replacing(folder) as made:
        (made / "a.txt").write_text("new")
        assert (folder / "a.txt").read_text() == "old"
        write_sums(made, ["a.txt"])
    assert (folder / "a.txt").read_text() == "new"
    assert (folder / "README.md").read_text() == "the card"
    check_sums(folder, ["a.txt"])
    assert names(tmp_path) == {"model"}


def test_an_error_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "old")

    def half() -> None:
        with replacing(folder) as made:
            (made / "a.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    check_sums(folder, ["a.txt"])
    assert (folder / "a.txt").read_text() == "old"
    assert names(tmp_path) == {"model"}


def test_a_folder_that_did_not_exist_appears_whole(tmp_path: Path) -> None:
    with replacing(tmp_path / "new" / "model") as made:
        (made / "a.txt").write_text("new")
    assert names(tmp_path / "new" / "model") == {"a.txt"}


def test_a_killed_process_leaves_the_old_folder_and_the_next_one_clears_up(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "old")
    code = (
        "import pathlib, sys, time; from eval.training.swap import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as made:\n"
        "    (made / 'a.txt').write_text('half'); print('now', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    check_sums(folder, ["a.txt"])
    assert (folder / "a.txt").read_text() == "old"
    assert len(names(tmp_path)) == 2
    recover(folder)
    assert names(tmp_path) == {"model"}


def test_killed_between_its_two_renames_the_old_folder_gets_its_name_back(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "old")
    folder.rename(tmp_path / ".model.old")  # what such a process leaves
    folder_of(tmp_path / ".model.new-x", "new")
    recover(folder)
    check_sums(folder, ["a.txt"])
    assert (folder / "a.txt").read_text() == "old"
    assert names(tmp_path) == {"model"}


def test_damage_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", "old")
    (folder / "a.txt").write_text("other")
    with pytest.raises(ModelError, match=r"a\.txt differ"):
        check_sums(folder, ["a.txt"])
    with pytest.raises(ModelError, match="not a complete model"):
        check_sums(tmp_path, ["a.txt"])


def test_a_model_that_is_not_calibrated_is_not_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "calibration.json").write_text('{"slope": 1.0}')
    into = folder_of(tmp_path / "into", "old")
    with pytest.raises(ModelError, match="not calibrated"):
        place(tmp_path / "made", into)
    with pytest.raises(ModelError, match="not a complete model"):
        verify(tmp_path / "made")
    check_sums(into, ["a.txt"])


def test_the_section_replaces_the_marked_one_alone() -> None:
    made = f"{card.BEGIN}\n\nnew\n\n{card.END}"
    assert card.with_section(f"# Reader\n\n{card.BEGIN}\nold\n{card.END}\n\n## Data\n", made) == (
        f"# Reader\n\n{made}\n\n## Data\n"
    )
    assert card.with_section("# Reader\n", made) == f"# Reader\n\n{made}\n"
    with pytest.raises(ModelError, match="no line"):
        card.with_section(f"# Reader\n{card.BEGIN}\n", made)


def test_the_cards_figures_are_those_of_the_packaged_files() -> None:
    text = (MODEL / "README.md").read_text("utf-8")
    _, _, rest = text.partition(card.BEGIN)
    written, end, _ = rest.partition(card.END)
    assert end
    assert card.files(MODEL) in written
    assert card.calibration(MODEL) in written
    check_sums(MODEL, FILES)
