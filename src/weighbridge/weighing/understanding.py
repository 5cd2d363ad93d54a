"""Replaces what people write for the entries of a closed list by their keys, and says so.

    "recycled aluminium" → aluminium_recycled

A word that may mean several entries, or none, stays as it is: the step refuses it, with what it may
be meant for. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from weighbridge.weighing.near_matches import find_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weighbridge.domain.corrections import Change
    from weighbridge.steps.registered import Steps

NAMED_BY: Final = ("material", "process")
"""The fields of an object whose values are chosen from a closed list."""


def in_keys(changes: Sequence[Change], steps: Steps) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The changes with keys instead of names, and a sentence on each word that was replaced."""
    choices = {step.name: step.choices for step in steps}
    made: list[Change] = []
    taken: dict[str, str] = {}
    for change in changes:
        names = choices[change.step](change.path) if change.step in choices else {}
        value = _in_keys(change.value, names, taken) if names else change.value
        made.append(change if value is change.value else replace(change, value=value))
    return tuple(made), said_of(taken)


def said_of(taken: Mapping[str, str]) -> tuple[str, ...]:
    """The sentence on each word (`taken`: word → key) that was replaced by a key."""
    return tuple(f'"{text}" was taken as {key}.' for text, key in taken.items())


def words_of(value: Any) -> list[str]:
    """The words in a value that may be chosen from a closed list: the value itself, or those in its
    entries.
    """
    entries = value if isinstance(value, list) else [value]
    words = (
        next((entry[name] for name in NAMED_BY if name in entry), None)
        if isinstance(entry, dict)
        else entry
        for entry in entries
    )
    return [word for word in words if isinstance(word, str)]


def _in_keys(value: Any, names: Mapping[str, str], taken: dict[str, str]) -> Any:
    """The value with keys instead of names, which are noted in `taken`; the same object where
    nothing is replaced.
    """
    if isinstance(value, str):
        return _key(value, names, taken)
    if isinstance(value, list):
        found = [_in_keys(entry, names, taken) for entry in value]
        return value if _is_same(found, value) else found
    if isinstance(value, dict):
        named = next((name for name in NAMED_BY if isinstance(value.get(name), str)), None)
        if named is None:
            return value
        key = _key(value[named], names, taken)
        return value if key == value[named] else {**value, named: key}
    return value


def _is_same(found: Iterable[Any], value: Iterable[Any]) -> bool:
    """Whether both have the same objects, in the same order."""
    return all(one is other for one, other in zip(found, value, strict=True))


def _key(text: str, names: Mapping[str, str], taken: dict[str, str]) -> str:
    """The key that a text means, noted in `taken`; the text itself where it is a key already, or
    does not mean exactly one.
    """
    key = find_key(text, names)
    if key is None or key == text:
        return text
    taken[text] = key
    return key
