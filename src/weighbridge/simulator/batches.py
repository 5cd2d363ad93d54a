"""The simulated Batch API: upload a file of requests, wait, download the answers.

Files are kept in memory. A batch answers its lines within `batch_delay_s`, a part at a time; some
expire with a part of their answers. As at OpenAI, a batch that exceeds the limit of enqueued tokens
fails after its creation: https://developers.openai.com/api/docs/guides/batch
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from weighbridge.simulator.chance import fault_for, throw_dice
from weighbridge.simulator.completions import complete, completion_body
from weighbridge.simulator.config import Fault
from weighbridge.simulator.prompt_cache import Cached
from weighbridge.simulator.questions.chat import check_chat_request
from weighbridge.simulator.questions.faults import ApiFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.simulator.account import Account

ENDPOINT: Final = "/v1/chat/completions"
MAX_LINES: Final = 50_000
_PARTS: Final = 10  # of the time that a batch takes; after each its counts are seen to grow
_LINES_AT_ONCE: Final = 16  # then others get a turn on the event loop
_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_CONNECTION_FAULTS: Final = frozenset(
    {Fault.RATE, Fault.ERROR500, Fault.HTML, Fault.DROP, Fault.TIMEOUT}
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded or produced file."""

    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int

    def as_json(self) -> dict[str, Any]:
        """The file object in OpenAI's form."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass(slots=True)
class Batch:
    """One batch; `moments` holds the Unix time of each change of its status."""

    id: str
    input_file_id: str
    completion_window: str
    metadata: dict[str, str] | None
    status: str
    moments: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(
        default_factory=lambda: {"total": 0, "completed": 0, "failed": 0}
    )
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0  # of its prompts

    def as_json(self) -> dict[str, Any]:
        """The batch object in OpenAI's form."""
        names = (
            "in_progress",
            "finalizing",
            "completed",
            "failed",
            "cancelling",
            "cancelled",
            "expired",
        )
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": ENDPOINT,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": self.completion_window,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": self.moments["created"],
            "expires_at": self.moments["created"] + 86_400,
            **{f"{name}_at": self.moments.get(name) for name in names},
            "request_counts": dict(self.counts),
            "metadata": self.metadata,
        }


