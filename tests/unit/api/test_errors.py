"""The table from errors to HTTP is complete, and tells strangers nothing about the inside."""

from __future__ import annotations

import pytest

from weighbridge import errors
from weighbridge.api.errors import PROBLEMS, find_problem, problem_response


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
