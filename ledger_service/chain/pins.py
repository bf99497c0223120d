"""What a chain and our contracts on it were at first use. Everything later is compared with that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.crypto import keccak
from sqlalchemy import insert, select, update

from ledger_service.chain.account import contract_address
from ledger_service.chain.client import ChainIdentity, check_identity
from ledger_service.chain.tables import chain_contracts, chains
from ledger_service.errors import ChainReplacedError, ChainUnavailableError, ContractReplacedError
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Row

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.client import Node
    from ledger_service.chain.look import Look
    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database


@dataclass(frozen=True, slots=True)
class PinnedChain:
    """The chain that anchors go to. `row` is its row; `self_anchored` says that the operator runs it."""

    row: int
    identity: ChainIdentity
    self_anchored: bool


@dataclass(frozen=True, slots=True)
class PinnedContract:
    """A contract of ours. Without `code_hash` its deployment is under way."""

    row: int
    kind: str
    address: bytes
    action: int | None
    code_hash: bytes | None
    deploy_block_number: int | None
    deploy_block_hash: bytes | None


class ChainPins:
    """The pins of this installation. Durable when a method returns; a pin is never changed."""

    __slots__ = ("_clock", "_db")

    def __init__(self, db: Database, *, clock: Clock) -> None:
        """Keep them in `db`."""
        self._db = db
        self._clock = clock

    def pinned(self) -> PinnedChain | None:
        """Return the chain in use, or None before the first use."""
        with self._db.read() as conn:
            row = conn.execute(select(chains).order_by(chains.c.id.desc()).limit(1)).first()
        if row is None:
            return None
        return PinnedChain(row.id, ChainIdentity(row.chain_id, row.genesis_hash), bool(row.self_anchored))

    def check(self, node: Node, *, self_anchored: bool) -> PinnedChain:
        """Return the chain in use, pinned now if it is the first use.

        Raises ChainReplacedError when the node serves another chain than the pinned one.
        """
        known = self.pinned()
        if known is None:
            return self.pin(node.identity(), self_anchored=self_anchored)
        check_identity(node, known.identity)
        return known

    def pin(self, identity: ChainIdentity, *, self_anchored: bool) -> PinnedChain:
        """Make a chain the one in use. Deliberate: a node that changes by itself is refused by `check`."""
        values = {
            "chain_id": identity.chain_id,
            "genesis_hash": identity.genesis_hash,
            "self_anchored": int(self_anchored),
            "pinned": to_instant(self._clock.now()),
        }
        with self._db.write("chain.pin") as conn:
            row: int = conn.execute(insert(chains).values(values).returning(chains.c.id)).scalar_one()
        return PinnedChain(row, identity, self_anchored)

    def contract(self, chain: PinnedChain, kind: str) -> PinnedContract | None:
        """Return the newest contract of a kind on a chain, or None."""
        query = (
            select(chain_contracts)
            .where(chain_contracts.c.chain == chain.row, chain_contracts.c.kind == kind)
            .order_by(chain_contracts.c.id.desc())
            .limit(1)
        )
        with self._db.read() as conn:
            row = conn.execute(query).first()
        return None if row is None else _contract(row)

    def contracts(self, chain: PinnedChain) -> tuple[PinnedContract, ...]:
        """Return every contract on a chain, oldest first."""
        query = select(chain_contracts).where(chain_contracts.c.chain == chain.row)
        with self._db.read() as conn:
            return tuple(_contract(row) for row in conn.execute(query.order_by(chain_contracts.c.id)))

    def adopt(self, chain: PinnedChain, kind: str, *, address: bytes, first_block: int) -> PinnedContract:
        """Use a contract that was deployed otherwise, whose first event is not before block `first_block`."""
        values = {
            "chain": chain.row,
            "kind": kind,
            "address": address,
            "deploy_block_number": first_block,
        }
        with self._db.write("chain.pin") as conn:
            conn.execute(insert(chain_contracts).values(values))
        found = self.contract(chain, kind)
        assert found is not None
        return found

    def check_code(
        self, pin: PinnedContract, node: Node, *, artifact: Artifact, look: Look, confirmations: int
    ) -> PinnedContract | None:
        """Return the contract, its code pinned at the first sight; None if it is not there yet.

        Raises ContractReplacedError when the code is not the artifact's or not the pinned one, and
        ChainReplacedError when another block stands where the contract was deployed.
        """
        _check_deploy_block(pin, look)
        code = node.code(pin.address, at=look.head)
        if not code and pin.deploy_block_hash is None and pin.action is not None:
            return None
        expected = pin.code_hash or artifact.code_hash
        if keccak(code) != expected:
            raise ContractReplacedError(
                contract=pin.address.hex(), expected=expected.hex(), found=keccak(code).hex()
            )
        values: dict[str, Any] = {}
        if pin.code_hash is None:
            values["code_hash"] = expected
        number = pin.deploy_block_number
        if pin.deploy_block_hash is None and number is not None and look.depth(number) >= confirmations:
            block = look.at(number)
            values["deploy_block_hash"] = None if block is None else block.hash
        return self._store(pin, values) if values else pin

    def place(self, pin: PinnedContract, *, block_number: int) -> PinnedContract:
        """Remember in which block a deployment was seen, as long as it is not pinned."""
        return self._store(pin, {"deploy_block_number": block_number})

    def plan_contract(
        self, chain: PinnedChain, kind: str, *, creator: bytes
    ) -> Callable[[Connection, int, int], None]:
        """Return what stores a planned deployment beside its action: the nonce already tells the address."""

        def store(conn: Connection, action: int, nonce: int) -> None:
            values = {
                "chain": chain.row,
                "kind": kind,
                "address": contract_address(creator, nonce),
                "action": action,
            }
            conn.execute(insert(chain_contracts).values(values))

        return store

    def _store(self, pin: PinnedContract, values: dict[str, Any]) -> PinnedContract:
        with self._db.write("chain.pin") as conn:
            conn.execute(update(chain_contracts).where(chain_contracts.c.id == pin.row).values(values))
            row = conn.execute(select(chain_contracts).where(chain_contracts.c.id == pin.row)).one()
        return _contract(row)


def _check_deploy_block(pin: PinnedContract, look: Look) -> None:
    if pin.deploy_block_hash is None or pin.deploy_block_number is None:
        return
    if pin.deploy_block_number > look.head.number:
        raise ChainUnavailableError("The node has not come as far as the block of our contract.")
    if not look.holds(pin.deploy_block_number, pin.deploy_block_hash):
        raise ChainReplacedError(
            "Another block stands where our contract was deployed. Anchoring has stopped.",
            number=pin.deploy_block_number,
            expected=pin.deploy_block_hash.hex(),
        )


def _contract(row: Row[Any]) -> PinnedContract:
    return PinnedContract(
        row=row.id,
        kind=row.kind,
        address=row.address,
        action=row.action,
        code_hash=row.code_hash,
        deploy_block_number=row.deploy_block_number,
        deploy_block_hash=row.deploy_block_hash,
    )
