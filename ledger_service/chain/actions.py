"""What we asked of the chain, written down before it is asked (design section 3, stage 6).

An action is one nonce and one call. It may be signed several times, with higher fees; every signed
transaction is stored before it is sent, so after any crash the same bytes go out again, and whichever the
chain took is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, insert, select, update

from ledger_service.chain.account import Call, Fees
from ledger_service.chain.tables import chain_actions, chain_transactions
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Row

    from ledger_service.chain.account import PublisherAccount
    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

DONE: Final = "done"
REVERTED: Final = "reverted"
DISPLACED: Final = "displaced"
STATUS: Final = "status"
ROTATE: Final = "rotate"
ROLE: Final = "role"
FUND: Final = "fund"
# What is never asked twice at the same time: once for each contract, log, or (a status) explaining entry.
_ONCE: Final = frozenset({"deploy", "open", "publish", ROTATE, ROLE, FUND, STATUS})


@dataclass(frozen=True, slots=True)
class Variant:
    """One signed transaction of an action. `planned_height` is the newest block when it was signed."""

    tx_hash: bytes
    raw: bytes
    gas: int
    fees: Fees
    planned_height: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an action ended and in which block; for a displaced one, the block at which that was certain."""

    outcome: str
    block_number: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Action:
    """One thing asked of the chain. `variants` are in the order in which they were signed, at least one."""

    id: int
    nonce: int
    kind: str
    log: int | None
    size: int | None
    call: Call
    settlement: Settlement | None
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """An action that is not planned yet. `also` stores what belongs to it, in the same transaction."""

    kind: str
    call: Call
    gas: int
    fees: Fees
    log: int | None = None
    size: int | None = None
    also: Callable[[Connection, int, int], None] | None = None


def count_planned(db: Database, sender: bytes) -> int:
    """Return one more than the highest nonce that was ever planned for an account, 0 if none was."""
    with db.read() as conn:
        highest = conn.execute(
            select(func.max(chain_actions.c.nonce)).where(chain_actions.c.sender == sender)
        ).scalar()
    return 0 if highest is None else int(highest) + 1


