"""JSON of other versions → the types of this one. What this version does not know is kept aside, not lost."""

import copy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

VERSION = 2  # of a conversation's file: raise it when fields change, and add to `brought_up_to_date`
MAX_SKIPPED = 10  # skipped files in a trace

Data = dict[str, Any]
Unknown = tuple[tuple[tuple[str | int, ...], Any], ...]
"""(path of keys and indexes, value) of each field that this version does not have."""
M = TypeVar("M", bound=BaseModel)


def brought_up_to_date(data: Data) -> Data:
    """The data of an earlier version's conversation as this version writes it; later versions' data stay as they are.

    Raises KeyError or TypeError where the data are not a conversation.
    """
    if "version" in data:
        return data
    data = copy.deepcopy(data)
    for exchange in data["exchanges"]:
        trace = exchange["answer"]["trace"]
        found = {hit["document"] for hit in trace["hits"]}
        trace["skipped_count"] = len(trace["skipped"])  # version 1 listed all skipped files in each trace
        trace["skipped"] = [item for item in trace["skipped"] if item["path"] in found][:MAX_SKIPPED]
    return {"version": VERSION, **data}


def known_part(data: Data, model: type[M]) -> tuple[M, Unknown]:
    """The data as `model`, and the fields that it does not have; raises ValidationError for anything else."""
    unknown: list[tuple[tuple[str | int, ...], Any]] = []
    while True:
        try:
            return model.model_validate(data), tuple(unknown)
        except ValidationError as error:
            extra = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
            if not extra:  # other errors may follow from these, such as a list without valid items
                raise
            if not unknown:
                data = copy.deepcopy(data)
            unknown += [_taken_out(data, location) for location in extra]


def _taken_out(data: Data, location: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Any]:
    """Delete the field at this location; its path and its value. A location also names the members of unions."""
    *before, last = location
    path: list[str | int] = []
    at: Any = data
    for key in before:
        if isinstance(key, int) or key in at:
            at = at[key]
            path.append(key)
    return (*path, last), at.pop(last)


def put_back(data: Data, unknown: Unknown) -> Data:
    """The data with the unknown fields again."""
    for path, value in unknown:
        at: Any = data
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
    return data
