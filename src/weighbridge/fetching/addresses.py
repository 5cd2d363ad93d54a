"""Decides which network addresses a catalogue may make us talk to: public ones, and nothing else.

A picture's address comes from a file that anybody may have written. If we followed it blindly, it
could reach this machine, its neighbours, or a cloud's metadata service (169.254.169.254). Pure.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from weighbridge.errors import PictureRefused

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All IPv6 addresses that IANA has given out for the public Internet:
https://www.iana.org/assignments/ipv6-address-space
"""
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: in an address of this network the last 32 bits are an IPv4 address, to which a gateway
would pass the request on.
"""
_NEVER: Final = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's service for its virtual machines, under a public address
        "192.0.0.0/24",  # RFC 6890; Oracle's metadata among them. Early Python 3.11 knows a part
        "192.88.99.0/24",  # RFC 7526: relays of 6to4, no longer in use
        "3fff::/20",  # RFC 9637: documentation
    )
)
"""Networks that are refused although Python may call their addresses global."""
_IPV4_BITS: Final = 0xFFFF_FFFF
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""RFC 5214: the 32 bits that stand in an IPv6 address before an IPv4 address in its last 32 bits.
"""


def require_public(address: str, host: str) -> None:
    """Raise PictureRefused unless `address`, which is that of `host`, is a public unicast
    address.
    """
    if not is_public(address):
        leads = "" if address == host else f" leads to {address}, which"
        raise PictureRefused(
            f"{host}{leads} is not a public address. Use a public address, or upload the picture to "
            "the product."
        )


def is_public(address: str) -> bool:
    """Whether this IP address, with or without a zone, is public, and so are all embedded in it."""
    return all(_is_public(part) for part in _with_embedded(ip_address(address)))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether this one address is a public unicast address, whatever is embedded in it."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    is_global = address.is_global and not address.is_multicast
    return is_global and not any(address in network for network in _NEVER)


def _with_embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address and the IPv4 addresses embedded in it.

    Where the system connects to the embedded address instead, only that one.
    """
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    last = IPv4Address(int(address) & _IPV4_BITS)
    if address in _NAT64:
        return [last]
    embedded = [address.sixtofour, *(address.teredo or ())]
    if int(address) >> 32 & _IPV4_BITS in _ISATAP:
        embedded.append(last)
    return [address, *(each for each in embedded if each is not None)]
