"""Named tokens, what each kind may do, and the record of what was done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.api import ApiClient, api_client
from weighbridge.errors import Conflict, NotFound
from weighbridge.service.access.gate import KNOWN_FOR_S
from weighbridge.service.access.throttle import FREE_TRIES
from weighbridge.service.access.tokens import Role, add_token, list_tokens, revoke_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

API = "/api/products"
OPEN = {"/healthz", "/readyz", "/login", "/logout"}
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with api_client(database_url, tmp_path) as opened:
        yield opened


async def _token(client: ApiClient, name: str, role: Role) -> dict[str, str]:
    token = await add_token(client.context.database, name, role)
    return {"Authorization": f"Bearer {token}"}


def _requests(client: ApiClient) -> list[tuple[str, str]]:
    """Every method of every route, with an address that fits it."""
    values = {"importId": "018f4d3e-7a8b-4c2d-9e1f-0a1b2c3d4e5f", "code": "P00001"}
    found = set()
    for route in client.app.state.routes:
        for method in getattr(route, "methods", ()):
            path = _PARAMETER.sub(lambda found: values.get(found[1], "1"), route.path)
            found.add((method, path))
    return sorted(found)


async def _status(client: ApiClient, method: str, path: str, headers: dict[str, str]) -> int:
    """The status alone: streams are not read."""
    async with client.http.stream(method, path, headers=headers) as answer:
        return answer.status_code


ENDLESS = {"/api/events", "/live"}
"""In process these answer only when they have ended; their permission is looked at with HEAD."""


async def test_every_route_asks_for_the_right_kind_of_token(client: ApiClient) -> None:
    reader = await _token(client, "reader", Role.READ_ONLY)
    operator = await _token(client, "operator", Role.OPERATOR)
    requests = _requests(client)
    assert len(requests) > 30
    for method, path in requests:
        if path in OPEN or path.startswith(("/static/", "/docs/assets")):
            continue
        asked = "HEAD" if path in ENDLESS else method
        assert await _status(client, asked, path, {}) == 401, (method, path)
        changes = method not in {"GET", "HEAD"}
        as_reader = await _status(client, asked, path, reader)
        assert (as_reader == 403) == changes, (method, path, as_reader)
        assert await _status(client, asked, path, operator) not in {401, 403}, (method, path)


async def test_a_server_without_tokens_is_open_until_the_first_is_added(client: ApiClient) -> None:
    assert (await client.http.get(f"{API}/queue-status")).status_code == 200
    headers = await _token(client, "ana", Role.OPERATOR)
    client.context.gate.forget()
    assert (await client.http.get(f"{API}/queue-status")).status_code == 401
    assert (await client.http.get(f"{API}/queue-status", headers=headers)).status_code == 200
    await revoke_token(client.context.database, "ana")
    client.context.gate.forget()
    assert (await client.http.get(f"{API}/queue-status", headers=headers)).status_code == 401
    assert (await client.http.get(f"{API}/queue-status")).status_code == 401


async def test_revoking_a_token_ends_its_sessions(client: ApiClient) -> None:
    token = await add_token(client.context.database, "ana", Role.OPERATOR)
    await add_token(client.context.database, "ben", Role.OPERATOR)
    await client.http.post("/login", data={"token": token, "next": "/"})
    assert (await client.http.get("/")).status_code == 200
    await revoke_token(client.context.database, "ana")
    client.context.gate.forget()
    assert (await client.http.get("/")).status_code == 401
    assert KNOWN_FOR_S <= 1.0


async def test_names_are_unique_among_active_tokens(client: ApiClient) -> None:
    database = client.context.database
    await add_token(database, "ana", Role.READ_ONLY)
    with pytest.raises(Conflict):
        await add_token(database, "ana", Role.OPERATOR)
    await revoke_token(database, "ana")
    with pytest.raises(NotFound):
        await revoke_token(database, "ana")
    await add_token(database, "ana", Role.OPERATOR)
    tokens = await list_tokens(database)
    assert [(token.name, token.revoked_at is None) for token in tokens] == [
        ("ana", False),
        ("ana", True),
    ]


async def test_the_database_never_sees_a_token(client: ApiClient) -> None:
    token = await add_token(client.context.database, "ana", Role.OPERATOR)
    stored = await client.context.database.pool.fetch("SELECT * FROM access_tokens")
    assert token not in str([dict(row) for row in stored])


async def test_guessing_slows_down(client: ApiClient) -> None:
    await add_token(client.context.database, "ana", Role.OPERATOR)
    client.context.gate.forget()
    statuses = [
        (await client.http.post("/login", data={"token": "a-wrong-guess"})).status_code
        for _ in range(FREE_TRIES + 1)
    ]
    assert statuses == [401] * FREE_TRIES + [429]
    bearer = {"Authorization": "Bearer another-wrong-guess"}
    refused = await client.http.get(f"{API}/queue-status", headers=bearer)
    assert (refused.status_code, int(refused.headers["retry-after"]) >= 1) == (429, True)


async def test_the_audit_log_says_who_did_what(client: ApiClient) -> None:
    operator = await _token(client, "ana", Role.OPERATOR)
    reader = await _token(client, "ben", Role.READ_ONLY)
    client.context.gate.forget()
    await client.add_products(2, status="completed")
    http = client.http
    await http.post(f"{API}/stop-queue", headers=operator)
    await http.post("/queue/start", headers=operator)
    await http.put(f"{API}/queue-config", headers=operator, json={"batchSize": 7})
    await http.put(f"{API}/queue-config", headers=operator, json={"batchSize": 0})  # refused
    await http.delete(f"{API}/P00001", headers=operator)
    await http.get(f"{API}/export?format=csv", headers=reader)
    await http.post(f"{API}/stop-queue", headers=reader)  # refused
    entries = (await client.get("/api/audit", headers=reader))["entries"]
    said = [(entry["actor"], entry["action"], entry["subject"]) for entry in reversed(entries)]
    assert said[:4] == [
        ("ana", "stopped the queue", None),
        ("ana", "started the queue", None),
        ("ana", "changed the configuration", None),
        ("ana", "deleted a product", "P00001"),
    ]
    assert said[4][:2] == ("ben", "exported")
    assert len(said) == 5
    assert entries[2]["detail"] == {"batchSize": [500, 7]}


async def test_an_export_of_a_selection_names_it(client: ApiClient) -> None:
    await client.add_products(3, status="completed")
    answer = await client.http.get(f"{API}/export?format=csv&code=P00001&code=P00003&code=nobody")
    lines = answer.text.splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == ["P00001", "P00003"]
    nothing = await client.http.get(f"{API}/export?format=csv&code=a%00b")
    assert len(nothing.text.splitlines()) == 1
    entries = (await client.get("/api/audit"))["entries"]
    assert entries[1]["detail"] == {"codes": ["P00001", "P00003", "nobody"], "selected": 3}


@pytest.mark.parametrize(
    ("sent_as", "named"),
    [
        ("kitchen.csv", "kitchen.csv"),
        ("C:\\Users\\ana\\Küche 5 €.csv", "Küche 5 €.csv"),
        ("../../etc/<b>passwd</b>.csv", "b>.csv"),
        (
            "nul\x00 and \u202e.csv",
            "nul\N{REPLACEMENT CHARACTER} and \N{REPLACEMENT CHARACTER}.csv",
        ),
    ],
)
async def test_an_upload_is_recorded_with_its_file_and_its_rows(
    client: ApiClient, sent_as: str, named: str
) -> None:
    rows = "code,name,description\nK-1,Pot,A steel pot\n,Pan,No code\n"
    head = f'Content-Disposition: form-data; name="file"; filename="{sent_as}"'
    body = f"--edge\r\n{head}\r\n\r\n{rows}\r\n--edge--\r\n".encode()
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    done = await client.http.post(f"{API}/bulk-upload", content=body, headers=kind)
    assert done.status_code == 201
    entry = (await client.get("/api/audit"))["entries"][0]
    assert (entry["action"], entry["subject"]) == ("uploaded a catalogue", named)
    assert entry["detail"] == {"created": 1, "updated": 0, "unchanged": 0, "rejected": 1}


async def test_the_audit_log_is_read_page_by_page(client: ApiClient) -> None:
    for _ in range(5):
        await client.http.post(f"{API}/start-queue")
    first = await client.get("/api/audit?limit=3")
    rest = await client.get(f"/api/audit?limit=3&cursor={first['nextCursor']}")
    assert (len(first["entries"]), len(rest["entries"]), rest["nextCursor"]) == (3, 2, None)


async def test_a_browser_behind_a_trusted_proxy_is_taken_at_its_word(
    database_url: str, tmp_path: Path
) -> None:
    forwarded = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "weigh.example",
        "Origin": "https://weigh.example",
    }
    token = "correct-horse-battery-staple"  # noqa: S105
    async with api_client(
        database_url, tmp_path, api_token=token, trusted_proxies="127.0.0.0/8"
    ) as client:
        answer = await client.http.post("/login", data={"token": token}, headers=forwarded)
        assert answer.status_code == 303
        assert "secure" in answer.headers["set-cookie"].lower()
    async with api_client(database_url, tmp_path, api_token=token) as client:
        refused = await client.http.post("/login", data={"token": token}, headers=forwarded)
        assert refused.status_code == 403


async def test_a_form_of_our_own_page_is_taken_without_an_origin(client: ApiClient) -> None:
    same = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert (await client.http.post("/queue/stop", headers=same)).status_code == 303
    other = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"}
    assert (await client.http.post("/queue/start", headers=other)).status_code == 403


async def test_the_configuration_says_what_each_setting_may_be(client: ApiClient) -> None:
    config = await client.get(f"{API}/queue-config")
    assert config["batchSize"] == 500
    assert config["allowed"]["batchSize"] == {"minimum": 1, "maximum": 1000, "values": None}
    assert config["allowed"]["pacing"]["values"] == ["batch", "continuous"]
