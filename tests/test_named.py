"""Documents and sections that a question names, and look-alikes that name none."""

import pytest

from qa.named import Source, names_document, section_asked, stands_in_section, without_source

SOURCES = [
    Source("2023/fees.txt", "FEES OF THE MARINA - TARIFF SHEET"),
    Source("2024/fees.txt", "FEES OF THE MARINA - TARIFF SHEET"),
    Source("mill.md", "Rules of the old mill house"),
    Source("barn.md", "Water"),
    Source("notes/orchard plan.txt", "Orchard"),
]
NAMED = [
    ("According to mill.md, who has the key?", ["mill.md"], "who has the key?"),
    ("Who has the key according to the document mill?", ["mill.md"], "Who has the key?"),
    ("Who has the key in the file barn.md?", ["barn.md"], "Who has the key?"),
    ("What does a berth cost in the 2024 tariff sheet?", ["2024/fees.txt"], "What does a berth cost?"),
    ("Who has the key according to the rules of the old mill house?", ["mill.md"], "Who has the key?"),
    ("When does the document barn.md say that water runs?", ["barn.md"], None),
    ("What is planted according to the orchard plan?", ["notes/orchard plan.txt"], "What is planted?"),
]
NOT_NAMED = [
    "Who has the key of the mill?",
    "How much water is in the tank?",
    "What is the water like in the barn?",
    "What did a berth cost in 2024?",
    "What did the 2024 regatta cost?",
    "How do I prune an orchard?",
    "Where are the notes kept?",
    "Is windmill.md a file?",
]


@pytest.mark.parametrize(("question", "paths", "rest"), NAMED)
def test_a_document_is_named(question: str, paths: list[str], rest: str | None) -> None:
    named = names_document(question, SOURCES)
    assert sorted(named) == paths
    assert rest is None or without_source(question, [one for one in SOURCES if one.path in named]) == rest


@pytest.mark.parametrize("question", NOT_NAMED)
def test_a_word_that_is_also_a_title_or_a_folder_names_nothing(question: str) -> None:
    assert not names_document(question, SOURCES)


def test_without_documents_nothing_is_named() -> None:
    assert names_document("According to mill.md, who has the key?", []) == frozenset()


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("What does section 2.1 say?", "2.1"),
        ("According to § 4, who votes?", "4"),
        ("What does clause 3.10.2 say about cats?", "3.10.2"),
        ("How many are 2.1 percent?", None),
        ("Do section 2 and section 3 differ?", None),
    ],
)
def test_the_section_that_is_asked_for(question: str, number: str | None) -> None:
    assert section_asked(question) == number


@pytest.mark.parametrize(
    ("headings", "number", "stands"),
    [
        ("House rules › 2.1 Guests", "2.1", True),
        ("House rules › 2.1. Guests", "2.1", True),
        ("House rules › 2 Guests › 2.1 Cats", "2", True),
        ("Section 2: Guests", "2", True),
        ("House rules › 2.10 Guests", "2.1", False),
        ("House rules › 12.1 Guests", "2.1", False),
        ("2025 in figures", "20", False),
        (None, "2", False),
    ],
)
def test_what_stands_in_a_section(headings: str | None, number: str, stands: bool) -> None:
    assert stands_in_section(headings, number) is stands


def test_a_question_to_a_section_is_put_to_what_stands_in_it() -> None:
    assert without_source("What does section 2.2 say about cats?", []) == "What about cats?"
    assert without_source("According to section 2.2, who may vote?", []) == "who may vote?"
    assert without_source("What does section 2.2 say?", []) == "What does section 2.2 say?"
