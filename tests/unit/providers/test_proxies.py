"""Which proxy is taken: the rules of the SDK's own HTTP client, compared with that client."""

from __future__ import annotations

import httpx2
import pytest

from weighbridge.errors import SettingsError
from weighbridge.providers.proxies import proxy_for

PROXY = "http://proxy.example:3128"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("url", ["http://llm.example/v1", "https://api.llm.example:8443/v1"])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HTTP_PROXY": PROXY},
        {"HTTPS_PROXY": PROXY},
        {"https_proxy": "proxy.example:3128"},
        {"ALL_PROXY": PROXY},
        {"ALL_PROXY": PROXY, "NO_PROXY": "*"},
        {"ALL_PROXY": PROXY, "NO_PROXY": "other.example, llm.example"},
        {"ALL_PROXY": PROXY, "NO_PROXY": ".llm.example"},
        {"ALL_PROXY": PROXY, "NO_PROXY": "*.llm.example"},
        {"ALL_PROXY": PROXY, "NO_PROXY": "lm.example"},
        {"ALL_PROXY": PROXY, "NO_PROXY": "llm.example:8443"},
        {"ALL_PROXY": PROXY, "NO_PROXY": "https://api.llm.example"},
        {"ALL_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8,::1,localhost,,"},
    ],
)
def test_the_proxy_is_that_of_the_sdks_own_client(
    url: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_alike(url, environment, monkeypatch)


@pytest.mark.parametrize(
    ("url", "exempt"),
    [
        ("http://10.1.2.3:8080/v1", "10.0.0.0/8"),
        ("http://10.1.2.3:8080/v1", "192.168.0.0/16"),
        ("http://10.1.2.3:8080/v1", "10.1.2.3"),
        ("http://[::1]:8080/v1", "::1"),
        ("http://[fd00::7]/v1", "fd00::/8"),
        ("http://localhost:8080/v1", "localhost"),
        ("http://localhost:8080/v1", "127.0.0.1"),
        ("http://llm.example/v1", "not a host, %%"),
    ],
)
def test_networks_and_addresses_are_exempt_as_for_the_sdks_own_client(
    url: str, exempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_alike(url, {"ALL_PROXY": PROXY, "NO_PROXY": exempt}, monkeypatch)


def _assert_alike(url: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = httpx2.Client()
    # The client has no public way to ask it which transport it would take.
    is_proxied = client._transport_for_url(httpx2.URL(url)) is not client._transport
    client.close()
    assert proxy_for(url) == (PROXY if is_proxied else None)


def test_an_unusable_proxy_is_refused_with_a_remedy() -> None:
    with pytest.raises(SettingsError, match="NO_PROXY"):
        proxy_for("https://llm.example/v1", {"all": "socks5://proxy.example"})
    exempt = {"all": "socks5://proxy.example", "no": "llm.example"}
    assert proxy_for("https://llm.example/v1", exempt) is None
