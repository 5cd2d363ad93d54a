"""The Batch API of OpenAI and of servers that speak it: files of questions, answered within a day.

Everything here goes through the SDK's own client: a few requests an hour, unlike the calls in
`openai.py`. What a batch is and how it ends: https://developers.openai.com/api/docs/guides/batch ·
https://help.openai.com/en/articles/9197833-batch-api-faq
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import openai
from pydantic_core import from_json, to_json
from typing_extensions import override

from weighbridge.domain.batches import BatchStatus, RemoteBatch, ResultFile, ResultLine
from weighbridge.domain.calls import Lane
from weighbridge.errors import EmptyReply, ModelUnknown, NoBatchApi, ProviderOverloaded
from weighbridge.providers.base import BatchService
from weighbridge.providers.faults.evidence import STATUS_IF_UNSTATED
from weighbridge.providers.faults.kinds import FAILURES
from weighbridge.providers.faults.messages import translate
from weighbridge.providers.replies.bodies import HiddenError, read_completion
from weighbridge.providers.replies.reading import Arrival, read_reply
from weighbridge.providers.requests.bodies import encoded_body
from weighbridge.providers.sdk import QUESTIONS
from weighbridge.providers.wire import Received, UnusableReply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai.types import Batch

    from weighbridge.domain.calls import CallReply, CallRequest
    from weighbridge.providers.faults.messages import CallTarget
    from weighbridge.providers.requests.capabilities import Capabilities
    from weighbridge.providers.sdk import Sdk

KEY_NAME: Final = "weighbridge_batch"
"""Name of the entry in a batch's metadata that carries our own key for it."""
URL: Final = f"/v1{QUESTIONS}"
FILE_TIMEOUT_S: Final = 600.0
"""Seconds to wait for the next bytes of a file that is uploaded or fetched."""
_NO_SUCH_ENDPOINT: Final = frozenset({400, 404, 405, 501})
_NOT_FOUND: Final = 404


