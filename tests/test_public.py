"""The contract that outside users and scripts rely on: names, fields and their values."""

import subprocess
import sys
import typing

import pytest
from pydantic import TypeAdapter, ValidationError

import qa
from qa.schema import Answer, Answered, Quote, Refused, Trace, TraceHit

QUOTE = ("text document title date page locator heading start end document_sha256 score before after also_at").split()
TRACE = (
    "hits threshold verdicts versions models store timings_ms skipped skipped_count question history documents".split()
)
BOTH = "status question asked text confidence trace".split()
REASONS = "empty_question no_documents nothing_relevant not_covered unsupported_request unverified".split()


def test_public_names() -> None:
    assert set(qa.__all__) == {"Answer", "Answered", "Assistant", "Config", "QAError", "Quote", "Refused", "Turn"}
    for name in qa.__all__:
        assert getattr(qa, name) is not None
    with pytest.raises(AttributeError):
        _ = qa.Nonsense


def test_fields_are_those_of_the_contract() -> None:
    assert set(Quote.model_fields) == set(QUOTE)
    assert set(Trace.model_fields) == set(TRACE)
    assert set(Answered.model_fields) == {*BOTH, "short_answer", "quotes", "conflicts", "not_covered"}
    assert set(Refused.model_fields) == {*BOTH, "reason", "nearest"}
    assert set(typing.get_args(Refused.model_fields["reason"].annotation)) == set(REASONS)
    assert {"document", "start", "end", "scores"} <= set(TraceHit.model_fields)


def test_types_are_frozen_and_closed(seeds: qa.Assistant) -> None:
    answer = seeds.ask("How many people came home in 2024?")
    with pytest.raises(ValidationError):
        answer.text = "something else"  # type: ignore[misc]
    data = answer.model_dump(mode="json")
    assert TypeAdapter(Answer).validate_python(data).model_dump(mode="json") == data
    with pytest.raises(ValidationError):
        TypeAdapter(Answer).validate_python({**data, "surprise": 1})
    with pytest.raises(ValidationError):
        TypeAdapter(Answer).validate_python({**data, "status": "maybe"})


def test_importing_the_package_is_cheap() -> None:
    """`import qa` and `qa --help` must not pay for LlamaIndex, Chroma, ONNX Runtime or Gradio."""
    heavy = ("llama_index", "chromadb", "onnxruntime", "gradio", "lxml")
    code = f"import sys, qa, qa.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
