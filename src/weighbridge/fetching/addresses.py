"""Which network addresses a catalogue may make us talk to: public ones, and nothing else.

A picture's address comes from a file that anybody may have written. If we followed it blindly, it
could reach this machine, its neighbours, or a cloud's metadata service (169.254.169.254). Pure.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from weighbridge.errors import PictureRefused

_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""RFC 6052 and 8215: the last 32 bits are an IPv4 address, which a gateway would turn to."""
_IPV4_BITS: Final = 0xFFFF_FFFF


def require_public(address: str, host: str) -> None:
    """Raise PictureRefused unless `address`, to which `host` resolves, is a public unicast
    address.
    """
    if not is_public(address):
        raise PictureRefused(
            f"{host} leads to {address}, which is not a public address. Use a public address, or "
            "put the picture beside the catalogue."
        )


def is_public(address: str) -> bool:
    """Whether this IP address, with or without a zone, may be talked to."""
    return all(part.is_global and not part.is_multicast for part in _meant(ip_address(address)))


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address and every IPv4 address that is embedded in it."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if any(address in network for network in _NAT64):
        return [IPv4Address(int(address) & _IPV4_BITS)]
    embedded = [address.sixtofour, *(address.teredo or ())]
    return [address, *(each for each in embedded if each is not None)]