class OpenAIBatches(BatchService):
    """The Batch API of one `OpenAIProvider`.

    `target` gives what error messages need about a request, `capabilities` the parameters that the
    server is known to take now. `observe` is called with each chat completion that is read.
    """

    def __init__(
        self,
        sdk: Sdk,
        model: str,
        target: Callable[[CallRequest | None], CallTarget],
        capabilities: Callable[[], Capabilities],
        observe: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._sdk = sdk
        self._model = model
        self._target = target
        self._capabilities = capabilities
        self._observe = observe
        self.enqueued_tokens: int | None = None

    @override
    def line(self, key: str, request: CallRequest) -> bytes:
        """The request as a JSON line of an input file, with the key as `custom_id`."""
        # A batch is a tier of its own.
        body = encoded_body(request, self._model, replace(self._capabilities(), tier=None))
        frame = to_json({"custom_id": key, "method": "POST", "url": URL})
        return frame[:-1] + b',"body":' + body + b"}"

    @override
    async def check(self) -> None:
        """List one batch, which costs nothing; raises NoBatchApi if there is no such route."""
        try:
            await self._sdk.client.batches.list(limit=1)
        except openai.APIStatusError as error:
            if error.status_code in _NO_SUCH_ENDPOINT:
                raise self._no_batch_api() from error
            raise translate(error, self._target(None)) from error
        except FAILURES as error:
            raise translate(error, self._target(None)) from error

    @override
    async def upload(self, name: str, content: bytes) -> str:
        """Returns the provider's id of the file. Raises NoBatchApi where there is no such route."""
        try:
            file = await self._sdk.client.files.create(
                file=(name, content, "application/jsonl"), purpose="batch", timeout=FILE_TIMEOUT_S
            )
        except openai.NotFoundError as error:
            raise self._no_batch_api() from error
        except FAILURES as error:
            raise translate(error, self._target(None)) from error
        return file.id

    @override
    async def create(self, file_id: str, key: str) -> RemoteBatch:
        """Submit the file as a batch, with the key in its metadata."""
        try:
            batch = await self._sdk.client.batches.create(
                input_file_id=file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={KEY_NAME: key},
            )
        except FAILURES as error:
            raise translate(error, self._target(None)) from error
        return _as_remote_batch(batch)

    @override
    async def find(self, file_id: str, key: str) -> RemoteBatch | None:
        """The first listed batch with this input file or this key; None if there is none."""
        try:
            async for batch in self._sdk.client.batches.list(limit=100):
                if batch.input_file_id == file_id or (batch.metadata or {}).get(KEY_NAME) == key:
                    return _as_remote_batch(batch)
        except FAILURES as error:
            raise translate(error, self._target(None)) from error
        return None

    @override
    async def look(self, batch_id: str) -> RemoteBatch | None:
        """The batch as it stands now; None when the provider does not know it."""
        try:
            return _as_remote_batch(await self._sdk.client.batches.retrieve(batch_id))
        except openai.NotFoundError:
            return None
        except FAILURES as error:
            raise translate(error, self._target(None)) from error

    @override
    async def results(self, file_id: str) -> ResultFile:
        """The results in the file; `is_missing` is set when the provider does not have it."""
        try:
            response = await self._sdk.client.files.content(file_id, timeout=FILE_TIMEOUT_S)
        except openai.NotFoundError:
            return ResultFile(is_missing=True)
        except FAILURES as error:
            raise translate(error, self._target(None)) from error
        return read_file(response.content)

    @override
    async def reply(self, line: ResultLine, request: CallRequest) -> CallReply:
        """The reply in a line. Raises the `ProviderError` that a call would have raised."""
        try:
            completion = await self._completion(line)
        except (*FAILURES, UnusableReply) as error:
            raise translate(error, self._target(request)) from error
        self._observe(completion)
        arrival = Arrival(request_id=line.request_id, service_tier=Lane.BATCH.value)
        try:
            return read_reply(completion, request=request, model=self._model, arrival=arrival).reply
        except EmptyReply as empty:
            if empty.is_only_reasoning:
                raise ModelUnknown(str(empty)) from empty
            raise

    async def _completion(self, line: ResultLine) -> Mapping[str, Any]:
        """The chat completion in a line. Raises what the SDK raises where the line has an error
        status or none, or a body that is an error in spite of status 200.
        """
        status = line.status or STATUS_IF_UNSTATED
        if 200 <= status < 300:
            try:
                return read_completion(line.body)
            except HiddenError as hidden:
                status = hidden.status or STATUS_IF_UNSTATED
        headers = {"content-type": "application/json"}
        raise await self._sdk.error_for(Received(status, headers, line.body))

    def _no_batch_api(self) -> NoBatchApi:
        host = self._target(None).host
        return NoBatchApi(
            f"{host} has no Batch API (/v1/batches). Use --lane online, or --lane flex if the "
            "server has that service tier."
        )


def read_file(content: bytes) -> ResultFile:
    """The results in an output or error file, and the number of lines that cannot be read."""
    written = [line for line in content.splitlines() if line.strip()]
    lines = tuple(found for line in written if (found := read_line(line)) is not None)
    return ResultFile(lines, unreadable=len(written) - len(lines))


def read_line(line: bytes) -> ResultLine | None:
    """One line of an output or error file; None for a line that is not a result."""
    if not line.strip():
        return None
    try:
        row = from_json(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str):
        return None
    response = row.get("response")
    if not isinstance(response, dict) or not isinstance(response.get("status_code"), int):
        return ResultLine(row["custom_id"])
    request_id = response.get("request_id")
    return ResultLine(
        row["custom_id"],
        response["status_code"],
        to_json(response.get("body")),
        request_id if isinstance(request_id, str) else None,
    )


def _as_remote_batch(batch: Batch) -> RemoteBatch:
    """The SDK's batch as our record. Raises ProviderOverloaded for a status that we do not know."""
    try:
        status = BatchStatus(batch.status)
    except ValueError:
        raise ProviderOverloaded(
            f"Batch {batch.id} has a status that Weighbridge does not know: {batch.status}. If it "
            "stays so, upgrade Weighbridge."
        ) from None
    counts = batch.request_counts
    problems = (batch.errors.data or []) if batch.errors else []
    return RemoteBatch(
        id=batch.id,
        status=status,
        total=counts.total if counts else 0,
        completed=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        result_files=tuple(filter(None, (batch.output_file_id, batch.error_file_id))),
        problems=tuple((problem.code or "", problem.message or "") for problem in problems),
    )
