"""The anchors of a record as evidence states them, read from what the anchorer saw on the chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, select

from ledger_service.chain.tables import anchor_sightings, anchors, chain_contracts, chains
from ledger_service.proofs.evidence import MAX_ANCHORS, Anchor, Block, Head
from ledger_service.proofs.types import RootHash, TreeSize

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

    from ledger_service.proofs.types import LeafIndex

PUBLISHED: Final = "published"
ANCHORED: Final = "anchored"
FINAL: Final = "final"


def anchored_size(conn: Connection, log_id: int, index: LeafIndex) -> TreeSize | None:
    """The smallest anchored size that holds entry `index`: it bounds the time best. None without one."""
    size = conn.execute(_SMALLEST, {"log": log_id, "index": index}).scalar()
    return None if size is None else TreeSize(size)


def anchors_at(conn: Connection, log_id: int, size: TreeSize) -> tuple[Anchor, ...]:
    """Every anchor of this size that a chain holds as far as we know, oldest first."""
    return tuple(_anchor(row) for row in conn.execute(_AT_SIZE, {"log": log_id, "index": 0, "size": size}))


def anchor_stage(conn: Connection, log_id: int, index: LeafIndex) -> str:
    """How far the chain side of a published entry has come: published, anchored or final."""
    stages = conn.execute(_STAGES, {"log": log_id, "index": index}).all()
    if any(row.stage == FINAL and row.disputed is None for row in stages):
        return FINAL
    return ANCHORED if stages else PUBLISHED


def anchored_through(conn: Connection, log_id: int) -> tuple[TreeSize, TreeSize]:
    """The largest size of a log that is anchored, and the largest that is final; 0 without one."""
    final = _LARGEST.where(anchors.c.stage == FINAL, anchors.c.disputed.is_(None))
    asked = {"log": log_id, "index": 0}
    found = [conn.execute(each, asked).scalar() or 0 for each in (_LARGEST, final)]
    return TreeSize(max(found)), TreeSize(found[1])


def anchored_sizes(*, final: bool) -> Select[tuple[int, int]]:
    """A statement that gives (log, size): the largest anchored size of each log, or the largest final one."""
    sizes = select(anchors.c.log, func.max(anchors.c.size).label("size")).select_from(_JOINED).where(_HELD)
    if final:
        sizes = sizes.where(anchors.c.stage == FINAL, anchors.c.disputed.is_(None))
    return sizes.group_by(anchors.c.log)


def newest_anchor(conn: Connection, log_id: int) -> Anchor | None:
    """The largest anchor of a log that a chain holds as far as we know."""
    size = conn.execute(_LARGEST, {"log": log_id, "index": 0}).scalar()
    return None if size is None else anchors_at(conn, log_id, TreeSize(size))[0]


_JOINED: Final = (
    anchors.join(anchor_sightings, anchor_sightings.c.anchor == anchors.c.id)
    .join(chain_contracts, chain_contracts.c.id == anchors.c.contract)
    .join(chains, chains.c.id == chain_contracts.c.chain)
)


# A sighting that was reorganized away is marked; a contract without pinned code is not ours yet.
_HELD: Final = anchor_sightings.c.lost.is_(None) & chain_contracts.c.code_hash.is_not(None)
_STANDS: Final = (anchors.c.log == bindparam("log")) & (anchors.c.size > bindparam("index")) & _HELD
# Built once: building a statement costs as much as running it.
_SMALLEST: Final = select(func.min(anchors.c.size)).select_from(_JOINED).where(_STANDS)
_LARGEST: Final = select(func.max(anchors.c.size)).select_from(_JOINED).where(_STANDS)
_STAGES: Final = select(anchors.c.stage, anchors.c.disputed).select_from(_JOINED).where(_STANDS).distinct()
_AT_SIZE: Final = (
    select(anchors, anchor_sightings, chain_contracts.c.address, chain_contracts.c.code_hash)
    .add_columns(chains.c.chain_id, chains.c.genesis_hash)
    .select_from(_JOINED)
    .where(anchors.c.size == bindparam("size"), _STANDS)
    .order_by(anchor_sightings.c.block_time, anchor_sightings.c.id)
    .limit(MAX_ANCHORS)
)


def _anchor(row: Row[Any]) -> Anchor:
    previous = None
    if row.previous_root is not None:
        time = _moment(row.previous_time)
        previous = Head(TreeSize(row.previous_size), RootHash(bytes(row.previous_root)), time)
    return Anchor(
        chain_id=row.chain_id,
        genesis_hash=bytes(row.genesis_hash),
        contract=bytes(row.address),
        code_hash=bytes(row.code_hash),
        log_id=bytes(row.log_id),
        size=TreeSize(row.size),
        root=RootHash(bytes(row.root)),
        time=_moment(row.time),
        previous=previous,
        block=Block(row.block_number, bytes(row.block_hash), _moment(row.block_time)),
        tx_hash=bytes(row.tx_hash),
        header_rlp=None if row.header_rlp is None else bytes(row.header_rlp),
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
