"""The simulator as an ASGI app that speaks OpenAI's HTTP, and a server for it.

It runs under the real SDK in the same process (`transport.py`), or on a port (`serve`). The one
frequent request, POST /v1/chat/completions, is handled first and passes through no framework.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import uvicorn
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.requests import Request
from typing_extensions import override

from weighbridge.clock import Clock, SystemClock
from weighbridge.errors import InputError
from weighbridge.simulator.account import Account
from weighbridge.simulator.batches import BatchDesk
from weighbridge.simulator.config import Keeping
from weighbridge.simulator.http import (
    Receive,
    RequestBodyTooLarge,
    Response,
    Scope,
    Send,
    header,
    json_response,
    read_body,
    send_response,
)
from weighbridge.simulator.questions.chat import model_unknown
from weighbridge.simulator.questions.faults import ApiFault
from weighbridge.simulator.transport import READ_TIMEOUT_KEY, ConnectionDropped, SimulatorTransport

if TYPE_CHECKING:
    from weighbridge.simulator.books import Books
    from weighbridge.simulator.config import SimulatorConfig
    from weighbridge.simulator.models import ModelLimits

MAX_CHAT_BYTES: Final = 64 * 2**20
MAX_FILE_BYTES: Final = 512 * 2**20
_CHAT: Final = "/v1/chat/completions"
_UNFINISHED: Final = "ASGI callable returned without completing response."

Handler = Callable[[Scope, Receive], Awaitable[Response]]


class Simulator:
    """The ASGI app. `books` is the provider's own count of what happened."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.account = Account(config, clock)
        self._batches = BatchDesk(self.account)
        self._calls = 0

    @property
    def books(self) -> Books:
        """The counts of what was admitted, refused, answered and billed."""
        return self.account.books

    @property
    def _lists_stored(self) -> bool:
        return self.account.config.keeping is not Keeping.UNKNOWN

    def transport(self) -> SimulatorTransport:
        """A transport with which an httpx2 client reaches the simulator in this process."""
        return SimulatorTransport(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises ConnectionDropped where a fault breaks the connection."""
        if scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        self._calls += 1
        request_id = f"req_sim{self._calls:010d}"
        is_chat = scope["path"] == _CHAT and scope["method"] == "POST"
        try:
            response = await (
                self._chat(scope, receive) if is_chat else self._other(scope, receive)
            )
        except ApiFault as fault:
            response = json_response(fault.body, fault.status)
        except RequestBodyTooLarge:
            response = json_response(ApiFault(413, "The request is too large.").body, 413)
        except ConnectionDropped:
            if is_chat:
                await send_response(Response(200, b"{}", is_broken=True), send, request_id)
            raise
        if is_chat:
            self.books.statuses[response.status] += 1
        await send_response(response, send, request_id)
        if response.is_broken:
            raise ConnectionDropped(
                "peer closed connection without sending complete message body (simulated)"
            )

    async def _chat(self, scope: Scope, receive: Receive) -> Response:
        """Answer a chat completion. With `Keeping.ATTENDED`, a call over a socket is given up when
        the client closes its connection.

        Raises:
            ApiFault: the key or the request is wrong, or there is an outage.
        """
        account = self.account
        account.books.received += 1
        body = await read_body(receive, MAX_CHAT_BYTES)
        account.check_key(header(scope, b"authorization"))
        account.check_outage()
        work = account.chat(body, scope.get(READ_TIMEOUT_KEY))
        comes_by_socket = READ_TIMEOUT_KEY not in scope  # in-process clients cancel the work itself
        if account.config.keeping is Keeping.ATTENDED and comes_by_socket:
            return await _until_client_leaves(work, receive)
        return await work

    async def _other(self, scope: Scope, receive: Receive) -> Response:
        """Answer any request but a chat completion, by method and path."""
        parts = scope["path"].strip("/").split("/")
        route = f"{scope['method']} {'/'.join(parts[:2])}"
        if parts[0] == "v1":
            self.account.check_key(header(scope, b"authorization"))
            self.account.check_outage()
        match route, parts[2:]:
            case "GET simulator/books", []:
                return json_response(self.books.as_json(self.account.clock.monotonic_s()))
            case "GET simulator/config", []:
                return json_response(self.account.settings())
            case "POST simulator/config", []:
                return await self._change(receive)
            case "GET v1/chat", ["completions"] if self._lists_stored:
                return self.account.stored(scope["query_string"])
            case "GET v1/models", []:
                return json_response(
                    {
                        "object": "list",
                        "data": [
                            _model(name, limits)
                            for name, limits in self.account.config.models.items()
                        ],
                    }
                )
            case "GET v1/models", [name]:
                limits = self.account.config.models.get(name)
                if limits is None:
                    raise model_unknown(name)
                return json_response(_model(name, limits))
            case _:
                pass
        if not self.account.config.has_batches:
            raise _no_such_route(scope)
        if route.endswith("v1/files"):
            return await self._files(scope, receive, parts[2:])
        if route.endswith("v1/batches"):
            return await self._batch(scope, receive, parts[2:])
        raise _no_such_route(scope)

    async def _change(self, receive: Receive) -> Response:
        """Answer POST /simulator/config. Raises ApiFault for a wrong setting."""
        changes = _json_body(await read_body(receive, MAX_CHAT_BYTES))
        try:
            return json_response(self.account.change(changes))
        except InputError as error:
            raise ApiFault(400, str(error)) from error

    async def _files(self, scope: Scope, receive: Receive, rest: list[str]) -> Response:
        """Answer /v1/files: upload, list, show, download, delete; ApiFault for other routes."""
        desk = self._batches
        match scope["method"], rest:
            case "POST", []:
                return json_response((await self._upload(scope, receive)).as_json())
            case "GET", []:
                return json_response(_listing([file.as_json() for file in desk.files()]))
            case "GET", [file_id]:
                return json_response(desk.file(file_id).as_json())
            case "GET", [file_id, "content"]:
                return Response(
                    200, desk.file(file_id).content, media_type=b"application/octet-stream"
                )
            case "DELETE", [file_id]:
                desk.delete_file(file_id)
                return json_response({"id": file_id, "object": "file", "deleted": True})
            case _:
                pass
        raise _no_such_route(scope)

    async def _upload(self, scope: Scope, receive: Receive) -> Any:
        """Store an uploaded file.

        Raises:
            ApiFault: a part of the form is missing.
            RequestBodyTooLarge: the file is above MAX_FILE_BYTES.
        """
        async with Request(scope, receive).form(max_part_size=MAX_FILE_BYTES) as form:
            upload, purpose = form.get("file"), form.get("purpose")
            if not isinstance(upload, UploadFile) or not isinstance(purpose, str):
                raise ApiFault(
                    400, "Upload a file as multipart/form-data with 'file' and 'purpose'."
                )
            content = await upload.read()
            if len(content) > MAX_FILE_BYTES:
                raise RequestBodyTooLarge
            return self._batches.add_file(upload.filename or "upload", purpose, content)

    async def _batch(self, scope: Scope, receive: Receive, rest: list[str]) -> Response:
        """Answer /v1/batches: create, list, show, cancel; ApiFault for other routes."""
        desk = self._batches
        match scope["method"], rest:
            case "POST", []:
                return json_response(
                    desk.create(_json_body(await read_body(receive, MAX_CHAT_BYTES))).as_json()
                )
            case "GET", []:
                return json_response(_page(scope, [batch.as_json() for batch in desk.batches()]))
            case "GET", [batch_id]:
                return json_response(desk.batch(batch_id).as_json())
            case "POST", [batch_id, "cancel"]:
                return json_response(desk.cancel(batch_id).as_json())
            case _:
                pass
        raise _no_such_route(scope)


def create_app(config: SimulatorConfig, clock: Clock) -> Simulator:
    """The simulated provider as an ASGI app."""
    return Simulator(config, clock)


def serve(config: SimulatorConfig, host: str = "127.0.0.1", port: int = 8001) -> None:
    """Run the simulated provider on a port until it is interrupted."""
    # Connections that a fault breaks off are no errors of the server.
    logging.getLogger("uvicorn.error").addFilter(_BrokenOnPurpose())
    app = _UvicornApp(create_app(config, SystemClock()))
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


class _UvicornApp:
    """The app for uvicorn: a broken response ends without an exception, so that uvicorn closes the
    connection.
    """

    def __init__(self, app: Simulator) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ConnectionDropped:
            return


class _BrokenOnPurpose(logging.Filter):
    """Removes uvicorn's log lines about connections that were broken on purpose."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg != _UNFINISHED


async def _until_client_leaves(work: Coroutine[Any, Any, Response], receive: Receive) -> Response:
    """The response of the work, which is cancelled when the client closes its connection.

    Raises:
        ConnectionDropped: the client has gone.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ConnectionDropped("the client has gone (simulated)")
        return working.result()
    finally:
        gone.cancel()
        working.cancel()


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    """Answer ASGI's lifespan messages; there is nothing to start or stop."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def _json_body(body: bytes) -> Any:
    """The JSON object in a body. Raises ApiFault for anything else."""
    try:
        content = from_json(body)
    except ValueError:
        raise ApiFault(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(content, dict):
        raise ApiFault(400, "The body of your request must be a JSON object.")
    return content


def _model(name: str, limits: ModelLimits) -> dict[str, Any]:
    """The model object in OpenAI's form."""
    return {
        "id": name,
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "simulated",
        "shutdown_date": limits.shutdown.isoformat() if limits.shutdown else None,
    }


def _page(scope: Scope, data: list[dict[str, Any]]) -> dict[str, Any]:
    """One page of a list: `limit` entries (20 by default) after the one with the id `after`.

    Raises:
        ApiFault: the limit is not within 1 and 100.
    """
    query = parse_qs(scope["query_string"].decode())
    after, limit = query.get("after", [""])[0], query.get("limit", ["20"])[0]
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise ApiFault(400, "Invalid 'limit': expected 1 to 100.", param="limit")
    ids = [entry["id"] for entry in data]
    first = ids.index(after) + 1 if after in ids else 0
    last = first + int(limit)
    return {**_listing(data[first:last]), "has_more": last < len(data)}


def _listing(data: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole list in OpenAI's form."""
    ids = [entry["id"] for entry in data]
    return {
        "object": "list",
        "data": data,
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }


def _no_such_route(scope: Scope) -> ApiFault:
    return ApiFault(404, f"Invalid URL ({scope['method']} {scope['path']})")
