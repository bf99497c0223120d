"""Where events may go: URLs that can be read in one way only, and addresses of the public Internet.

An organization chooses the URL, and the request starts inside the operator's network. So a URL names a host
by a DNS name, never by an address in whatever notation, and every address that the name has must be public:
see RFC 6890 and the IANA registries of special-purpose addresses. What an address embeds (IPv4 in IPv6) is
not looked into: all such ranges are refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ledger_service.errors import DeliveryError, WebhookUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver: TypeAlias = "Callable[[str, int], Iterable[str]]"
"""Gives the addresses of a host as text; raises OSError."""

LONGEST_URL: Final = 2_000
HTTPS_PORT: Final = 443
_MAX_PORT: Final = 65_535
_MOST_ADDRESSES: Final = 4
_LONGEST_HOST: Final = 253

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# Visible ASCII only, nothing that one reader might skip, decode or take for a separator before another does.
_URL: Final = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[1-9][0-9]{{0,4}}))?"
    r"(?P<target>/[A-Za-z0-9/._~!$&'()*+,;=:@%-]*(?:\?[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*)?)",
    re.ASCII,
)
# No top-level domain begins with a digit, and every other notation of an IPv4 address does: 10.1, 0x7f.1, 017.
_NAME_END: Final = re.compile(r"[a-z]", re.ASCII)

_REFUSED_V4: Final = tuple(
    ipaddress.IPv4Network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        # One provider's agent for its virtual machines, at an address that looks public.
        "168.63.129.16/32",
    )
)  # fmt: skip
# Everything else in IPv6 is no global unicast: loopback, v4-mapped, NAT64, unique local, link-local, multicast.
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    ipaddress.IPv6Network(each)
    for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL in its parts. `target` is path and query as they are sent."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The Host header."""
        usual = HTTPS_PORT if self.scheme == "https" else 80
        return self.host if self.port == usual else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reach:
    """What this installation sends to: https to `ports` at public addresses.

    `unsafe_local` adds plain http, any port and loopback, for tests.
    """

    ports: Collection[int] = (HTTPS_PORT,)
    unsafe_local: bool = False

    def parse_url(self, text: str) -> Destination:
        """The destination that a URL names; raises WebhookUrlError."""
        found = _URL.fullmatch(text) if len(text) <= LONGEST_URL else None
        if found is None:
            raise WebhookUrlError
        scheme, host = found["scheme"], found["host"]
        port = int(found["port"] or (HTTPS_PORT if scheme == "https" else 80))
        labels = host.split(".")
        if len(host) > _LONGEST_HOST or not _NAME_END.match(labels[-1]):
            raise WebhookUrlError("The host must be a DNS name, not an address.")
        if not self.unsafe_local:
            if scheme != "https" or len(labels) == 1:
                raise WebhookUrlError
            if port not in self.ports:
                raise WebhookUrlError(f"The port must be one of {', '.join(map(str, sorted(self.ports)))}.")
        if port > _MAX_PORT:
            raise WebhookUrlError
        return Destination(scheme, host, port, found["target"])

    def find_addresses(self, destination: Destination, resolve: Resolver) -> tuple[Address, ...]:
        """The addresses to connect to, asked for once; raises DeliveryError unless every one is public.

        A name without an address and one with an address inside get the same words: a sender that tells them
        apart would tell strangers about the operator's own names.
        """
        refusal = DeliveryError("The host has no public address.")
        try:
            found = [ipaddress.ip_address(text) for text in resolve(destination.host, destination.port)]
        except (OSError, ValueError, UnicodeError):
            raise refusal from None
        if not found or not all(self._may_connect(address) for address in found):
            raise refusal
        return tuple(dict.fromkeys(found))[:_MOST_ADDRESSES]

    def _may_connect(self, address: Address) -> bool:
        return is_public(address) or (
            self.unsafe_local and str(address) in {"127.0.0.1", "::1"}  # and nothing else of 127.0.0.0/8
        )


def is_public(address: Address) -> bool:
    """Whether an address is global unicast: not private, shared, local, reserved, multicast or embedding another."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _REFUSED_V4)
    return (
        address in _GLOBAL_V6
        and address.scope_id is None
        and address.is_global
        and not any(address in network for network in _REFUSED_V6)
    )


def resolve_host(host: str, port: int) -> list[str]:
    """The addresses that this machine's resolver has for a host; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in found]
