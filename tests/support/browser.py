"""A client as a page of JavaScript would be: `fetch` and `EventSource`, each answer held against
the OpenAPI document.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Reply:
    """What `fetch` resolves to."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0]

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def text(self) -> str:
        """The body."""
        return self.body.decode()


@dataclass(frozen=True, slots=True)
class Message:
    """What an `EventSource` hands to its listeners."""

    id: str
    kind: str
    data: Any


class Browser:
    """Remembers which operations were called, and refuses answers that the document does not
    have.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.called: set[tuple[str, str]] = set()
        self._paths: dict[str, Any] = {}
        self._paths = self.fetch("GET", "/openapi.json").json()["paths"]

    @property
    def operations(self) -> set[tuple[str, str]]:
        """(method, path) of everything that the document promises."""
        return {(method.upper(), path) for path, ways in self._paths.items() for method in ways}

    def fetch(
        self,
        method: str,
        path: str,
        *,
        json_body: object = None,
        file: tuple[str, bytes, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """As `fetch(path, {method, body})`: an object as JSON, `file` (name, bytes, type) as
        FormData.
        """
        sent = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent["Content-Type"] = "application/json"
        if file is not None:
            body, sent["Content-Type"] = _form(*file)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            reply = Reply(answer.status, received, answer.read())
        finally:
            connection.close()
        self._compare(method, path, reply)
        return reply

    @contextmanager
    def events(self, last_id: str | None = None) -> Iterator[Iterator[Message]]:
        """As `new EventSource("/api/events")`; one that comes back says the last id that it has
        heard.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        try:
            connection.request("GET", "/api/events", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            self.called.add(("GET", "/api/events"))
            yield _messages(answer)
        finally:
            connection.close()

    def _compare(self, method: str, path: str, reply: Reply) -> None:
        template = self._template_of(path.partition("?")[0])
        if template is None or method.lower() not in self._paths[template]:
            return  # a page for people, or a wrong request
        self.called.add((method, template))
        promised = self._paths[template][method.lower()]["responses"]
        assert str(reply.status) in promised, f"{method} {path}: {reply.status} is not documented"
        kinds = promised[str(reply.status)].get("content", {})
        assert reply.media_type in kinds or not (kinds or reply.body), f"{path}: {reply.media_type}"

    def _template_of(self, path: str) -> str | None:
        if path in self._paths:
            return path
        for template in sorted(self._paths, key=len, reverse=True):
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if "{" in template and re.fullmatch(pattern, path):
                return template
        return None


def _form(name: str, data: bytes, kind: str) -> tuple[bytes, str]:
    """A FormData with one file, and its content type."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def _messages(answer: http.client.HTTPResponse) -> Iterator[Message]:
    ends_s = (
        time.perf_counter() + TIMEOUT_S
    )  # beats keep a connection open on which nothing else comes
    fields: dict[str, str] = {}
    while line := answer.readline():
        assert time.perf_counter() < ends_s, "the awaited event did not come"
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield Message(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}
