"""Which proxy the environment names for an address: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
NO_PROXY.

The rules are those of the SDK's own HTTP client. aiohttp's differ: it knows no ALL_PROXY and no
networks, and would read `.netrc`. Used by `network.py`, once for each provider.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

from weighbridge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def proxy_for(url: str, named: Mapping[str, str] | None = None) -> str | None:
    """The URL of the proxy for requests to `url`; None: no proxy. `named` replaces the proxies of
    the environment in tests.

    Raises:
        SettingsError: the proxy is neither http:// nor https://.
    """
    named = getproxies() if named is None else named
    address = urlsplit(url)
    exempt = [entry.strip().lower() for entry in named.get("no", "").split(",") if entry.strip()]
    proxy = named.get(address.scheme) or named.get("all")
    if not proxy or any(_exempts(entry, address) for entry in exempt):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(proxy).scheme not in _DEFAULT_PORTS:
        raise SettingsError(
            f"The environment names a proxy for {address.scheme} that is neither http:// nor "
            "https://. Set HTTPS_PROXY (or HTTP_PROXY) to one that is, or exempt the provider's "
            "host with NO_PROXY."
        )
    return proxy


def _exempts(entry: str, address: SplitResult) -> bool:
    """Whether an entry of NO_PROXY exempts this address."""
    if entry == "*":
        return True
    scheme, _, place = entry.rpartition("://")
    if scheme not in {"", "all", address.scheme}:
        return False
    host = address.hostname or ""
    with suppress(ValueError):  # names are no networks, and no host in one
        return ip_address(host) in ip_network(place.replace("[", "").replace("]", ""), strict=False)
    name, _, port = place.partition(":")
    if port and port != str(address.port or _DEFAULT_PORTS[address.scheme]):
        return False
    domain = name.removeprefix("*")
    if domain.startswith("."):
        return host.endswith(domain)
    return host == domain or host.endswith(f".{domain}")
