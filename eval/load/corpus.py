"""Makes text to measure with, from a seed: any number of documents, each with one planted fact. Pure.

Words follow a Zipf-like law (the word of rank r has the weight 1 / (r + 8)): a few words stand in most passages, most
words in few passages. Document n is the same in a collection of any size, so a larger collection contains a smaller
one. All statements and names are made up.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SEED = 1
SECTIONS = (2, 3, 4)  # how many sections a document has; each number is equally frequent
CHUNKS_A_DOCUMENT = 4.22  # on average: a section becomes one passage, often two
FOLDER_DOCUMENTS = 1000

_NOUNS = (
    "report council harbour river bridge road winter station market garden school letter engine company museum tower"
    " village forest captain keeper teacher farmer printer painter doctor sailor lawyer builder baker miner member"
    " visitor owner leader founder worker student writer singer player signal lantern ferry tunnel canal railway mill"
    " quarry orchard meadow valley island cliff beach field fence gate wall roof window door floor stair kitchen cellar"
    " chapel abbey castle palace theatre library archive hospital prison bakery dairy brewery workshop factory store"
    " office court parliament treaty law rule contract licence permit tax budget loan grant prize medal record map"
    " chart plan model drawing portrait statue fountain clock bell organ violin trumpet drum song poem novel paper"
    " stamp coin banknote seal flag uniform helmet boot coat hat glove ring chain key lock hammer saw nail rope sail"
    " anchor mast rudder wheel axle brake lamp candle mirror lens camera compass telescope barometer thermometer pump"
    " valve pipe boiler turbine furnace chimney kiln oven barrel bottle crate basket sack wagon carriage cart sledge"
    " horse goat sheep cow pig hen goose swan heron eagle falcon salmon trout eel oyster bee beetle moth oak elm pine"
    " willow maple apple pear plum cherry berry root seed grain flour salt sugar spice tea wine storm flood drought"
    " frost tide wave current spring summer autumn season month week evening morning journey voyage visit election"
    " strike festival concert lesson lecture experiment survey excavation restoration shipment delivery repair"
).split()
_VERBS = (
    "opened closed rebuilt measured painted moved renamed repaired flooded sold bought leased described examined"
    " replaced restored extended crossed followed supplied served reached guarded inspected praised blamed approved"
    " rejected delayed financed insured surveyed photographed recorded catalogued copied lifted lowered heated cooled"
    " filled emptied loaded shipped counted weighed tested cleaned sealed buried found lost stored"
).split()
_ADJECTIVES = (
    "old new small large narrow wide northern southern eastern western wooden iron stone early late public private"
    " local royal former present upper lower main second third final first quiet busy heavy light deep steep dry wet"
    " cold warm bright dark rare common cheap costly modern ancient empty crowded famous forgotten temporary permanent"
).split()
_MONTHS = "January February March April May June July August September October November December".split()
_THINGS = "bridge lighthouse windmill library station tower market theatre ferry observatory".split()
_SYLLABLES = [
    onset + vowel + coda for onset in ("b", "d", "k", "m", "r", "t", "v", "s") for vowel in "aeiou" for coda in "ln"
]
_NAMES = len(_SYLLABLES) ** 3 * 8  # how many different names there are: three syllables and an ending
_ENDS = "a o i e ar or im us".split()
_TAIL_WORDS = 4000  # compounds of two nouns; they are rarer than all nouns

_FACTS = (  # statement, a question that it answers, a question that no document answers
    (
        "The {thing} of {name} cost {number} crowns to build.",
        "How many crowns did the {thing} of {name} cost to build?",
        "Which company insured the {thing} of {name}?",
    ),
    (
        "The {thing} of {name} was opened on {date}.",
        "When was the {thing} of {name} opened?",
        "How tall is the {thing} of {name}?",
    ),
    (
        "The {thing} of {name} is {number} metres long.",
        "How long is the {thing} of {name}?",
        "Who painted the {thing} of {name}?",
    ),
    (
        "The {thing} of {name} was designed by {person}.",
        "Who designed the {thing} of {name}?",
        "How much does a ticket to the {thing} of {name} cost?",
    ),
)


@dataclass(frozen=True, slots=True)
class Page:
    """A made document with the fact that is planted in it."""

    name: str  # path in the folder
    text: str
    fact: str  # the planted sentence
    question: str  # a question that the fact answers
    unanswerable: str  # a question about the same thing that no document answers


@dataclass(frozen=True, slots=True)
class PlantedQuestion:
    """A question with the fact that answers it; `document` and `fact` are None when no document answers it."""

    question: str
    document: str | None
    fact: str | None


def documents_for(chunks: int) -> int:
    """How many documents have about so many chunks in total; at least one."""
    return max(1, round(chunks / CHUNKS_A_DOCUMENT))


def page(number: int, seed: int = SEED) -> Page:
    """Document `number`, counted from 0. Equal arguments always give the same document."""
    if not 0 <= number < _NAMES:
        raise ValueError(f"there are {_NAMES:,} documents, no number {number}")
    rng = _rng(f"{seed}/{number}")
    sections = rng.choice(SECTIONS)
    with_fact = rng.randrange(sections)
    statement, question, unanswerable = rng.choice(_FACTS)
    filled = {"thing": rng.choice(_THINGS), "name": _name(number), "number": f"{rng.randrange(1000, 99999):,}"}
    filled |= {"date": _date(rng), "person": f"{_name(rng.randrange(_NAMES))} {_name(rng.randrange(_NAMES))}"}
    fact = statement.format(**filled)
    parts = [f"# {_title(rng)}"]
    for section in range(sections):
        parts += [f"## {_title(rng)}", _paragraph(rng, fact if section == with_fact else None)]
        if rng.random() < 0.15:
            parts.append("\n".join(f"- {_date(rng)}: {' '.join(_nouns(rng, 2))}, {_number(rng)}" for _ in range(3)))
    name = f"{number // FOLDER_DOCUMENTS:03}/{number:06}-{_name(number).lower()}.md"
    return Page(name, "\n\n".join(parts) + "\n", fact, question.format(**filled), unanswerable.format(**filled))


def write(folder: Path, documents: int, seed: int = SEED) -> None:
    """Write documents 0 … documents - 1 into subfolders of the folder, FOLDER_DOCUMENTS in each."""
    for number in range(documents):
        made = page(number, seed)
        path = folder / made.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.text.encode())


def questions(documents: int, count: int, seed: int = SEED) -> list[PlantedQuestion]:
    """`count` questions about documents drawn at random, in turn answered by a planted fact and unanswerable."""
    rng = _rng(f"questions {seed}")
    pages = (page(rng.randrange(documents), seed) for _ in range(count))
    return [
        PlantedQuestion(drawn.unanswerable, None, None)
        if number % 2
        else PlantedQuestion(drawn.question, drawn.name, drawn.fact)
        for number, drawn in enumerate(pages)
    ]


def common_question(number: int) -> str:
    """A question made of the most frequent words only."""
    a, b, c, d = _rng(f"common {number}").sample(_NOUNS[:12], 4)
    return f"Which {a} of the {b} and the {c} was in the {d}?"


def long_question(number: int, words: int) -> str:
    """A question with exactly so many words."""
    rng = _rng(f"long {number}")
    sentences = (word for _ in itertools.count() for word in _sentence(rng).split())
    return " ".join(itertools.islice(sentences, words)).rstrip(".,;:") + "?"


def _rng(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311  # measurements, not secrets


@cache
def _vocabulary() -> tuple[Sequence[str], Sequence[float]]:
    """All nouns, the most frequent first, and their cumulative weights."""
    rng = _rng("vocabulary")
    tail = list(dict.fromkeys("".join(rng.sample(_NOUNS, 2)) for _ in range(_TAIL_WORDS)))
    words = [*_NOUNS, *tail]
    return words, list(itertools.accumulate(1 / (rank + 8) for rank in range(1, len(words) + 1)))


def _nouns(rng: random.Random, count: int) -> list[str]:
    words, weights = _vocabulary()
    return rng.choices(words, cum_weights=weights, k=count)


def _name(number: int) -> str:
    """A name for each number below _NAMES. No two are equal, and the names of neighbouring numbers are not similar."""
    number = number * 7919 % _NAMES
    number, end = divmod(number, len(_ENDS))
    number, third = divmod(number, len(_SYLLABLES))
    first, second = divmod(number, len(_SYLLABLES))
    return (_SYLLABLES[first] + _SYLLABLES[second] + _SYLLABLES[third] + _ENDS[end]).capitalize()


def _title(rng: random.Random) -> str:
    noun, other = _nouns(rng, 2)
    return f"The {rng.choice(_ADJECTIVES)} {noun} and the {other}"


def _date(rng: random.Random) -> str:
    return f"{rng.randrange(1, 29)} {rng.choice(_MONTHS)} {rng.randrange(1800, 2020)}"


def _number(rng: random.Random) -> str:
    """A number as text; small numbers are more frequent, as in real texts."""
    return f"{round(10 ** rng.uniform(0.4, 5)):,}"


def _paragraph(rng: random.Random, fact: str | None) -> str:
    sentences = list(_sentences(rng, rng.randrange(34, 54)))
    if fact:
        sentences.insert(rng.randrange(len(sentences) + 1), fact)
    return " ".join(sentences)


def _sentences(rng: random.Random, words: int) -> Iterator[str]:
    while words > 0:
        sentence = _sentence(rng)
        words -= len(sentence.split())
        yield sentence


def _sentence(rng: random.Random) -> str:
    a, b, c, d = _nouns(rng, 4)
    adjective, other = rng.choice(_ADJECTIVES), rng.choice(_ADJECTIVES)
    verb, passive = rng.choice(_VERBS), rng.choice(_VERBS)
    kind = rng.randrange(8)
    if kind == 0:
        return f"The {adjective} {a} {verb} the {b}."
    if kind == 1:
        return f"On {_date(rng)} the {a} of the {b} was {passive}, and the {other} {c} was {verb} with it."
    if kind == 2:
        place, person = _name(rng.randrange(_NAMES)), _name(rng.randrange(_NAMES))
        return f"{person} of {place} wrote that the {a} was {adjective}, although the {b} had been {passive}."
    if kind == 3:
        return f"About {_number(rng)} people saw the {a}; most of them came by the {adjective} {b}."
    if kind == 4:
        return f"It was not {passive} until {rng.randrange(1800, 2020)}, when the {a} and the {b} {verb} a {other} {c}."
    if kind == 5:
        return f"The {a}, which stands between the {b} and the {adjective} {c}, was {passive} by the {d}."
    if kind == 6:
        return f"Of {_number(rng)} {a} records, {rng.randrange(2, 99)} per cent name the {b} that {verb} the {c}."
    return f"Who {verb} the {adjective} {a} is unknown, but its {b} is in the {c}."
