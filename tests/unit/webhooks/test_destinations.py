"""Where events may go: URLs with one reading, and addresses of the public Internet."""

from __future__ import annotations

import ipaddress

import pytest

from ledger_service.errors import DeliveryError, WebhookUrlError
from ledger_service.webhooks.destinations import Destination, Reach, is_public
from tests.support.ssrf_payloads import INSIDE_V4, INSIDE_V6


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://hooks.example.com/", ("hooks.example.com", 443, "/")),
        ("https://a-b.c1.example/x/y.z?q=1&r=%20", ("a-b.c1.example", 443, "/x/y.z?q=1&r=%20")),
        ("https://xn--bcher-kva.example/", ("xn--bcher-kva.example", 443, "/")),
        ("https://example.com:8443/", ("example.com", 8443, "/")),
    ],
)
def test_a_plain_url_is_taken_apart(url: str, parts: tuple[str, int, str]) -> None:
    """Host, port and target are the URL's, and the Host header names a port only where it is unusual."""
    found = Reach((443, 8443)).parse_url(url)
    assert found == Destination("https", *parts)
    assert found.authority == url.split("/")[2]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com", "HTTPS://example.com/", "https://Example.com/", "https://example.com/ü",
        "https://example.com/#a", "https://example.com/a b", f"https://{'a' * 64}.com/", "https://example.1/",
        f"https://{'a.' * 127}com/", f"https://example.com/{'a' * 2_000}", "https://example.com:8443/",
        "http://example.com/", "https://localhost/", "https://example.com/[",
    ],
)  # fmt: skip
def test_anything_else_is_refused(url: str) -> None:
    """A URL that two readers could read differently, or that leads elsewhere than https, is no endpoint."""
    with pytest.raises(WebhookUrlError):
        Reach().parse_url(url)


@pytest.mark.parametrize("text", [*INSIDE_V4, *INSIDE_V6])
def test_special_addresses_are_not_public(text: str) -> None:
    """Private, shared, local, reserved and embedding addresses are refused."""
    assert not is_public(ipaddress.ip_address(text))
    with pytest.raises(DeliveryError):
        Reach().find_addresses(Destination("https", "a.example", 443, "/"), lambda *_: [text])


@pytest.mark.parametrize(
    "text", ["93.184.216.34", "1.1.1.1", "223.255.255.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_public_addresses_are_public(text: str) -> None:
    """Global unicast is taken, once for each address."""
    address = ipaddress.ip_address(text)
    assert Reach().find_addresses(Destination("https", "a.example", 443, "/"), lambda *_: [text, text]) == (
        address,
    )


def test_for_tests_loopback_is_let_in_and_nothing_else() -> None:
    """The unsafe setting opens 127.0.0.1 and ::1, not the networks around."""
    unsafe = Reach(unsafe_local=True)
    here = unsafe.parse_url("http://localhost:1234/")
    assert [str(each) for each in unsafe.find_addresses(here, lambda *_: ["127.0.0.1", "::1"])] == [
        "127.0.0.1",
        "::1",
    ]
    for text in ("10.0.0.1", "127.0.0.2", "169.254.169.254", "::ffff:127.0.0.1", "fd00::1"):
        with pytest.raises(DeliveryError):
            unsafe.find_addresses(here, lambda *_, text=text: [text])
