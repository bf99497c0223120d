"""The keys of our logs as signers, loaded once for each log and kept in memory while the process lives."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_service.chain.head_signer import Eip712Signer
from ledger_service.log.acceptances import AcceptanceSigner
from ledger_service.log.signers import CheckpointSigner, Ed25519Signer, MlDsa44Signer
from ledger_service.verification.status import StatusSigner

if TYPE_CHECKING:
    from ledger_service.proofs.note import VerifierKey
    from ledger_service.proofs.types import Origin
    from ledger_service.vault.signing_keys import LogKeys, SigningKeyFiles


@dataclass(frozen=True, slots=True)
class SignerSet:
    """Everything that signs for one log."""

    checkpoint: tuple[CheckpointSigner, ...] = field(repr=False)
    status: StatusSigner = field(repr=False)
    acceptance: AcceptanceSigner = field(repr=False)

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
        self._sets: dict[str, SignerSet] = {}
        self._lock = threading.Lock()

    def of(self, origin: Origin) -> SignerSet:
        """The signers of a log that exists; raises KeyFileError or KeyUnavailableError."""
        found = self._sets.get(origin)
        if found is None:
            with self._lock:
                found = self._sets.get(origin) or self._make(origin, self._files.log_keys(origin))
                self._sets[origin] = found
        return found

    def create(self, origin: Origin) -> SignerSet:
        """The signers of a log that is about to be opened, made as far as they do not exist."""
        return self._make(origin, self._files.open_log_keys(origin))

    def checkpoint_signers(self, origin: Origin) -> tuple[CheckpointSigner, ...]:
        """Who signs the checkpoints of a log."""
        return self.of(origin).checkpoint

    def status_signer(self, origin: Origin) -> StatusSigner:
        """Who signs the status statements of a log."""
        return self.of(origin).status

    def acceptance_signer(self, origin: Origin) -> AcceptanceSigner:
        """Who signs the acceptances of a log."""
        return self.of(origin).acceptance

    def _make(self, origin: Origin, keys: LogKeys) -> SignerSet:
        return SignerSet(
            checkpoint=(
                Ed25519Signer(origin, keys.head_ed25519.ed25519()),
                MlDsa44Signer(origin, keys.head_ml_dsa_44.ml_dsa_44()),
                Eip712Signer(keys.head_secp256k1.secp256k1(), name=origin),
            ),
            status=StatusSigner(origin, keys.status.ed25519()),
            acceptance=AcceptanceSigner(origin, keys.acceptance.ed25519(), max_delay_s=self._max_delay_s),
        )
