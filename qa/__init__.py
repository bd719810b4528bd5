"""Answers from your documents, quoted word for word and cited, or a refusal that says why."""

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime reports its use to its maker from 1.29 on; only the environment stops that, and only before its import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from qa.config import Config
from qa.errors import QAError
from qa.schema import Answer, Answered, Quote, Refused, Turn

if TYPE_CHECKING:
    from qa.assistant import Assistant

__version__ = "0.1.0"
__all__ = ["Answer", "Answered", "Assistant", "Config", "QAError", "Quote", "Refused", "Turn"]


def __getattr__(name: str) -> Any:
    """`Assistant` late: it imports LlamaIndex, Chroma and ONNX Runtime, which take seconds."""
    if name == "Assistant":
        from qa.assistant import Assistant

        return Assistant
    raise AttributeError(f"module 'qa' has no attribute {name!r}")
