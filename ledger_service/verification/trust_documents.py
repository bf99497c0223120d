"""Policy and trust file of a log: what an outsider needs beforehand, and compares by a short fingerprint."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from ledger_service.chain.tables import chain_contracts, chain_logs, chains
from ledger_service.proofs.note import ALG_ED25519, ALG_MLDSA44
from ledger_service.proofs.policy import Policy, Witness
from ledger_service.proofs.trust import TrustedAnchor

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger_service.log.directory import LogRow

_WITNESS: Final = "log-mldsa"
_GROUP: Final = 4


def policy_of(log: LogRow) -> Policy:
    """The C2SP policy of a log: its Ed25519 key as log, its ML-DSA key as the witness of the quorum."""
    (head,) = (key for key in log.vkeys if key.alg == ALG_ED25519)
    (cosigner,) = (key for key in log.vkeys if key.alg == ALG_MLDSA44)
    return Policy((head,), (Witness(_WITNESS, cosigner),), (), _WITNESS)


def trusted_anchors(conn: Connection, log_id: int) -> tuple[TrustedAnchor, ...]:
    """The contracts that know a log, on pinned chains, with pinned code; oldest first."""
    rows = conn.execute(
        select(chains, chain_contracts.c.address, chain_contracts.c.code_hash, chain_logs.c.log_id)
        .join(chain_contracts, chain_contracts.c.chain == chains.c.id)
        .join(chain_logs, chain_logs.c.contract == chain_contracts.c.id)
        .where(chain_logs.c.log == log_id, chain_contracts.c.code_hash.is_not(None))
        .order_by(chain_contracts.c.id)
    )
    return tuple(
        TrustedAnchor(
            chain_id=row.chain_id,
            genesis_hash=bytes(row.genesis_hash),
            contract=bytes(row.address),
            code_hash=bytes(row.code_hash),
            log_id=bytes(row.log_id),
            self_anchored=bool(row.self_anchored),
        )
        for row in rows
    )


def fingerprint(document: bytes) -> str:
    """A document's SHA-256, its first 16 bytes in groups of four digits, to be read out and compared."""
    digits = sha256(document).hexdigest()[:32]
    return " ".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))
