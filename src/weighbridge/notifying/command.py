"""Delivers notices to a program of the operator, such as `mail`.

The program is run without a shell and gets the message on its standard input. No part of the
message is in the command line, so that no product name, reason or server can add an argument. The
program does not get our keys and tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Final

from weighbridge.domain.notices import Channel
from weighbridge.notifying.base import NotDelivered
from weighbridge.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weighbridge.domain.notices import Notice

TIMEOUT_S: Final = 30.0
"""Time that the program may run before it is killed."""


class CommandCarrier:
    """Runs the operator's program for each notice. One per process."""

    channel = Channel.COMMAND

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._timeout_s = timeout_s

    async def deliver(self, notice: Notice) -> None:
        """Run the program once; with exit code 0 the notice counts as delivered."""
        name = self._command[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environment,
            )
        except (OSError, ValueError) as error:
            raise NotDelivered(f"{name} cannot be run: {type(error).__name__}") from None
        try:
            async with asyncio.timeout(self._timeout_s):
                await process.communicate(text_of(notice).encode())
        except TimeoutError:
            raise NotDelivered(f"{name} did not end within {self._timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            raise NotDelivered(f"{name} ended with exit code {process.returncode}")


def text_of(notice: Notice) -> str:
    """The text that the program gets: the message, its type and time, and the number of products in
    each status.
    """
    document = json.loads(notice.body)
    data = document["data"]
    lines = [one_line(data["message"]), "", f"{document['type']}, {document['timestamp']}"]
    lines += [f"{status}: {number:,}" for status, number in data["products"].items()]
    return "\n".join(lines) + "\n"
