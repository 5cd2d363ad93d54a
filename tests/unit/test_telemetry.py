"""What is said on stderr has one format, whoever says it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from weighbridge import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was before at the end; the program's own lines are on the console
    again.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    telemetry._configure_events("console", "INFO")


@pytest.mark.usefixtures("root")
def test_library_log_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("json", "INFO")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("some.library").exception("%s went wrong", "It")
    telemetry.info("ours", "One of ours")
    library, ours = map(json.loads, capsys.readouterr().err.splitlines())
    assert (library["level"], library["message"]) == ("error", "some.library: It went wrong")
    assert "ValueError: broken" in library["exception"]
    assert set(ours) <= set(library)
    assert ours["host"]


@pytest.mark.usefixtures("root")
def test_library_log_lines_match_ours_on_the_console(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure_logging("console", "INFO")
    logging.getLogger("some.library").warning("Look out")
    logging.getLogger("python_multipart.multipart").warning("A client made a mistake")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("Z WARN  some.library: Look out")
