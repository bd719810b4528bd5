"""What makes the start short. Nothing of it changes what the chat does."""

import gc
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

STUBS = "gradio.component_meta"
WRITES_STUBS = "create_or_modify_pyi"


@contextmanager
def quick() -> Iterator[None]:
    """For imports, and for building what stays to the end: no garbage is collected, no stub files are written."""
    finder = _WithoutStubs()
    sys.meta_path.insert(0, finder)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # all this stays; later collections need not look through it
        gc.enable()
        sys.meta_path.remove(finder)


class _WithoutStubs(MetaPathFinder):
    """Gradio, imported, parses its own source to write type stubs into its folder: half of the time it needs."""

    def __init__(self) -> None:
        self._inside = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != STUBS or self._inside:
            return None
        self._inside = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._inside = False
        loader = spec.loader if spec else None
        if loader is None:
            return spec
        execute = loader.exec_module

        def without(module: ModuleType) -> None:
            execute(module)
            if hasattr(module, WRITES_STUBS):
                setattr(module, WRITES_STUBS, _nothing)

        loader.exec_module = without  # type: ignore[method-assign]
        return spec


def _nothing(*_: object) -> None:
    pass
