"""Logging: lines for people to grep and machines to parse.

Every event has a name and fields (JSON format) and a sentence (console format). Console lines go to
stderr, so that stdout stays clean for data.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import structlog
from typing_extensions import override

from weighbridge.plain_text import one_line, visible

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import FilteringBoundLogger

_logger: FilteringBoundLogger
_is_json = False
_origin: dict[str, str] = {"host": socket.gethostname()}
"""Host that a line comes from, and its worker once that is known."""
_LEVEL_NAMES = {"warning": "WARN", "critical": "ERROR"}


def configure_logging(log_format: Literal["console", "json"], level: str) -> None:
    """Send our events and the warnings of libraries to stderr in one format."""
    _configure_events(log_format, level)
    # Libraries log through the standard module. PgQueuer and the SDK are chatty below WARNING.
    numeric = max(getattr(logging, level), logging.WARNING)
    logging.basicConfig(level=numeric, handlers=[_Libraries()], force=True)
    logging.getLogger("pgqueuer").setLevel(logging.ERROR)
    # It tells of each attempt to reach a database that is away; we say once that it is.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    # Its warnings are about requests that are malformed; whoever sent one is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def log_errors_only() -> None:
    """For a program that we are a library of: its own logging stays as it is."""
    _configure_events("console", "ERROR")


def is_json() -> bool:
    """Whether machines read stderr: then nothing but JSON goes there."""
    return _is_json


def identify(worker: str) -> None:
    """From now on lines say which worker they come from."""
    _origin["worker"] = worker


def _add_origin(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event.update(_origin)
    return event


class _Libraries(logging.Handler):
    """Formats log lines of libraries like ours."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        _logger.log(
            record.levelno,
            "library",
            message=f"{record.name}: {record.getMessage()}",
            library=record.name,
            exc_info=record.exc_info,
        )


def _configure_events(log_format: Literal["console", "json"], level: str) -> None:
    # Tracebacks are plain: the pretty ones show local variables, and keys and tokens among them.
    last = structlog.processors.JSONRenderer(serializer=_json) if log_format == "json" else _console
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            *([_add_origin] if log_format == "json" else []),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=lambda *_: _Stderr(),
    )
    global _is_json
    _is_json = log_format == "json"
    global _logger  # put together here: doing so at each line takes half of a line's time
    _logger = structlog.get_logger().bind()


def _json(event: object, **options: Any) -> str:
    """One line. JSON escapes control characters by itself, but not those that turn text around."""
    return visible(json.dumps(event, ensure_ascii=False, **options))


class _Stderr:
    """Writes to the current sys.stderr, which a live display replaces while it is shown."""

    def msg(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")  # in one piece: two threads may log at once

    debug = info = warning = error = msg


def _console(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    level = str(event.get("level", "info"))
    said = one_line(str(event.get("message", event["event"])))
    line = f"{event['timestamp'][:19]}Z {_LEVEL_NAMES.get(level, level.upper()):5} {said}"
    return f"{line}\n{visible(event['exception'])}" if "exception" in event else line


Watcher = Callable[[str, str, str, Mapping[str, Any]], None]
"""Receives level, event, message and fields of every line from INFO up, in the thread that logs it.
Must be quick and never raise."""

_watchers: tuple[Watcher, ...] = ()


def watch(watcher: Watcher) -> None:
    """Pass every log line to `watcher` from now on, for example to a browser's live view."""
    global _watchers  # replaced, never changed: another thread may be going through it
    _watchers = (*_watchers, watcher)


def unwatch(watcher: Watcher) -> None:
    """Stop passing log lines to it."""
    global _watchers
    _watchers = tuple(one for one in _watchers if one != watcher)


def _tell(level: str, event: str, message: str, fields: Mapping[str, Any]) -> None:
    for watcher in _watchers:
        watcher(level, event, message, fields)


def debug(event: str, message: str, **fields: Any) -> None:
    """Log a detail for debugging."""
    _logger.debug(event, message=message, **fields)


def info(event: str, message: str, **fields: Any) -> None:
    """Log an expected event."""
    _logger.info(event, message=message, **fields)
    _tell("INFO", event, message, fields)


def warning(event: str, message: str, **fields: Any) -> None:
    """Log a problem that the program handles."""
    _logger.warning(event, message=message, **fields)
    _tell("WARN", event, message, fields)


def error(event: str, message: str, **fields: Any) -> None:
    """Log a problem that needs attention."""
    _logger.error(event, message=message, **fields)
    _tell("ERROR", event, message, fields)


def crashed(event: str, message: str, **fields: Any) -> None:
    """Log an unexpected error with its traceback; call in an except block."""
    _logger.error(event, message=message, exc_info=True, **fields)  # noqa: LOG014
    _tell("ERROR", event, message, fields)


# Also for programs that never call `configure_logging`: the library's own default shows local
# variables.
_configure_events("console", "INFO")
