"""Who may come in, and what browsers are told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.support.api import IdleEngine, api_client
from tests.support.ports import free_port
from weighbridge.api.server import run_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of this test only
STATUS = "/api/products/queue-status"


@pytest.mark.parametrize(
    "path",
    [STATUS, "/api/products", "/api/events", "/metrics", "/docs", "/openapi.json", "/nowhere", "/"],
)
async def test_without_the_token_only_health_answers(
    database_url: str, tmp_path: Path, path: str
) -> None:
    async with api_client(database_url, tmp_path, api_token=TOKEN) as client:
        refused = await client.http.get(path)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await client.http.get("/healthz")).status_code == 200
        assert (await client.http.get("/readyz")).status_code == 200


async def test_the_right_token_is_accepted_and_a_wrong_one_refused(
    database_url: str, tmp_path: Path
) -> None:
    async with api_client(database_url, tmp_path, api_token=TOKEN) as client:
        right = await client.http.get(STATUS, headers={"Authorization": f"Bearer {TOKEN}"})
        assert right.status_code == 200
        for wrong in (f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"):
            headers = httpx2.Headers([(b"Authorization", wrong.encode("latin-1"))])
            answer = await client.http.get(STATUS, headers=headers)
            assert answer.status_code == 401


async def test_a_browser_logs_in_with_a_form_and_gets_a_strict_cookie(
    database_url: str, tmp_path: Path
) -> None:
    async with api_client(database_url, tmp_path, api_token=TOKEN) as client:
        sent_away = await client.http.get("/docs", headers={"Accept": "text/html"})
        assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/login?next=/docs")
        download = "/api/products/export?format=xlsx"
        sent_away = await client.http.get(download, headers={"Accept": "text/html"})
        form = await client.http.get(sent_away.headers["location"])
        assert f'name="next" value="{download}"' in form.text
        wrong = await client.http.post("/login", data={"token": "guess", "next": "/docs"})
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers
        right = await client.http.post("/login", data={"token": TOKEN, "next": "/docs"})
        assert (right.status_code, right.headers["location"]) == (303, "/docs")
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert TOKEN not in cookie
        assert (await client.http.get("/docs")).status_code == 200
        await client.http.post("/logout")
        assert (await client.http.get("/docs")).status_code == 401


async def test_every_response_has_security_headers(database_url: str, tmp_path: Path) -> None:
    async with api_client(database_url, tmp_path) as client:
        for path in (STATUS, "/docs", "/nowhere", "/login"):
            headers = (await client.http.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_pages_of_other_sites_cannot_change_anything(
    database_url: str, tmp_path: Path, headers: dict[str, str]
) -> None:
    async with api_client(database_url, tmp_path) as client:
        refused = await client.http.post("/api/products/stop-queue", headers=headers)
        assert refused.status_code == 403
        assert (await client.get(STATUS))["queue"]["running"] is True


async def test_our_own_pages_can_make_changes(database_url: str, tmp_path: Path) -> None:
    async with api_client(database_url, tmp_path) as client:
        answer = await client.http.post(
            "/api/products/stop-queue", headers={"Origin": "http://127.0.0.1:8000"}
        )
        assert answer.status_code == 200


async def test_a_configured_site_may_use_the_api(database_url: str, tmp_path: Path) -> None:
    async with api_client(
        database_url, tmp_path, cors_origins="https://shop.example", api_token=TOKEN
    ) as client:
        headers = {"Origin": "https://shop.example"}
        preflight = await client.http.options(
            STATUS,
            headers={
                **headers,
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "Authorization",
            },
        )
        assert preflight.status_code == 200
        answer = await client.http.post(
            "/api/products/stop-queue", headers={**headers, "Authorization": f"Bearer {TOKEN}"}
        )
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def test_a_server_without_a_token_accepts_only_its_own_host_names(
    database_url: str, tmp_path: Path
) -> None:
    async with api_client(database_url, tmp_path, hosts=("127.0.0.1", "localhost")) as client:
        assert (await client.http.get(STATUS)).status_code == 200
        rebound = await client.http.get(STATUS, headers={"Host": "evil.example:8000"})
        assert rebound.status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_every_loopback_address_accepts_only_its_own_host_names(
    database_url: str, tmp_path: Path, host: str
) -> None:
    engine = IdleEngine()
    async with api_client(database_url, tmp_path, engine=engine) as client:
        port = free_port()
        running = asyncio.create_task(run_server(client.context, host, port))
        shown = f"[{host}]" if ":" in host else host
        async with httpx2.AsyncClient(base_url=f"http://{shown}:{port}") as http:
            await engine.started.wait()
            own = await http.get("/healthz")
            rebound = await http.get("/healthz", headers={"Host": f"evil.example:{port}"})
        engine.broken.set()
        await running
    assert (own.status_code, rebound.status_code) == (200, 400)


async def test_the_token_appears_nowhere(
    database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with api_client(
        database_url, tmp_path, api_token=TOKEN, openai_api_key="sk-very-secret"
    ) as client:
        client.http.headers["Authorization"] = f"Bearer {TOKEN}"
        texts = [
            (await client.http.get(path)).text
            for path in (
                "/metrics",
                "/openapi.json",
                "/docs",
                STATUS,
                "/nowhere",
                "/api/products?limit=x",
            )
        ]
        await client.execute("DROP TABLE queue_state")
        texts.append((await client.http.get(STATUS)).text)
    output = capfd.readouterr()
    for text in (*texts, output.out, output.err):
        assert TOKEN not in text
        assert "sk-very-secret" not in text
