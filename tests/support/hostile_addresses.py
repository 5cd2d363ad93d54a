"""Addresses that a hostile catalogue could name, each of which must never be connected to.

Every way of writing an address is crossed with every forbidden address, so that no single example
can be special-cased.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import product
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_IPV4: Final = tuple(
    IPv4Address(address)
    for address in (
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",  # noqa: S104
        "169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
        "224.0.0.1", "255.255.255.255",
    )
)  # fmt: skip
_IPV6: Final = (
    "::1", "::", "fe80::1", "fe80::1%25lo", "fe80::1%25eth0", "::1%25lo", "fc00::1",
    "fd00:ec2::254", "fd20:ce::254", "ff02::1", "fec0::1", "100::1", "2001:db8::1", "3fff::1",
    "5f00::1", "64:ff9b:1::7f00:1", "0:0:0:0:0:0:0:1",
)  # fmt: skip
_NAMES: Final = (
    "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost",
    "metadata.google.internal", "metadata", "instance-data", "kubernetes.default.svc",
    "127.0.0.1.nip.io", "127-0-0-1.sslip.io", "169-254-169-254.nip.io", "localtest.me",
    "private.example", "both.example", "turns.example", "turns.example.", "xn--maana-pta.example",
    "bücher.example", "ⓔⓧⓐⓜⓟⓛⓔ.ⓒⓞⓜ",
)  # fmt: skip
"""Names: `LyingNames` leads each of them to this machine, one way or another."""
_SCHEMES: Final = (
    "file", "ftp", "ftps", "gopher", "data", "dict", "ldap", "sftp", "ws", "jar", "javascript",
    "unix", "blob", "netdoc", "view-source", "http+unix", "",
)  # fmt: skip
_WIDE: Final = str.maketrans("0123456789.", "０１２３４５６７８９。")
_CIRCLED: Final = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
_ARABIC: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def forbidden_hosts() -> Iterator[str]:
    """Hosts as they stand in an address."""
    for address in _IPV4:
        yield from _written(address)
    for host in _IPV6:
        yield f"[{host}]"
    yield from _NAMES


def _written(address: IPv4Address) -> Iterator[str]:
    """One IPv4 address in the ways that some program or other understands."""
    number, text = int(address), str(address)
    first, *others = address.packed
    rest = int.from_bytes(others, "big")
    yield from (text, text + ".", text.translate(_WIDE), text.translate(_CIRCLED))
    yield from (text.translate(_ARABIC), text.replace(".", "｡"), text.replace(".", "%2e"))
    yield from (str(number), hex(number), f"0{number:o}", str(number + 2**32), f"{first}.{rest}")
    yield from (f"0x{first:x}.{rest}", f"0{first:o}.{rest}", f"{first}.0x{rest:x}")
    yield ".".join(f"{part:#x}" for part in address.packed)
    yield ".".join(f"0{part:o}" for part in address.packed)
    yield ".".join(f"{part:04}" for part in address.packed)
    for lead in ("::", "::ffff:", "::ffff:0:", "0:0:0:0:0:ffff:", "64:ff9b::", "2000::5efe:"):
        yield f"[{lead}{text}]"
    high, low = number >> 16, number & 0xFFFF
    yield from (f"[::ffff:{high:x}:{low:x}]", f"[2002:{high:x}:{low:x}::1]")
    yield f"[2001:0:{high:x}:{low:x}::]"


def hostile_addresses(port: int) -> Iterator[str]:
    """Addresses, most of which would lead to a listener at `port` of this machine."""
    hosts = tuple(dict.fromkeys(forbidden_hosts()))
    for host in hosts:
        yield f"http://{host}:{port}/a.png"
    for host in ("127.0.0.1", "169.254.169.254", "[::1]", "localhost"):
        at = f"{host}:{port}"
        for scheme, slashes in product(_SCHEMES, ("://", ":", ":///")):
            yield f"{scheme}{slashes}{at}/a.png"
        for lead in ("user@", "user:word@", "shop.example@", "shop.example:80@", "@", ":@", "%40@"):
            yield f"http://{lead}{at}/a.png"
            yield f"https://{lead}{at}/a.png"
        for lead in ("shop.example\\@", "shop.example#@", "shop.example?@", "shop.example\t@"):
            yield f"http://{at}\\{lead}{at}/a.png"
            yield f"http://{lead}{at}/a.png"
        for between in (" ", "\t", "\r\n", "\0", "%0d%0aHost:x%0d%0a", "%00", "/../", "\u202e"):
            yield f"http://{between}{at}/a.png"
            yield f"http://{at}{between}/a.png"
        for odd in ("0", "-1", "65536", "99999999999", "abc", "８０", "", " 80", "80:80"):
            yield f"http://{host}:{odd}/a.png"
        yield f"//{at}/a.png"
        yield f"http:/{at}/a.png"
        yield f"http:///{at}/a.png"
        yield f"HTTP://{at}/a.png"
        yield f"http://{at}/{'a' * 100_000}"
    yield from ("", " ", "http", "http:", "http://", "http://[", "http://]", "http://[::1", "\0")
    yield from ("http://.", "http://..", "http://-", f"http://{'a.' * 300}example/", "http://*/")
