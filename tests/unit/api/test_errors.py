"""The table from errors to HTTP is complete, and tells strangers nothing about the inside."""

from __future__ import annotations

import httpx2
import pytest
from fastapi import FastAPI

from weighbridge import errors
from weighbridge.api.errors import (
    PROBLEMS,
    find_problem,
    install_error_handlers,
    problem_response,
)


def _all_errors() -> list[type[errors.WeighbridgeError]]:
    found: list[type[errors.WeighbridgeError]] = [errors.WeighbridgeError]
    for kind in found:
        found += [child for child in kind.__subclasses__() if child not in found]
    return [kind for kind in found if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", _all_errors(), ids=lambda kind: str(kind.__name__))
def test_every_error_has_a_row_of_its_own(kind: type[errors.WeighbridgeError]) -> None:
    assert kind in PROBLEMS


def test_server_errors_hide_their_message() -> None:
    assert all(row.detail for row in PROBLEMS.values() if row.status >= 500)


def test_client_errors_show_their_message() -> None:
    assert all(row.detail is None for row in PROBLEMS.values() if row.status < 500)


def test_each_problem_type_has_one_status() -> None:
    by_name: dict[str, set[int]] = {}
    for row in PROBLEMS.values():
        by_name.setdefault(row.name, set()).add(row.status)
    assert all(len(statuses) == 1 for statuses in by_name.values())


def test_an_error_without_a_row_uses_its_parents() -> None:
    class NoSuchPicture(errors.NotFound):
        """Made up here."""

    assert find_problem(NoSuchPicture("gone")).status == 404


def test_an_unpaired_surrogate_does_not_break_the_response() -> None:
    response = problem_response("/x", 422, "invalid-input", "Wrong", "field \ud800 is wrong")
    assert b"field ? is wrong" in bytes(response.body)


@pytest.mark.anyio
async def test_who_is_referred_to_the_log_finds_the_traceback_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/broken")
    async def broken() -> None:
        raise errors.InternalError("Reading the file failed:\nNotImplementedError: version 13.9")

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/broken")
    assert answer.status_code == 500
    assert "13.9" not in answer.text
    logged = capsys.readouterr().err
    assert "NotImplementedError: version 13.9" in logged
    assert "test_errors.py" in logged
