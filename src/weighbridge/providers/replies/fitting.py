"""Fits a document to the schema that was asked for, where only one reading is possible.

For servers that do not keep to schemas: numbers in quotation marks, other case of an enum's value,
`&amp;`, a bare list, an object too many around the answer. What can be read in two ways is left as
it is, and the steps refuse it. Pure.
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
_WRAPPERS: Final = frozenset({"value", "kg"})
_NUMBERING: Final = re.compile(r"^\s*\(?\d{1,3}[.):]\s+")


def fit(value: Any, schema: Schema) -> Any:
    """The value coerced to the schema wherever only one reading is possible.

    Returns the same object where nothing had to change.
    """
    kinds = _kinds(schema)
    if value is None and "null" in kinds:
        return value
    if "object" in kinds:
        return _fit_object(value, schema)
    if "array" in kinds:
        return _fit_list(value, schema)
    single = _single(value)
    if isinstance(schema.get("enum"), list):
        fitted = _fit_enum(single, schema["enum"])
        return fitted if fitted in schema["enum"] else value
    return _fit_scalar(single, kinds)


def keeps_to(value: Any, schema: Schema) -> bool:
    """Whether the outer form is the one that was asked for: all that is required of the object is
    there.
    """
    return isinstance(value, dict) and all(name in value for name in schema.get("required", ()))


def _kinds(schema: Schema) -> frozenset[str]:
    kind = schema.get("type", ())
    return frozenset((kind,) if isinstance(kind, str) else kind)


def _fit_object(value: Any, schema: Schema) -> Any:
    """The object with names and values fitted; `value` itself if nothing had to change."""
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
    """Find the object that the schema asks for inside whatever the model wrapped it in.

    None unless exactly one candidate is found.
    """
    required = schema.get("required", ())
    if isinstance(value, str):
        value = _decoded(value)
    if isinstance(value, list):
        return _around_list(value, schema, depth)
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
    return _keyed(value, schema)


def _around_list(value: list[Any], schema: Schema, depth: int) -> Any:
    inner = _only_list(schema)
    if inner and value and all(_looks_like_entry(element, inner[1]) for element in value):
        return {inner[0]: value}
    if len(value) == 1 and depth and isinstance(value[0], dict):
        return _unwrapped(value[0], schema, depth - 1)
    return None


def _keyed(value: Mapping[str, Any], schema: Schema) -> Any:
    """Entries by their code, `{"A-1": {…}, "A-2": {…}}`, as a list of entries."""
    inner = _only_list(schema)
    if inner is None or not value or "code" not in inner[1].get("properties", {}):
        return None
    entries = [{"code": code, **part} for code, part in value.items() if isinstance(part, dict)]
    whole = len(entries) == len(value) and all(_looks_like_entry(e, inner[1]) for e in entries)
    return {inner[0]: entries} if whole else None


def _only_list(schema: Schema) -> tuple[str, Schema] | None:
    """Name and schema of the entries, of an object that holds nothing but one list of objects."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if len(properties) != 1:
        return None
    name, part = next(iter(properties.items()))
    items = part.get("items")
    is_list = "array" in _kinds(part) and isinstance(items, Mapping) and "object" in _kinds(items)
    return (name, items) if is_list and isinstance(items, Mapping) else None


def _looks_like_entry(value: Any, schema: Schema) -> bool:
    required = schema.get("required", ())
    return isinstance(value, dict) and sum(name in value for name in required) >= min(
        2, len(required)
    )


def _with_names(found: dict[str, Any], properties: Mapping[str, Schema]) -> dict[str, Any]:
    """Names in another case or with blanks around them, where that is the only difference."""
    missing = {name.casefold(): name for name in properties if name not in found}
    if not missing:
        return found
    extra = [name for name in found if name not in properties]
    meant = {name: missing.get(str(name).strip().casefold()) for name in extra}
    counts = Counter(meant.values())
    new = {old: name for old, name in meant.items() if name is not None and counts[name] == 1}
    return {new.get(name, name): part for name, part in found.items()} if new else found


def _fit_list(value: Any, schema: Schema) -> Any:
    """The list with its entries fitted, also of one bare entry; `value` itself if unchanged."""
    items: Schema = schema.get("items", {})
    found = _decoded(value) if isinstance(value, str) else value
    if isinstance(found, dict) and "object" in _kinds(items):
        found = [found] if _looks_like_entry(found, items) else found
    if not isinstance(found, list):
        return value
    fitted = [fit(element, items) for element in found]
    same = found is value and all(a is b for a, b in zip(fitted, found, strict=True))
    return value if same else fitted


def _single(value: Any) -> Any:
    """The scalar that a list or an object holds as its only part: `["Chairs"]`, `{"value": 2}`."""
    if isinstance(value, list) and len(value) == 1:
        (inner,) = value
    elif isinstance(value, dict) and len(value) == 1 and _WRAPPERS.issuperset(value):
        (inner,) = value.values()
    else:
        return value
    return value if isinstance(inner, list | dict) else inner


def _fit_enum(value: Any, allowed: Sequence[Any]) -> Any:
    if not isinstance(value, str) or value in allowed:
        return value
    meant = _meant(Identity(allowed))
    return meant.get(_loose(value)) or meant.get(_loose(_NUMBERING.sub("", value)), value)


def _fit_scalar(value: Any, kinds: frozenset[str]) -> Any:
    if isinstance(value, str):
        return value if "string" in kinds else _read_text(value, kinds)
    if "string" in kinds and not isinstance(value, bool):
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return value


def _read_text(value: str, kinds: frozenset[str]) -> Any:
    """The flag, null or number that the text spells, where the schema asks for one."""
    word = value.strip().casefold()
    if "boolean" in kinds and word in _FLAGS:
        return _FLAGS[word]
    if "null" in kinds and word in _NOTHING:
        return None
    if kinds & {"number", "integer"}:
        number = _KILOGRAMS.sub("", value.strip()).strip()
        if _NUMBER.fullmatch(number):
            return float(number) if "number" in kinds else _integer(number, value)
    return value


def _integer(number: str, otherwise: str) -> Any:
    return int(float(number)) if float(number).is_integer() else otherwise


def _decoded(text: str) -> Any:
    """What a string holds that is JSON itself; None for any other."""
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return None
    try:
        inner = loads(text)
    except (ValueError, RecursionError):
        return None
    return _decoded(inner) if isinstance(inner, str) else inner


@lru_cache(maxsize=64)
def _meant(allowed: Identity[Sequence[Any]]) -> Mapping[str, str]:
    """The value for each loose spelling that only one value has."""
    words = [word for word in allowed.value if isinstance(word, str)]
    counts = Counter(map(_loose, words))
    return {_loose(word): word for word in words if counts[_loose(word)] == 1}


def _loose(word: str) -> str:
    """Letters and digits alone, in lower case."""
    folded = unicodedata.normalize("NFKC", unescape(unescape(word))).casefold()
    return "".join(char for char in folded if char.isalnum())
