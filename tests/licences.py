"""`python -m tests.licences`: every installed run-time dependency with its licence; fails for those of the GPL family.

Documents are read, and weights run, by other people's code. Permissive licences only, and the weaker copyleft of a
library or a file (LGPL, MPL), which asks nothing of a program that uses it.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement

from tests.conftest import ROOT

GPL = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public|Affero", re.IGNORECASE)


def required() -> list[Requirement]:
    """What the package itself asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(line) for line in project["dependencies"]]


def installed(requirements: Iterable[Requirement]) -> dict[str, Distribution]:
    """All that is installed for these requirements, theirs included, by name."""
    found: dict[str, Distribution] = {}
    waiting = list(requirements)
    while waiting:
        one = waiting.pop()
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        if name in found or not _applies(one, ""):
            continue
        try:
            found[name] = distribution(one.name)
        except PackageNotFoundError:  # of another platform, or an alternative
            continue
        theirs = [Requirement(line) for line in found[name].requires or ()]
        waiting += [each for each in theirs if any(_applies(each, extra) for extra in ("", *one.extras))]
    return found


def _applies(one: Requirement, extra: str) -> bool:
    return one.marker is None or one.marker.evaluate({"extra": extra})


def licence(metadata: Any) -> str:
    """What a package says of its licence, on one line; empty where it says nothing."""
    classifiers = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if line.startswith("License ::")
    ]
    said = metadata.get("License-Expression") or "; ".join(classifiers) or metadata.get("License") or ""
    return " ".join(said.split())[:80]


def is_fit(said: str) -> bool:
    """Whether a licence asks nothing of a program that uses it: of several to choose from, one is enough."""
    return any(choice.strip(" ()") and not GPL.search(choice) for choice in re.split(r"\bOR\b", said))


def lines() -> Iterator[tuple[str, str, str]]:
    """(name, version, licence) of every run-time dependency, in order."""
    for name, found in sorted(installed(required()).items()):
        yield name, found.version, licence(found.metadata)


def main() -> int:
    unfit = 0
    for name, version, said in lines():
        unfit += not is_fit(said)
        print(f"{name:40} {version:16} {said or 'says no licence'}{'' if is_fit(said) else '   <- not fit'}")
    return 1 if unfit else 0


if __name__ == "__main__":
    sys.exit(main())
