"""Requests drawn from an OpenAPI document: as it has them, and damaged in all sorts of ways."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from hypothesis import strategies as st
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

JSON: Final = "application/json"
MANY: Final = 6
_ODD_KINDS: Final = (
    "",
    "text/plain",
    "text/csv",
    "image/png",
    JSON,
    "multipart/form-data",
    "x",
    "a/b; c=",
)
_ODD_METHODS: Final = ("PATCH", "OPTIONS", "TRACE", "HEAD", "POST", "PUT", "GET", "BREW")
_TEXT: Final = st.text(max_size=30)
ANY_JSON: Final[SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@dataclass(frozen=True, slots=True)
class DrawnRequest:
    """One request. `path` is as the document has it; `address` is filled in."""

    method: str
    path: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def values_of(schema: Mapping[str, Any]) -> SearchStrategy[Any]:
    """What a schema allows, for the schemas that this API takes."""
    if "anyOf" in schema:
        return st.one_of(*map(values_of, schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return st.one_of(*(values_of({**schema, "type": kind}) for kind in kinds))
    match kinds:
        case None:
            return ANY_JSON
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.floats(0, 1e6, exclude_min=True)
        case "string":
            return _texts(schema)
        case "array":
            return st.lists(values_of(schema["items"]), max_size=MANY)
        case "object":
            return _objects(schema)
        case _:
            raise AssertionError(f"a schema that this does not know: {schema}")


def _texts(schema: Mapping[str, Any]) -> SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    low, high = schema.get("minLength", 0), schema.get("maxLength", MANY)
    return st.text(min_size=low, max_size=max(low, min(high, MANY)))


def _objects(schema: Mapping[str, Any]) -> SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:  # a map
        return st.dictionaries(_TEXT, values_of(schema["additionalProperties"]), max_size=MANY)
    drawn = {name: values_of(part) for name, part in schema["properties"].items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: values for name, values in drawn.items() if name in required},
        optional={name: values for name, values in drawn.items() if name not in required},
    )


def _draw_damaged(draw: st.DrawFn, schema: Mapping[str, Any]) -> Any:
    value = draw(values_of(schema))
    if not isinstance(value, dict) or draw(st.booleans()):
        return draw(ANY_JSON)
    names = st.sampled_from(sorted(value)) | _TEXT if value else _TEXT
    name = draw(names)
    if draw(st.booleans()):
        return {**value, name: draw(ANY_JSON)}
    return {other: kept for other, kept in value.items() if other != name}


def requests_of(
    document: Mapping[str, Any], left_out: frozenset[str]
) -> SearchStrategy[DrawnRequest]:
    """Requests to any operation; about half of them are as the document asks for."""
    schemas = document["components"]["schemas"]
    paths = {
        path: {
            method: {
                part: _resolved(operation[part], schemas)
                for part in ("parameters", "requestBody")
                if part in operation
            }
            for method, operation in methods.items()
        }
        for path, methods in document["paths"].items()
    }
    return _requests(_Document(paths, left_out))


def _resolved(part: Any, schemas: Mapping[str, Any]) -> Any:
    """`part` with references to schemas replaced by them."""
    if isinstance(part, list):
        return [_resolved(inner, schemas) for inner in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).rpartition("/")[2]
    if name in schemas:
        return _resolved(schemas[name], schemas)
    return {key: _resolved(inner, schemas) for key, inner in part.items()}


class _Document:
    """Of a name that is short: hypothesis writes out what it draws from."""

    def __init__(self, paths: Mapping[str, Any], left_out: frozenset[str]) -> None:
        self.paths = paths
        self.left_out = left_out

    @override
    def __repr__(self) -> str:
        return "the document"


@st.composite
def _requests(draw: st.DrawFn, document: _Document) -> DrawnRequest:
    path = draw(st.sampled_from(sorted(set(document.paths) - document.left_out)))
    ways = document.paths[path]
    method = draw(st.sampled_from(sorted(ways)))
    operation = ways[method]
    is_right = draw(st.booleans())
    address, query, headers = path, {}, {}
    for parameter in operation.get("parameters", ()):
        name, values = parameter["name"], values_of(parameter["schema"])
        value = str(draw(values if is_right else values | _TEXT | ANY_JSON))
        value = value.encode("utf-8", "replace").decode()
        if parameter["in"] == "path":
            # Without any it is another path: the list, with a slash too many. A client resolves a
            # value of dots alone unless they are escaped by hand.
            written = quote(value or "none", safe="")
            if not written.strip("."):
                written = written.replace(".", "%2E")
            address = address.replace(f"{{{name}}}", written)
        elif parameter["in"] == "query" and draw(st.booleans()):
            query[name] = value
    body = b""
    if "requestBody" in operation:
        kind, body = _draw_body(draw, operation["requestBody"]["content"], is_right)
        headers = {"Content-Type": kind}
    sent = (
        method.upper() if is_right or draw(st.booleans()) else draw(st.sampled_from(_ODD_METHODS))
    )
    return DrawnRequest(sent, path, f"{address}?{urlencode(query)}", headers, body)


def _draw_body(draw: st.DrawFn, content: Mapping[str, Any], is_right: bool) -> tuple[str, bytes]:
    kind = draw(st.sampled_from(sorted(content)))
    if not is_right and draw(st.booleans()):
        kind = draw(st.sampled_from(_ODD_KINDS))
    if kind in content and kind == JSON:
        schema = content[kind]["schema"]
        value = draw(values_of(schema)) if is_right else _draw_damaged(draw, schema)
        return kind, json.dumps(value).encode()
    body = draw(st.binary(max_size=200))
    if kind == "multipart/form-data":
        name = quote(draw(_TEXT).encode("utf-8", "replace").decode())
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        return f"{kind}; boundary=b", head.encode() + body + b"\r\n--b--\r\n"
    return kind, body