class BatchDesk:
    """Files and batches of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._files: dict[str, StoredFile] = {}
        self._batches: dict[str, Batch] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._file_number = 0

    def add_file(self, filename: str, purpose: str, content: bytes) -> StoredFile:
        """Store a file; returns it with its new id."""
        self._file_number += 1
        file = StoredFile(
            f"file-sim{self._file_number:06d}", filename, purpose, content, self._now()
        )
        self._files[file.id] = file
        return file

    def files(self) -> list[StoredFile]:
        """All files, newest first."""
        return list(reversed(self._files.values()))

    def file(self, file_id: str) -> StoredFile:
        """The file with this id. Raises the API's 404."""
        if file_id not in self._files:
            raise ApiFault(404, f"No such File object: {file_id}", param="id")
        return self._files[file_id]

    def delete_file(self, file_id: str) -> None:
        """Delete a file. Raises the API's 404."""
        del self._files[self.file(file_id).id]

    def batches(self) -> list[Batch]:
        """All batches, newest first."""
        return list(reversed(self._batches.values()))

    def batch(self, batch_id: str) -> Batch:
        """The batch with this id. Raises the API's 404."""
        if batch_id not in self._batches:
            raise ApiFault(404, f"No batch found with id '{batch_id}'.")
        return self._batches[batch_id]

    def create(self, request: Any) -> Batch:
        """Start a batch in a task of its own; returns it with its new id.

        Raises ApiFault for a wrong endpoint, completion window or file.
        """
        if not isinstance(request, dict) or request.get("endpoint") != ENDPOINT:
            raise ApiFault(
                400, f"The simulator takes batches for {ENDPOINT} only.", param="endpoint"
            )
        if request.get("completion_window") != "24h":
            raise ApiFault(
                400, "Invalid 'completion_window': expected '24h'.", param="completion_window"
            )
        file = self.file(str(request.get("input_file_id")))
        number = len(self._batches) + 1
        self._count_batch(file.id, request.get("metadata"))
        batch = Batch(
            f"batch_sim{number:06d}", file.id, "24h", request.get("metadata"), "validating"
        )
        batch.moments["created"] = self._now()
        self._batches[batch.id] = batch
        task = asyncio.create_task(self._run(batch, file))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return batch

    def cancel(self, batch_id: str) -> Batch:
        """Have a batch end early; lines that are answered stay so.

        Raises:
            ApiFault: the batch is unknown or has ended.
        """
        batch = self.batch(batch_id)
        if batch.status not in ("validating", "in_progress"):
            raise ApiFault(400, f"Cannot cancel a batch with status '{batch.status}'.")
        self._set_status(batch, "cancelling")
        return batch

    def _count_batch(self, file_id: str, metadata: dict[str, str] | None) -> None:
        """Count a new batch in the books, and whether an earlier one had its file or metadata."""
        books = self._account.books
        books.batches += 1
        before = self._batches.values()
        if any(b.input_file_id == file_id or (metadata and b.metadata == metadata) for b in before):
            books.batches_repeated += 1

    async def _run(self, batch: Batch, file: StoredFile) -> None:
        """Validate a batch, answer its lines, and store its output and error file.

        Lines that have no answer when the batch expires or is cancelled go to the error file.
        """
        lines, batch.errors = _read_lines(file.content)
        if not batch.errors:
            batch.tokens = self._tokens_of(lines)
            batch.errors = self._too_many_tokens(batch)
        if batch.errors:
            self._set_status(batch, "failed")
            return
        batch.counts["total"] = len(lines)
        if batch.status == "validating":
            self._set_status(batch, "in_progress")
        outputs: list[bytes] = []
        failures: list[bytes] = []
        in_time, expires = self._lines_in_time(batch, len(lines))
        await self._answer_lines(batch, lines[:in_time], outputs, failures)
        is_cancelled = batch.status == "cancelling"
        done = len(outputs) + len(failures)
        code = "batch_cancelled" if is_cancelled else "batch_expired"
        failures += [
            _unanswered(batch, number, line, code) for number, line in enumerate(lines[done:], done)
        ]
        if not is_cancelled:
            self._set_status(batch, "finalizing")
        if outputs:
            batch.output_file_id = self._store_results(batch, "output", outputs)
        if failures:
            batch.error_file_id = self._store_results(batch, "error", failures)
        ended = "expired" if expires else "completed"
        self._set_status(batch, "cancelled" if is_cancelled else ended)

    async def _answer_lines(
        self,
        batch: Batch,
        lines: list[dict[str, Any]],
        outputs: list[bytes],
        failures: list[bytes],
    ) -> None:
        """Answer the lines, a part at a time, until the batch is cancelled; results are appended to
        `outputs` and `failures`.
        """
        part = max(1, -(-len(lines) // _PARTS))
        for first in range(0, max(1, len(lines)), part):
            await self._account.clock.sleep(self._account.config.batch_delay_s / _PARTS)
            for number, line in enumerate(lines[first : first + part], first):
                if batch.status == "cancelling":
                    return
                self._answer(batch, number, line, outputs, failures)
                if number % _LINES_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _lines_in_time(self, batch: Batch, lines: int) -> tuple[int, bool]:
        """(number of lines that are answered in time, whether the batch expires), by chance."""
        config = self._account.config
        dice = throw_dice(config.seed, batch.id.encode(), 0)
        expires = dice.fault < config.batch_expire
        return (int(lines * dice.place) if expires else lines), expires

    def _tokens_of(self, lines: list[dict[str, Any]]) -> int:
        """Prompt tokens of all lines that are valid requests."""
        tokens = 0
        for line in lines:
            with suppress(ApiFault):
                request = check_chat_request(
                    line["body"], self._account.config, self._account.shelf
                )
                tokens += request.prompt_tokens
        return tokens

    def _too_many_tokens(self, batch: Batch) -> list[dict[str, Any]]:
        """A list with the error of a batch that exceeds the limit of enqueued tokens; else
        empty.
        """
        limit = self._account.config.enqueued_tokens
        waiting = sum(b.tokens for b in self._batches.values() if b.status not in _ENDED)
        if limit is None or waiting <= limit:
            return []
        message = (
            f"Enqueued token limit reached for simulated in organization org-simulated. Limit: {limit:,} "
            "enqueued tokens. Please try again once some in_progress batches have been completed."
        )
        return [{"code": "token_limit_exceeded", "message": message, "param": None, "line": None}]

    def _answer(
        self,
        batch: Batch,
        number: int,
        line: dict[str, Any],
        outputs: list[bytes],
        failures: list[bytes],
    ) -> None:
        """Append the line's result to `outputs`, or to `failures` unless its status is 200."""
        try:
            status, body = 200, self._completion(batch, number, line["body"])
        except ApiFault as refused:
            status, body = refused.status, refused.body
        result = {
            "id": f"batch_req_{batch.id}_{number}",
            "custom_id": line["custom_id"],
            "response": {
                "status_code": status,
                "request_id": f"req_{batch.id}_{number}",
                "body": body,
            },
            "error": None,
        }
        (outputs if status == 200 else failures).append(to_json(result))
        batch.counts["completed" if status == 200 else "failed"] += 1

    def _completion(self, batch: Batch, number: int, content: Any) -> dict[str, Any]:
        """The billed completion of a line. Raises ApiFault where a live call would have failed."""
        account, books = self._account, self._account.books
        request = check_chat_request(content, account.config, account.shelf)
        books.batch_requests += 1
        dice = throw_dice(account.config.seed, request.digest, books.prompts.ask(request.digest))
        fault = fault_for(account.config.faults, dice)
        if fault in _CONNECTION_FAULTS:
            message = "The server had an error while processing your request."
            raise ApiFault(500, message, kind="server_error")
        completion = complete(request, account.config, fault, dice)
        # Batches of models before GPT-5 do not read the prompt cache.
        cached = account.cached(request) if request.bills_cache_writes else Cached()
        books.bill(request.prompt_tokens, cached, completion.output_tokens, in_batch=True)
        books.calls_by_tier["batch"] += 1
        if completion.is_sound:
            books.prompts.answer(request.digest)
        for key in completion.sound:
            books.products.answer(key)
        return completion_body(
            request, completion, f"chatcmpl-{batch.id}-{number}", self._now(), cached
        )

    def _store_results(self, batch: Batch, kind: str, rows: list[bytes]) -> str:
        """Store the rows as a file; returns its id."""
        content = b"\n".join(rows) + b"\n"
        return self.add_file(f"{batch.id}_{kind}.jsonl", "batch_output", content).id

    def _set_status(self, batch: Batch, status: str) -> None:
        batch.status = status
        batch.moments[status] = self._now()

    def _now(self) -> int:
        return int(self._account.clock.now().timestamp())


def _unanswered(batch: Batch, number: int, line: dict[str, Any], code: str) -> bytes:
    """The line of the error file for a request that was not executed."""
    message = {
        "batch_expired": "This request could not be executed before the completion window expired.",
        "batch_cancelled": "This request was cancelled before it was executed.",
    }[code]
    return to_json(
        {
            "id": f"batch_req_{batch.id}_{number}",
            "custom_id": line["custom_id"],
            "response": None,
            "error": {"code": code, "message": message},
        }
    )


def _read_lines(content: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(valid lines of a batch file, what is wrong with it: at most ten bad lines)."""
    lines: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, line in _parsed(content):
        fault = _line_fault(line, seen)
        if fault is None:
            lines.append(line)
        elif len(errors) < 10:
            errors.append({"code": fault[0], "message": fault[1], "param": None, "line": number})
    if not lines and not errors:
        errors.append(
            {"code": "empty_file", "message": "The file is empty.", "param": None, "line": None}
        )
    if len(lines) > MAX_LINES:
        message = f"At most {MAX_LINES} requests are allowed in a batch."
        errors.append({"code": "too_many_tasks", "message": message, "param": None, "line": None})
    return lines, errors


def _parsed(content: bytes) -> Iterator[tuple[int, Any]]:
    """(line number from 1, its JSON or None) of each line that is not blank."""
    for number, text in enumerate(content.splitlines(), start=1):
        if text.strip():
            try:
                yield number, from_json(text)
            except ValueError:
                yield number, None


def _line_fault(line: Any, seen: set[str]) -> tuple[str, str] | None:
    """(code, message) of what is wrong with a line, in OpenAI's words; None if nothing is.

    Adds the line's `custom_id` to `seen`.
    """
    if not isinstance(line, dict):
        return "invalid_json_line", "This line is not parseable as valid JSON."
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        return "missing_required_parameter", "Missing required parameter: 'custom_id'."
    if custom_id in seen:
        return "duplicate_custom_id", f"The custom_id '{custom_id}' appears more than once."
    seen.add(custom_id)
    if line.get("method") != "POST" or line.get("url") != ENDPOINT:
        return "mismatched_endpoint", f"Every line must be a POST to {ENDPOINT}."
    return (
        None
        if isinstance(line.get("body"), dict)
        else ("missing_required_parameter", "Missing 'body'.")
    )