class ActionJournal:
    """The actions of one account on one chain."""

    __slots__ = ("_account", "_chain", "_chain_id", "_clock", "_db")

    def __init__(
        self, db: Database, *, chain: int, chain_id: int, account: PublisherAccount, clock: Clock
    ) -> None:
        """Keep them in `db`, under the row `chain` of the table of chains, signed for `chain_id`."""
        self._db = db
        self._chain = chain
        self._chain_id = chain_id
        self._account = account
        self._clock = clock

    def unsettled(self, *, nonce: int, final_height: int) -> tuple[Action, ...]:
        """Return, by nonce, the actions whose fate may still change.

        Those are the ones without an outcome, those that ended above `final_height`, and those whose nonce
        is not below the account's present `nonce`: whatever was seen of them, the chain does not hold them
        now.
        """
        # Three short questions, each answered by an index; as one with OR it may read every action there
        # ever was.
        changing = (
            chain_actions.c.outcome.is_(None),
            chain_actions.c.nonce >= nonce,
            chain_actions.c.block_number > final_height,
        )
        with self._db.read() as conn:
            ids = {
                row.id
                for condition in changing
                for row in conn.execute(select(chain_actions.c.id).where(*self._mine(), condition))
            }
            return _load(conn, chain_actions.c.id.in_(ids)) if ids else ()

    def find(self, action: int) -> Action:
        """Return one action by its id."""
        with self._db.read() as conn:
            (found,) = _load(conn, chain_actions.c.id == action)
        return found

    def plan(self, requests: Sequence[Request], *, nonce: int, height: int) -> tuple[Action, ...]:
        """Store actions with nonces and signed transactions, all or none, durable on return.

        Each takes the lowest nonce from `nonce` on that no other action has, which also fills gaps. A
        deployment, an opening, a publication or a change of status that waits for the chain already is left
        out: two planners make one plan.
        """
        planned: list[int] = []
        with self._db.write("chain.plan") as conn:
            taken = {
                row.nonce
                for row in conn.execute(
                    select(chain_actions.c.nonce).where(*self._mine(), chain_actions.c.nonce >= nonce)
                )
            }
            for request in requests:
                if request.kind in _ONCE and self._waits(conn, request):
                    continue
                while nonce in taken:
                    nonce += 1
                taken.add(nonce)
                planned.append(self._insert(conn, request, nonce=nonce, height=height))
            return _load(conn, chain_actions.c.id.in_(planned)) if planned else ()

    def add_variant(self, action: Action, *, gas: int, fees: Fees, height: int) -> Action:
        """Store the same call and nonce signed with other fees or gas, durable on return."""
        with self._db.write("chain.plan") as conn:
            self._sign(conn, action.id, action.call, nonce=action.nonce, gas=gas, fees=fees, height=height)
            (changed,) = _load(conn, chain_actions.c.id == action.id)
        return changed

    def settle(self, conn: Connection, ends: Iterable[tuple[Action, Settlement | None]]) -> None:
        """Store how actions ended, or None for those that the chain does not hold any more."""
        for action, end in ends:
            values: dict[str, object] = {"outcome": None, "block_number": None, "block_hash": None}
            if end is not None:
                values = {
                    "outcome": end.outcome,
                    "block_number": end.block_number,
                    "block_hash": end.block_hash,
                }
            conn.execute(update(chain_actions).where(chain_actions.c.id == action.id).values(values))

    def _mine(self) -> tuple[Any, ...]:
        return (chain_actions.c.chain == self._chain, chain_actions.c.sender == self._account.address)

    def _waits(self, conn: Connection, request: Request) -> bool:
        same = chain_actions.c.log == request.log
        if request.log is None:
            same = chain_actions.c.calldata == request.call.data
            same &= chain_actions.c.receiver.is_not_distinct_from(request.call.to)
        elif request.kind == STATUS:
            same &= chain_actions.c.size == request.size
        waiting = select(chain_actions.c.id).where(
            *self._mine(),
            same,
            chain_actions.c.kind == request.kind,
            chain_actions.c.outcome.is_(None),
        )
        return conn.execute(waiting.limit(1)).first() is not None

    def _insert(self, conn: Connection, request: Request, *, nonce: int, height: int) -> int:
        values = {
            "chain": self._chain,
            "sender": self._account.address,
            "nonce": nonce,
            "kind": request.kind,
            "log": request.log,
            "size": request.size,
            "receiver": request.call.to,
            "calldata": request.call.data,
            "value": _value_bytes(request.call.value),
            "planned": to_instant(self._clock.now()),
        }
        statement = insert(chain_actions).values(values).returning(chain_actions.c.id)
        action: int = conn.execute(statement).scalar_one()
        self._sign(conn, action, request.call, nonce=nonce, gas=request.gas, fees=request.fees, height=height)
        if request.also is not None:
            request.also(conn, action, nonce)
        return action

    def _sign(
        self, conn: Connection, action: int, call: Call, *, nonce: int, gas: int, fees: Fees, height: int
    ) -> None:
        signed = self._account.sign(call, chain_id=self._chain_id, nonce=nonce, gas=gas, fees=fees)
        known = select(chain_transactions.c.id).where(
            chain_transactions.c.action == action, chain_transactions.c.tx_hash == signed.hash
        )
        if conn.execute(known).first() is not None:
            return
        values = {
            "action": action,
            "tx_hash": signed.hash,
            "raw": signed.raw,
            "gas": gas,
            "max_fee_wei": fees.max_fee_wei,
            "priority_fee_wei": fees.priority_fee_wei,
            "planned_height": height,
            "planned": to_instant(self._clock.now()),
        }
        conn.execute(insert(chain_transactions).values(values))


def _value_bytes(value: int) -> bytes | None:
    return value.to_bytes((value.bit_length() + 7) // 8, "big") if value else None


def _load(conn: Connection, condition: Any) -> tuple[Action, ...]:
    rows = conn.execute(select(chain_actions).where(condition).order_by(chain_actions.c.nonce)).all()
    if not rows:
        return ()
    variants: dict[int, list[Variant]] = {row.id: [] for row in rows}
    signed = (
        select(chain_transactions)
        .where(chain_transactions.c.action.in_(variants))
        .order_by(chain_transactions.c.id)
    )
    for row in conn.execute(signed):
        fees = Fees(row.max_fee_wei, row.priority_fee_wei)
        variants[row.action].append(Variant(row.tx_hash, row.raw, row.gas, fees, row.planned_height))
    return tuple(_action(row, tuple(variants[row.id])) for row in rows)


def _action(row: Row[Any], variants: tuple[Variant, ...]) -> Action:
    settlement = None
    if row.outcome is not None:
        settlement = Settlement(row.outcome, row.block_number, row.block_hash)
    call = Call(row.receiver, row.calldata, int.from_bytes(row.value or b""))
    return Action(row.id, row.nonce, row.kind, row.log, row.size, call, settlement, variants)
