"""The versions that a store's content depends on: of its tables, of reading, of cutting and of embedding.

They are kept apart, so that a new version of one repeats only what depends on it (`qa.indexing`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from qa import chunks, embed
from qa.config import PACKAGED
from qa.documents import reading_versions
from qa.store.database import VERSION as TABLES
from qa.store.database import VERSION_NAMES as NAMES


def packaged_identity() -> str:
    """The identity of the packaged embedder: its weights."""
    return PACKAGED + embed.file_sha256(embed.MODEL / "model.onnx")


@dataclass(frozen=True, slots=True)
class Versions:
    """What a store was made with, or what this program makes stores with. `embedder` is the embedder's identity."""

    tables: str = TABLES
    reading: Mapping[str, str] = field(default_factory=reading_versions)  # by format
    cutting: str = chunks.VERSION
    embedding: str = embed.VERSION  # of the text that is embedded for a passage
    embedder: str = field(default_factory=packaged_identity)

    def rows(self) -> dict[str, str]:
        """The facts by which a store remembers them."""
        rows = {name: getattr(self, name) for name in NAMES}
        return rows | {"reading": json.dumps(dict(self.reading), sort_keys=True)}

    @classmethod
    def of(cls, rows: Mapping[str, str]) -> "Versions | None":
        """The versions of a store with these facts; None where they are not complete or not known."""
        if earlier := EARLIER.get(rows.get("fingerprint", "")):
            return earlier
        try:
            return cls(**{**{name: rows[name] for name in NAMES}, "reading": json.loads(rows["reading"])})
        except (KeyError, ValueError):
            return None

    def formats_read_otherwise(self, then: "Versions") -> list[str]:
        """The formats whose files a store of the versions `then` must read again."""
        return sorted(name for name, version in self.reading.items() if then.reading.get(name) != version)

    def is_of_another_embedder(self, then: "Versions") -> bool:
        """Whether another embedder, not an earlier version of the packaged one, made a store of the versions `then`."""
        packaged = self.embedder.startswith(PACKAGED) and then.embedder.startswith(PACKAGED)
        return self.embedder != then.embedder and not packaged

    def embeds_otherwise(self, then: "Versions") -> bool:
        """Whether a store of the versions `then` must embed all its passages again."""
        return (self.embedding, self.embedder) != (then.embedding, then.embedder)


EARLIER = {
    # One hash named all versions until 2026-12-01. The versions of reading were not recorded.
    "8ac5076ea14faf0c": Versions(
        "7", {}, "2", "2", f"{PACKAGED}6a1fec74658cf3ce8d3aebb31bd3cf5d0fe35542624f15a38b6265a3b1620d37"
    ),
}
