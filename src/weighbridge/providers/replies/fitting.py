"""Changes a document so that it fits the schema that was asked for, where only one reading is
possible.

For servers that do not keep to schemas: numbers in quotation marks, other case of an enum's value,
`&amp;`, a bare list, one more object around the answer. What can be read in two ways is left as it
is, and the steps refuse it. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import unescape
from typing import Any, Final

from weighbridge.domain.calls import Identity
from weighbridge.lenient_json import loads

Schema = Mapping[str, Any]

_NUMBER: Final = re.compile(r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
_KILOGRAMS: Final = re.compile(r"^(?:kg|kilograms?)|(?:kg|kilograms?)$", re.IGNORECASE)
_FLAGS: Final = {"true": True, "yes": True, "false": False, "no": False}
_NOTHING: Final = frozenset({"", "null", "none", "n/a"})
_DEEPEST_WRAPPING: Final = 3
"""How many objects or lists, one inside another, are opened at most to find the answer in them."""
_WRAPPERS: Final = frozenset({"value", "kg"})
_NUMBERING: Final = re.compile(r"^\s*\(?\d{1,3}[.):]\s+")


def fit(value: Any, schema: Schema) -> Any:
    """The value coerced to the schema wherever only one reading is possible.

    Returns the same object where nothing had to change.
    """
    types = _types(schema)
    if value is None and "null" in types:
        return value
    if "object" in types:
        return _fit_object(value, schema)
    if "array" in types:
        return _fit_list(value, schema)
    single = _unwrapped_scalar(value)
    if isinstance(schema.get("enum"), list):
        fitted = _fit_enum(single, schema["enum"])
        return fitted if fitted in schema["enum"] else value
    return _fit_scalar(single, types)


def keeps_to(value: Any, schema: Schema) -> bool:
    """Whether the value is an object with all properties that the schema requires at its top
    level.
    """
    return isinstance(value, dict) and all(name in value for name in schema.get("required", ()))


def _types(schema: Schema) -> frozenset[str]:
    kind = schema.get("type", ())
    return frozenset((kind,) if isinstance(kind, str) else kind)


def _fit_object(value: Any, schema: Schema) -> Any:
    """The object with names and values fitted; `value` itself if unchanged, or if it is no
    object.
    """
    found = _unwrapped(value, schema, _DEEPEST_WRAPPING)
    if not isinstance(found, dict):
        return value
    properties: Mapping[str, Schema] = schema.get("properties", {})
    renamed = _with_names(found, properties)
    fitted = {
        name: fit(part, properties[name]) if name in properties else part
        for name, part in renamed.items()
    }
    if renamed is value and all(fitted[name] is part for name, part in renamed.items()):
        return value
    return fitted


def _unwrapped(value: Any, schema: Schema, depth: int) -> Any:
    """The object that the schema asks for, found inside what the model wrapped around it.

    `depth` is how many more wrappings may be opened. None unless exactly one object is found.
    """
    required = schema.get("required", ())
    if isinstance(value, str):
        value = _decoded(value)
    if isinstance(value, list):
        return _object_from_list(value, schema, depth)
    if not isinstance(value, dict):
        return None
    if any(name in value for name in required) or not required:
        return value
    lower = {str(name).strip().casefold() for name in value}
    if any(name.casefold() in lower for name in required):
        return value
    if (inner := _only_list(schema)) and _looks_like_entry(value, inner[1]):
        return {inner[0]: [value]}
    if depth == 0:
        return None
    inside = [
        found
        for part in value.values()
        if isinstance(part, dict | list | str)
        and (found := _unwrapped(part, schema, depth - 1)) is not None
    ]
    if len(inside) == 1:
        return inside[0]
    return _object_from_entries_by_code(value, schema)


def _object_from_list(value: list[Any], schema: Schema, depth: int) -> Any:
    """The object for a bare list of its entries, or the one inside a list of one; else None."""
    inner = _only_list(schema)
    if inner and value and all(_looks_like_entry(element, inner[1]) for element in value):
        return {inner[0]: value}
    if len(value) == 1 and depth and isinstance(value[0], dict):
        return _unwrapped(value[0], schema, depth - 1)
    return None


def _object_from_entries_by_code(value: Mapping[str, Any], schema: Schema) -> Any:
    """The object for entries by their code, `{"A-1": {…}, "A-2": {…}}`; None if that is not what
    the value holds.
    """
    inner = _only_list(schema)
    if inner is None or not value or "code" not in inner[1].get("properties", {}):
        return None
    entries = [{"code": code, **part} for code, part in value.items() if isinstance(part, dict)]
    whole = len(entries) == len(value) and all(_looks_like_entry(e, inner[1]) for e in entries)
    return {inner[0]: entries} if whole else None


def _only_list(schema: Schema) -> tuple[str, Schema] | None:
    """(property name, schema of an entry) of an object whose only property is a list of objects;
    None for any other schema.
    """
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if len(properties) != 1:
        return None
    name, part = next(iter(properties.items()))
    items = part.get("items")
    is_list = "array" in _types(part) and isinstance(items, Mapping) and "object" in _types(items)
    return (name, items) if is_list and isinstance(items, Mapping) else None


def _looks_like_entry(value: Any, schema: Schema) -> bool:
    """Whether the value is an object with at least two of the required properties (or all)."""
    required = schema.get("required", ())
    return isinstance(value, dict) and sum(name in value for name in required) >= min(
        2, len(required)
    )


def _with_names(found: dict[str, Any], properties: Mapping[str, Schema]) -> dict[str, Any]:
    """The object with its names as in the schema, where only case and blanks around them differ.

    `found` itself if nothing had to change.
    """
    missing = {name.casefold(): name for name in properties if name not in found}
    if not missing:
        return found
    extra = [name for name in found if name not in properties]
    meant = {name: missing.get(str(name).strip().casefold()) for name in extra}
    counts = Counter(meant.values())
    new = {old: name for old, name in meant.items() if name is not None and counts[name] == 1}
    return {new.get(name, name): part for name, part in found.items()} if new else found


def _fit_list(value: Any, schema: Schema) -> Any:
    """The list with its entries fitted, a bare entry as a list of one; `value` itself if unchanged,
    or if it is no list.
    """
    items: Schema = schema.get("items", {})
    found = _decoded(value) if isinstance(value, str) else value
    if isinstance(found, dict) and "object" in _types(items):
        found = [found] if _looks_like_entry(found, items) else found
    if not isinstance(found, list):
        return value
    fitted = [fit(element, items) for element in found]
    same = found is value and all(a is b for a, b in zip(fitted, found, strict=True))
    return value if same else fitted


def _unwrapped_scalar(value: Any) -> Any:
    """The only part of a list or an object, such as `["Chairs"]` or `{"value": 2}`, if that is a
    scalar; else the value itself.
    """
    if isinstance(value, list) and len(value) == 1:
        (inner,) = value
    elif isinstance(value, dict) and len(value) == 1 and _WRAPPERS.issuperset(value):
        (inner,) = value.values()
    else:
        return value
    return value if isinstance(inner, list | dict) else inner


def _fit_enum(value: Any, allowed: Sequence[Any]) -> Any:
    """The one allowed value that equals a text but for case, punctuation and a number before it, as
    in "2. Cotton"; else the value itself.
    """
    if not isinstance(value, str) or value in allowed:
        return value
    meant = _value_by_spelling(Identity(allowed))
    return meant.get(_spelling_key(value)) or meant.get(
        _spelling_key(_NUMBERING.sub("", value)), value
    )


def _fit_scalar(value: Any, types: frozenset[str]) -> Any:
    """The scalar as one of the schema's types, if it clearly stands for one; else the value
    itself.
    """
    if isinstance(value, str):
        return value if "string" in types else _read_text(value, types)
    if "string" in types and not isinstance(value, bool):
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return value


def _read_text(value: str, types: frozenset[str]) -> Any:
    """The flag, null or number that the text spells, where the schema asks for one; else the
    text.
    """
    word = value.strip().casefold()
    if "boolean" in types and word in _FLAGS:
        return _FLAGS[word]
    if "null" in types and word in _NOTHING:
        return None
    if types & {"number", "integer"}:
        number = _KILOGRAMS.sub("", value.strip()).strip()
        if _NUMBER.fullmatch(number):
            return float(number) if "number" in types else _integer_or(number, value)
    return value


def _integer_or(number: str, otherwise: str) -> Any:
    return int(float(number)) if float(number).is_integer() else otherwise


def _decoded(text: str) -> Any:
    """The JSON document that a string holds; None if it holds none."""
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return None
    try:
        inner = loads(text)
    except (ValueError, RecursionError):
        return None
    return _decoded(inner) if isinstance(inner, str) else inner


@lru_cache(maxsize=64)
def _value_by_spelling(allowed: Identity[Sequence[Any]]) -> Mapping[str, str]:
    """The allowed value for each `_spelling_key` that only one of them has."""
    words = [word for word in allowed.value if isinstance(word, str)]
    counts = Counter(map(_spelling_key, words))
    return {_spelling_key(word): word for word in words if counts[_spelling_key(word)] == 1}


def _spelling_key(word: str) -> str:
    """Only the letters and digits of a word, in lower case."""
    folded = unicodedata.normalize("NFKC", unescape(unescape(word))).casefold()
    return "".join(char for char in folded if char.isalnum())
