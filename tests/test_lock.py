"""What is installed is what the lock file names, and the lock file allows what pyproject.toml asks for."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

NAME = "qa-quotes"
EXTRAS = ("dev", "mcp", "report")  # what is locked; `train` is installed by hand
LOCK = ROOT / "requirements.lock"


def locked(text: str) -> dict[str, str]:
    """Package → version, of the lines that count on this Python and system."""
    lines = [Requirement(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    here = [one for one in lines if not one.marker or one.marker.evaluate()]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in here}


def installed(root: str = NAME, extras: tuple[str, ...] = EXTRAS) -> dict[str, str]:
    """Package → version, of all that the project needs here, directly or not, and that is installed."""
    found: dict[str, str] = {}
    open_ends = [(root, ("", *extras))]
    seen = set()
    while open_ends:
        name, wanted = open_ends.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        for one in map(Requirement, distribution.requires or ()):
            if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in wanted):
                open_ends.append((canonicalize_name(one.name), ("", *sorted(one.extras))))
    found.pop(root, None)
    return found


def differences(lock: dict[str, str], here: dict[str, str]) -> list[str]:
    """What is installed in another version than the lock names, or is not named by it; each with what mends it."""
    return [
        f"{name} {version} is installed, but not in {LOCK.name}: `make lock` adds it"
        if name not in lock
        else f"{name} {version} is installed, {LOCK.name} names {lock[name]}: `make install-dev` installs that"
        for name, version in sorted(here.items())
        if lock.get(name) != version
    ]


def declared() -> Iterator[Requirement]:
    """The requirements of pyproject.toml that are locked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    yield from map(Requirement, [*project["dependencies"], *extras])


def test_what_is_installed_is_what_the_lock_names() -> None:
    here = installed()
    assert {"gradio", "chromadb", "llama-index-core", "starlette"} <= here.keys()
    assert differences(locked(LOCK.read_text("utf-8")), here) == []


def test_the_lock_allows_what_pyproject_asks_for() -> None:
    lock = locked(LOCK.read_text("utf-8"))
    wrong = [
        f"{one} is not what {LOCK.name} holds ({lock.get(canonicalize_name(one.name))}); run `make lock`"
        for one in declared()
        if not one.specifier.contains(lock.get(canonicalize_name(one.name), "0"))
    ]
    assert not wrong


def test_differences_are_found_and_say_what_mends_them() -> None:
    lock = locked("# a comment\nGradio==6.31.0\nother==2 ; python_version < '3'\nsame.one==1\n")
    assert lock == {"gradio": "6.31.0", "same-one": "1"}
    here = {"gradio": "6.32.0", "same-one": "1", "new": "3"}
    assert differences(lock, here) == [
        "gradio 6.32.0 is installed, requirements.lock names 6.31.0: `make install-dev` installs that",
        "new 3 is installed, but not in requirements.lock: `make lock` adds it",
    ]


@pytest.mark.parametrize(
    ("package", "untested"),
    [
        ("gradio", "7.0.0"),
        ("chromadb", "2.0.0"),
        ("llama-index-core", "0.15.0"),
        ("llama-index-vector-stores-chroma", "0.7.0"),
    ],
)
def test_versions_that_may_break_it_are_not_installed(package: str, untested: str) -> None:
    bounds = [one.specifier for one in declared() if one.name == package]
    assert bounds
    assert not any(one.contains(untested) for one in bounds)


def test_the_lock_names_versions_only() -> None:
    """No address of a registry, no path, no option: what installs it decides where from."""
    lines = [line for line in LOCK.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+(?:\[[a-z,]+\])?==[^\s;/]+(?: ; [^/@]+)?", line) for line in lines)
    assert all(f"{name}==" in "\n".join(lines) for name in ("audioop-lts", "pywin32")), "for each Python and system"
