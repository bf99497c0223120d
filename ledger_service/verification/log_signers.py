"""The keys of our logs as signers, loaded once for each log and kept in memory while the process lives."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_service.chain.head_signer import Eip712Signer
from ledger_service.log.acceptances import AcceptanceSigner
from ledger_service.log.eras import EraKeys
from ledger_service.log.signers import CheckpointSigner, Ed25519Signer, MlDsa44Signer
from ledger_service.proofs.types import Origin
from ledger_service.verification.status import StatusSigner

if TYPE_CHECKING:
    from ledger_service.proofs.note import VerifierKey
    from ledger_service.vault.signing_keys import LogKeys, SigningKeyFiles


@dataclass(frozen=True, slots=True)
class SignerSet:
    """Everything that signs for one log in one era; `head` is the signer of its contract's lines."""

    checkpoint: tuple[CheckpointSigner, ...] = field(repr=False)
    head: Eip712Signer = field(repr=False)
    status: StatusSigner = field(repr=False)
    acceptance: AcceptanceSigner = field(repr=False)

    @property
    def keys(self) -> EraKeys:
        """The public halves of all of them."""
        return EraKeys(self.vkeys, self.status.vkey, self.acceptance.vkey)

    @property
    def vkeys(self) -> tuple[VerifierKey, ...]:
        """The keys of the log's checkpoints, Ed25519 first."""
        return tuple(signer.vkey for signer in self.checkpoint)


class LogSigners:
    """Finds the signers of a log. Any number of threads may use one."""

    __slots__ = ("_files", "_lock", "_max_delay_s", "_sets")

    def __init__(self, files: SigningKeyFiles, *, max_delay_s: int) -> None:
        """Load keys from `files`; acceptances promise sequencing within `max_delay_s`."""
        self._files = files
        self._max_delay_s = max_delay_s
        self._sets: dict[tuple[str, int], SignerSet] = {}
        self._lock = threading.Lock()

    def of(self, origin: Origin, era: int) -> SignerSet:
        """The signers of an era of a log that exists; raises KeyFileError or KeyUnavailableError."""
        found = self._sets.get((origin, era))
        if found is None:
            with self._lock:
                found = self._sets.get((origin, era)) or self._make(origin, self._files.log_keys(origin, era))
                self._sets[origin, era] = found
        return found

    def create(self, origin: Origin, era: int = 0) -> SignerSet:
        """The signers of an era that is about to begin, made as far as they do not exist; 0 opens a log."""
        return self._make(origin, self._files.open_log_keys(origin, era))

    def checkpoint_signers(self, origin: Origin, era: int) -> tuple[CheckpointSigner, ...]:
        """Who signs the checkpoints of a log."""
        return self.of(origin, era).checkpoint

    def head_signer(self, origin: str, era: int) -> Eip712Signer:
        """Who signs what a log's contract must be told, as the head key of an era."""
        return self.of(Origin(origin), era).head

    def status_signer(self, origin: Origin, era: int) -> StatusSigner:
        """Who signs the status statements of a log."""
        return self.of(origin, era).status

    def acceptance_signer(self, origin: Origin, era: int) -> AcceptanceSigner:
        """Who signs the acceptances of a log."""
        return self.of(origin, era).acceptance

    def _make(self, origin: Origin, keys: LogKeys) -> SignerSet:
        head = Eip712Signer(keys.head_secp256k1.secp256k1(), name=origin)
        return SignerSet(
            checkpoint=(
                Ed25519Signer(origin, keys.head_ed25519.ed25519()),
                MlDsa44Signer(origin, keys.head_ml_dsa_44.ml_dsa_44()),
                head,
            ),
            head=head,
            status=StatusSigner(origin, keys.status.ed25519()),
            acceptance=AcceptanceSigner(origin, keys.acceptance.ed25519(), max_delay_s=self._max_delay_s),
        )
