"""Which addresses a stranger's file may make us talk to."""

from __future__ import annotations

import pytest

from weighbridge.errors import PictureRefused
from weighbridge.fetching.addresses import is_public, require_public


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(address)
    require_public(address, "example.com")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104 - an example, nothing binds to it
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "::127.0.0.1",  # IPv4-compatible
        "::ffff:0:127.0.0.1",  # IPv4-translated
        "64:ff9b:1::1",
        "2001:0:7f00:1::",  # Teredo
        "2606:2800::5efe:127.0.0.1",  # ISATAP
        "2606:2800::200:5efe:10.0.0.1",
        "fec0::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "4000::1",
        "168.63.129.16",
        "192.0.0.192",
        "100.100.100.200",
        "240.0.0.1",
    ],
)
def test_addresses_of_this_machine_its_neighbours_and_the_cloud_are_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(PictureRefused, match="not a public address"):
        require_public(address, "pictures.example")
