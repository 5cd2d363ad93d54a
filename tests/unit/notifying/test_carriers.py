"""Webhook and command, against real sockets and real programs."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.loopback import Raw, loopback
from tests.support.webhook_receiver import SECRET, webhook_receiver
from weighbridge.clock import SystemClock
from weighbridge.domain.notices import LONG_AGO, Channel, Notice, NoticeKind, body_of
from weighbridge.domain.products import ProcessingStatus
from weighbridge.notifying.base import NotDelivered
from weighbridge.notifying.command import CommandCarrier
from weighbridge.notifying.webhook import WebhookCarrier

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

COUNTS = dict.fromkeys(ProcessingStatus, 1)


def notice(reason: str = "", channel: Channel = Channel.WEBHOOK) -> Notice:
    body = body_of(NoticeKind.PAUSED, LONG_AGO, COUNTS, reason=reason)
    return Notice("5f0c6a54", channel, NoticeKind.PAUSED, body, LONG_AGO)


def webhook(url: str, timeout_s: float = 30.0) -> WebhookCarrier:
    return WebhookCarrier(url, SECRET, SystemClock(), timeout_s)


async def test_a_receiver_with_the_library_of_the_convention_accepts_the_signature() -> None:
    async with webhook_receiver() as receiver:
        await webhook(receiver.url).deliver(notice("ünïcode 漢"))
    assert receiver.ids == ["msg_5f0c6a54"]
    assert receiver.events[0]["data"]["reason"] == "ünïcode 漢"


@pytest.mark.parametrize(
    ("status", "said", "for_good"),
    [
        (500, "127.0.0.1 answers 500", False),
        (404, "127.0.0.1 answers 404", False),
        (410, "127.0.0.1 answers 410 Gone: it wants no more notices", True),
    ],
)
async def test_everything_but_success_is_no_arrival(status: int, said: str, for_good: bool) -> None:
    async with webhook_receiver() as receiver:
        receiver.statuses = [status]
        with pytest.raises(NotDelivered) as caught:
            await webhook(receiver.url).deliver(notice())
    assert (str(caught.value), caught.value.for_good) == (said, for_good)


async def test_a_redirect_is_not_followed() -> None:
    async with webhook_receiver() as elsewhere:
        head = f"HTTP/1.1 307 -\r\nlocation: {elsewhere.url}\r\ncontent-length: 0\r\n\r\n"
        async with loopback(Raw(head.encode())) as server:
            with pytest.raises(NotDelivered, match="answers 307: redirects are not followed"):
                await webhook(server.url).deliver(notice())
        assert elsewhere.ids == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nx: ",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 99999999 odd\r\n\r\n",
    ],
)
@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_nonsense_is_no_arrival_and_names_the_host_alone(sent: bytes, ending: str) -> None:
    async with loopback(Raw(sent, ending)) as server:
        with pytest.raises(NotDelivered) as caught:
            await webhook(f"{server.url}?token=t0ken").deliver(notice())
    assert "127.0.0.1" in str(caught.value)
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nx: "])
async def test_a_receiver_that_never_ends_its_answer_is_left(sent: bytes) -> None:
    async with loopback(Raw(sent, "keep")) as server:
        with pytest.raises(NotDelivered, match="did not answer within"):
            await webhook(server.url, timeout_s=0.2).deliver(notice())


async def test_an_endless_body_is_not_read() -> None:
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n" + b"x" * 100_000
    async with loopback(Raw(endless, "keep")) as server:
        await webhook(server.url).deliver(notice())
    assert server.connections == 1


async def test_a_program_gets_the_message_on_standard_input_and_no_shell_sees_it(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.json"
    program = (
        "import json, os, sys; json.dump([sys.stdin.read(), sys.argv[2:], dict(os.environ)], "
        "open(sys.argv[1], 'w'))"
    )
    carrier = CommandCarrier([sys.executable, "-c", program, str(out), "$(id)"], {"A": "b"})
    await carrier.deliver(notice("$(rm -rf /); `id`\nBcc: all@example.com", Channel.COMMAND))
    said, arguments, environment = json.loads(out.read_text())
    assert arguments == ["$(id)"]
    assert environment["A"] == "b"
    assert "OPENAI_API_KEY" not in environment
    assert said.splitlines()[0] == "Paused: $(rm -rf /); `id` Bcc: all@example.com"
    assert "completed: 1" in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/no/such/program"], "/no/such/program cannot be run: FileNotFoundError"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with exit code 3"),
        ([sys.executable, "-c", "import time; time.sleep(600)"], "did not end within 1 s"),
    ],
)
async def test_a_program_that_fails_is_no_arrival(command: list[str], said: str) -> None:
    with pytest.raises(NotDelivered, match=said):
        await CommandCarrier(command, {}, timeout_s=1).deliver(notice("", Channel.COMMAND))


async def test_a_program_that_does_not_read_is_an_arrival_if_it_ends_well() -> None:
    carrier = CommandCarrier([sys.executable, "-c", ""], {})
    async with asyncio.timeout(60):
        await carrier.deliver(notice("x" * 1_000_000, Channel.COMMAND))
    assert carrier.channel is Channel.COMMAND
