"""Logging, as JSON for machines or as lines for people.

Every event has a name and fields (JSON format) and a sentence (console format). Both go to stderr,
so that stdout has nothing but data.
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
"""The host that log lines come from, and the worker once it is known."""
_LEVEL_NAMES = {"warning": "WARN", "critical": "ERROR"}


def configure_logging(log_format: Literal["console", "json"], level: str) -> None:
    """Send our events and the warnings of libraries to stderr in one format."""
    _configure_events(log_format, level)
    # Libraries log through the standard module. PgQueuer and the SDK are chatty below WARNING.
    numeric = max(getattr(logging, level), logging.WARNING)
    logging.basicConfig(level=numeric, handlers=[_Libraries()], force=True)
    logging.getLogger("pgqueuer").setLevel(logging.ERROR)
    # It logs each attempt to reach a database that is down; we log once that it is.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    # Its warnings are about malformed requests; the response tells the client.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def log_errors_only() -> None:
    """Log our errors only. For programs that use Weighbridge as a library: the logging of the
    program itself is not changed.
    """
    _configure_events("console", "ERROR")


def is_json() -> bool:
    """Whether the log format is JSON: then nothing else may be written to stderr."""
    return _is_json


def identify(worker: str) -> None:
    """Name this worker in all further log lines."""
    _origin["worker"] = worker


def _add_origin(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Processor of structlog that adds host and worker to an event, and returns it."""
    event.update(_origin)
    return event


class _Libraries(logging.Handler):
    """Handler that writes the log lines of libraries in the format of ours."""

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
    """Set format and level of our own events."""
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
    """An event as one line of JSON, with bidirectional controls escaped too, which `json.dumps`
    leaves as they are.
    """
    return visible(json.dumps(event, ensure_ascii=False, **options))


class _Stderr:
    """A logger for structlog that writes each line to the current `sys.stderr`, which a live
    display replaces while it is shown.
    """

    def msg(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")  # in one piece: two threads may log at once

    debug = info = warning = error = msg


def _console(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    """An event as a console line: time, level and sentence, with the traceback below if any."""
    level = str(event.get("level", "info"))
    said = one_line(str(event.get("message", event["event"])))
    line = f"{event['timestamp'][:19]}Z {_LEVEL_NAMES.get(level, level.upper()):5} {said}"
    return f"{line}\n{visible(event['exception'])}" if "exception" in event else line


Watcher = Callable[[str, str, str, Mapping[str, Any]], None]
"""A function that gets level, event name, message and fields of every log line from INFO up, in the
thread that logs it. It must be quick and must not raise.
"""

_watchers: tuple[Watcher, ...] = ()


def watch(watcher: Watcher) -> None:
    """Pass every log line to `watcher` from now on, for example to the dashboard's live view."""
    global _watchers  # replaced, never changed: another thread may be going through it
    _watchers = (*_watchers, watcher)


def unwatch(watcher: Watcher) -> None:
    """Stop passing log lines to `watcher`."""
    global _watchers
    _watchers = tuple(known for known in _watchers if known != watcher)


def _tell_watchers(level: str, event: str, message: str, fields: Mapping[str, Any]) -> None:
    for watcher in _watchers:
        watcher(level, event, message, fields)


def debug(event: str, message: str, **fields: Any) -> None:
    """Log a detail for debugging."""
    _logger.debug(event, message=message, **fields)


def info(event: str, message: str, **fields: Any) -> None:
    """Log an expected event."""
    _logger.info(event, message=message, **fields)
    _tell_watchers("INFO", event, message, fields)


def warning(event: str, message: str, **fields: Any) -> None:
    """Log a problem that the program handles."""
    _logger.warning(event, message=message, **fields)
    _tell_watchers("WARN", event, message, fields)


def error(event: str, message: str, **fields: Any) -> None:
    """Log a problem that needs attention."""
    _logger.error(event, message=message, **fields)
    _tell_watchers("ERROR", event, message, fields)


def crashed(event: str, message: str, **fields: Any) -> None:
    """Log an unexpected error with its traceback; call in an except block."""
    _logger.error(event, message=message, exc_info=True, **fields)  # noqa: LOG014
    _tell_watchers("ERROR", event, message, fields)


# Also for programs that never call `configure_logging`: the library's own default shows local
# variables.
_configure_events("console", "INFO")
