"""Signed acceptances: what a writer holds when its record is durable and not yet in a checkpoint."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ledger_service.log.note_signer import NoteSigner
from ledger_service.proofs.acceptance import Acceptance, acceptance_key_name, format_acceptance_text

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ledger_service.proofs.types import LeafHash, Origin


class AcceptanceSigner:
    """Promises, for one log, that accepted entries will be sequenced in time."""

    __slots__ = ("_delay", "_notes", "_origin", "vkey")

    def __init__(self, origin: Origin, key: Ed25519PrivateKey, *, max_delay_s: int) -> None:
        """Promise at most `max_delay_s` seconds between accepted and sequenced."""
        self._origin = origin
        self._delay = timedelta(seconds=max_delay_s)
        self._notes = NoteSigner(acceptance_key_name(origin), key)
        self.vkey = self._notes.vkey

    def sign(self, leaf: LeafHash, *, accepted: datetime) -> bytes:
        """Return the signed note for an entry of this leaf hash, accepted at this whole second."""
        acceptance = Acceptance(self._origin, leaf, accepted, accepted + self._delay)
        return self._notes.sign(format_acceptance_text(acceptance))
