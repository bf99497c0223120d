"""Which budget a request is charged to, before it costs more than that.

With a key a request is charged to the key, without one to the address it comes from. Bodies are not read,
nothing is decrypted, signed or stored before; a stream of rows counts once.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from flask import request

from api.budgets import Budget

if TYPE_CHECKING:
    from ledger_service.config import Settings

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A record's page and paper show a verdict, which costs what any verdict costs; drawing the paper costs more.
_VERIFYING: Final = frozenset(
    {
        "verify.verify",
        "verify.report",
        "pages_verify.verify_here",
        "pages_verify.report_here",
        "pages.record",
        "papers.paper",
    }
)
# Drawing a PDF costs half a second of a core, and a verification a few milliseconds.
_PAPER_PRICE: Final = 100
_MOST_KEYS: Final = 16_384
_LONGEST_ADDRESS: Final = 64
# Whoever has one IPv6 address has at least the 2^64 of its network.
_HOST_BITS: Final = 64


def _price() -> int:
    """What a verification costs of its budget: more for one that is drawn."""
    drawn = request.endpoint == "papers.paper" or request.args.get("format") == "pdf"
    return _PAPER_PRICE if drawn else 1


class Limits:
    """The budgets of one application. They live in this process: another server counts for itself."""

    def __init__(self, settings: Settings) -> None:
        """Everybody has everything left."""
        self._writes = Budget("writes", settings.limit_writes)
        self._reads = Budget("reads", settings.limit_reads)
        self._verifications = Budget("verifications", settings.limit_verifications)
        self._anonymous = Budget("anonymous", settings.limit_anonymous)
        self._failed_keys = Budget("failed_keys", settings.limit_failed_keys)
        # Digests of what proved to be a good key here, the one used longest ago first.
        self._good_keys: dict[bytes, None] = {}
        self._lock = threading.Lock()

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """All of them."""
        return (self._writes, self._reads, self._verifications, self._anonymous, self._failed_keys)

    def charge_key(self, key: str) -> None:
        """Charge the present request to an API key; raises RateLimitedError."""
        if request.endpoint in _VERIFYING:
            self._verifications.spend(key, count=_price())
        elif request.method in _READING:
            self._reads.spend(key)
        else:
            self._writes.spend(key)

    def charge_address(self) -> None:
        """Charge the present request to the address that it comes from; raises RateLimitedError."""
        address = address_of(request.remote_addr)
        if request.endpoint in _VERIFYING:
            self._verifications.spend(address, count=_price())
        else:
            self._anonymous.spend(address)

    def check_guess(self, credential: str) -> None:
        """Raise RateLimitedError if the address has offered too many keys that are no good.

        Then nothing it offers is looked at any more, right or wrong, so that the refusal tells nothing; but
        a key that proved good here before goes on working, so that a neighbour's guesses lock nobody out.
        """
        if sha256(credential.encode()).digest() not in self._good_keys:
            self._failed_keys.check(address_of(request.remote_addr))

    def note_bad(self, credential: str) -> None:
        """Charge a key that is no good to the address that offered it; raises RateLimitedError."""
        with self._lock:
            self._good_keys.pop(sha256(credential.encode()).digest(), None)
        self._failed_keys.spend(address_of(request.remote_addr))

    def note_good(self, credential: str) -> None:
        """Remember a key that is good, by its digest."""
        digest = sha256(credential.encode()).digest()
        with self._lock:
            self._good_keys.pop(digest, None)
            self._good_keys[digest] = None
            if len(self._good_keys) > _MOST_KEYS:
                del self._good_keys[next(iter(self._good_keys))]


@lru_cache(maxsize=4096)
def address_of(text: str | None) -> str:
    """What stands for an address: itself, its network for IPv6, IPv4 however it is written."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return (text or "")[:_LONGEST_ADDRESS]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS))
