"""Ports for servers that are told where to listen, and cannot be handed a socket."""

from __future__ import annotations

import os
import random
import socket
from typing import Final

_BELOW_THE_SYSTEMS_OWN: Final = range(20_000, 32_000)
"""From 32,768 on the system takes ports for whoever connects to somebody: one that was free a
moment ago may be gone.
"""


def free_port() -> int:
    """One that nobody listens on, and that no other process of these tests is given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # noqa: TID251 - tests, not the program
    while True:
        port = random.SystemRandom().choice(_BELOW_THE_SYSTEMS_OWN[worker % 8 :: 8])
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
