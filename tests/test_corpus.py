"""The made text: the same for the same seed, of the size that was asked for, with one planted fact in each document."""

from collections import Counter
from pathlib import Path

import pytest

from eval.load import corpus
from qa.chunks import split_document, split_sentences
from qa.documents import read_document
from qa.embed import token_ends
from qa.folder import File, list_files
from qa.words import content_words


def chunks_of(file: File) -> list[str]:
    document = read_document(file, max_file_mb=1)
    parts = split_document(document.text, split_sentences(document), token_ends, key="x")
    return [document.text[one.start : one.end] for one in parts]


def test_a_page_is_the_same_by_seed_and_in_a_collection_of_any_size(tmp_path: Path) -> None:
    assert corpus.page(7) == corpus.page(7)
    assert corpus.page(7) != corpus.page(7, seed=2)
    corpus.write(tmp_path / "small", 3)
    corpus.write(tmp_path / "large", 5)
    for file in list_files(tmp_path / "small")[0]:
        assert file.path.read_bytes() == (tmp_path / "large" / file.name).read_bytes()
    assert [file.name for file in list_files(tmp_path / "large")[0]] == [
        corpus.page(number).name for number in range(5)
    ]
    assert corpus.page(0).text.startswith("# The ")


def test_the_size_is_what_was_asked_for(tmp_path: Path) -> None:
    documents = corpus.documents_for(500)
    corpus.write(tmp_path, documents)
    files, skipped = list_files(tmp_path)
    assert (len(files), skipped) == (documents, [])
    assert sum(len(chunks_of(file)) for file in files) == pytest.approx(500, rel=0.1)
    assert corpus.documents_for(100_000) >= 20_000, "too few documents for a filter of so many"
    assert corpus.documents_for(0) == 1


def test_every_page_holds_its_fact_once_and_whole(tmp_path: Path) -> None:
    corpus.write(tmp_path, 60)
    for number, file in enumerate(list_files(tmp_path)[0]):
        page = corpus.page(number)
        assert file.path.read_text("utf-8").count(page.fact) == 1
        assert any(page.fact in chunk for chunk in chunks_of(file)), page.fact
        subject = page.fact.split(" was ")[0].split(" is ")[0].split(" cost ")[0].removeprefix("The ")
        assert subject in page.question
        assert subject in page.unanswerable
        assert page.question != page.unanswerable


def test_no_two_documents_are_about_the_same_thing() -> None:
    names = [corpus.page(number).name for number in range(0, 20_000, 7)]
    assert len({name.rsplit("-", 1)[1] for name in names}) == len(names)
    with pytest.raises(ValueError, match="no number -1"):
        corpus.page(-1)


def test_a_few_words_stand_in_many_pages_and_most_in_few() -> None:
    pages = 300
    stand_in = Counter(word for number in range(pages) for word in set(content_words(corpus.page(number).text)))
    counts = sorted(stand_in.values(), reverse=True)
    assert counts[10] > pages / 3
    assert sum(count <= 3 for count in counts) > len(counts) / 2


def test_half_of_the_questions_have_an_answer() -> None:
    asked = corpus.questions(50, 20)
    assert asked == corpus.questions(50, 20)
    assert [one.fact is None for one in asked] == [False, True] * 10
    pages = {corpus.page(number).name: corpus.page(number) for number in range(50)}
    assert all(one.fact == pages[one.document].fact for one in asked if one.document)
    assert len({one.question for one in asked}) > 10


def test_the_long_and_the_common_question() -> None:
    assert len(corpus.long_question(1, 3000).split()) == 3000
    assert corpus.long_question(1, 50) != corpus.long_question(2, 50)
    common = set(corpus._NOUNS[:12])
    assert all(len(common & set(corpus.common_question(number).rstrip("?").split())) == 4 for number in range(9))
