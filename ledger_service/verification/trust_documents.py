"""Policy and trust file of a log: what an outsider needs beforehand, and compares by a short fingerprint."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from ledger_service.chain.tables import chain_contracts, chain_logs, chains
from ledger_service.proofs.note import ALG_ED25519, ALG_MLDSA44
from ledger_service.proofs.policy import Group, Policy, Witness
from ledger_service.proofs.trust import DEFAULT_REQUIRED, HeadKey, TrustedAnchor

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger_service.log.directory import LogRow
    from ledger_service.proofs.note import VerifierKey

_WITNESS: Final = "log-mldsa"
_ANY_ERA: Final = "log-mldsa-any"
_ANCHOR_STEP: Final = 6
_GROUP: Final = 4


def policy_of(log: LogRow) -> Policy:
    """The C2SP policy of a log: its Ed25519 key as log, its ML-DSA key as the witness of the quorum.

    Keys of earlier eras follow those of today, and one ML-DSA key of any era makes the quorum: a policy knows
    no sizes. Up to which size a key speaks, the trust file says.
    """
    heads: list[VerifierKey] = []
    witnesses: list[Witness] = []
    for era in reversed(log.eras):
        heads += [key for key in era.vkeys if key.alg == ALG_ED25519]
        name = _WITNESS if era.to_size is None else f"{_WITNESS}-{era.number}"
        witnesses += [Witness(name, key) for key in era.vkeys if key.alg == ALG_MLDSA44]
    if len(witnesses) == 1:
        return Policy(tuple(heads), tuple(witnesses), (), _WITNESS)
    group = Group(_ANY_ERA, 1, tuple(each.name for each in witnesses))
    return Policy(tuple(heads), tuple(witnesses), (group,), _ANY_ERA)


def head_keys_of(log: LogRow) -> tuple[HeadKey, ...]:
    """The keys of a log's checkpoints with the sizes that they speak for, those of today first."""
    return tuple(HeadKey(key, era.from_size, era.to_size) for era in reversed(log.eras) for key in era.vkeys)


def required_steps(log: LogRow) -> tuple[int, ...]:
    """The steps of the verdict that a log needs.

    Who holds leaked keys can sign any history up to the size at which they were replaced. What a contract had
    accepted by then is the only witness of the true one, so step 6 is needed from then on.
    """
    leaked = any(era.leaked for era in log.eras)
    return tuple(sorted({*DEFAULT_REQUIRED, _ANCHOR_STEP})) if leaked else DEFAULT_REQUIRED


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
