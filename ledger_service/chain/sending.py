"""Sends what is planned, again and again until the chain holds it, and pays more when it does not move.

Sending the same bytes twice is harmless: a node that has them says so. So nothing is remembered between two
steps, and a dropped transaction, a lost answer and a restart are the same case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.chain.account import Fees
from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.mempool import Sending
from ledger_service.errors import ChainRefusedError, ChainReplacedError, ContractRevertedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.chain.account import Call
    from ledger_service.chain.actions import Action, ActionJournal
    from ledger_service.chain.client import Block
    from ledger_service.chain.mempool import Mempool

# Geth asks for a tenth more, Anvil and Besu likewise; an eighth leaves room for rounding.
_RAISE_PERCENT: Final = 1125
# Against a transaction of unknown price the fees double, which ends soon, one way or the other.
_DOUBLE: Final = 2000
_GAS_MARGIN_PERCENT: Final = 125
_GAS_MARGIN: Final = 10_000
_MOVING: Final = frozenset({Sending.TAKEN, Sending.KNOWN, Sending.NONCE_USED})


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """When to pay more, and how much at most. `max_in_flight` bounds the transactions sent at once."""

    replace_after_blocks: int
    max_fee_wei: int
    max_in_flight: int


class Sender:
    """Sends the open actions of one account at one look."""

    __slots__ = ("_alarms", "_head", "_journal", "_mempool", "_options", "_sender")

    def __init__(
        self,
        mempool: Mempool,
        *,
        journal: ActionJournal,
        head: Block,
        sender: bytes,
        options: SendingOptions,
        alarms: dict[tuple[AlarmCode, str], str],
    ) -> None:
        """Send through `mempool`, seen from `head`; what is wrong goes into `alarms`."""
        self._mempool = mempool
        self._journal = journal
        self._head = head
        self._sender = sender
        self._options = options
        self._alarms = alarms

    def quote(self) -> Fees | None:
        """Return what to offer now, or None, with an alarm, when the chain asks more than is allowed."""
        fees = self._mempool.quote(at=self._head)
        least = fees.max_fee_wei
        if fees.priority_fee_wei is not None:
            least = (self._head.base_fee_wei or 0) + fees.priority_fee_wei
        limit = self._options.max_fee_wei
        if least > limit:
            self._alarms[AlarmCode.FEE_LIMIT, "fees"] = (
                f"The chain asks {least} wei a gas, {limit} is allowed"
            )
            return None
        return Fees(min(fees.max_fee_wei, limit), fees.priority_fee_wei)

    def gas_for(self, call: Call, *, subject: str) -> int | None:
        """Return the gas to offer for a call, or None, with an alarm, when it would fail now."""
        try:
            return self.estimate(call)
        except (ContractRevertedError, ChainRefusedError) as error:
            self._alarms[AlarmCode.PUBLISH_REFUSED, subject] = f"{error.text} {error.details.get('data')!r}"
            return None

    def estimate(self, call: Call) -> int:
        """Return the gas to offer for a call; raises ContractRevertedError when it would fail now."""
        return gas_limit(self._mempool.estimate_gas(call, sender=self._sender), head=self._head)

    def alarm(self, code: AlarmCode, subject: str, words: str) -> None:
        """Let an operator know."""
        self._alarms[code, subject] = words

    def send(self, actions: Sequence[Action], *, nonce: int) -> int:
        """Send open actions in the order of their nonces; return how many the node has or takes.

        `nonce` is the account's at the look. It stops at the first one that does not move: those behind it
        cannot.
        """
        moved = 0
        for action in actions[: self._options.max_in_flight]:
            current = action
            if action.nonce == nonce and self._age(action) >= self._options.replace_after_blocks:
                current = self._raise(action, permille=_RAISE_PERCENT)
            said, words = self._mempool.send(current.variants[-1].raw)
            if said in {Sending.UNDERPRICED, Sending.FEE_TOO_LOW, Sending.GAS_LIMIT}:
                permille = _DOUBLE if said is Sending.UNDERPRICED else _RAISE_PERCENT
                current = self._raise(current, permille=permille)
                said, words = self._mempool.send(current.variants[-1].raw)
            if said not in _MOVING:
                self._complain(said, words)
                break
            moved += 1
        return moved

    def _age(self, action: Action) -> int:
        return self._head.number - action.variants[-1].planned_height

    def _raise(self, action: Action, *, permille: int) -> Action:
        """Sign the same call and nonce with higher fees, or return the action as it is at the limit."""
        last = action.variants[-1]
        fees = raise_fees(last.fees, permille=permille)
        quoted = self._mempool.quote(at=self._head)
        fees = highest_fees(fees, quoted)
        if fees.max_fee_wei > self._options.max_fee_wei:
            limit = self._options.max_fee_wei
            self._alarms[AlarmCode.FEE_LIMIT, "fees"] = f"A replacement needs more than {limit} wei a gas."
            return action
        gas = self.gas_for(action.call, subject=f"nonce {action.nonce}") or last.gas
        gas = min(max(gas, last.gas), self._head.gas_limit)
        return self._journal.add_variant(action, gas=gas, fees=fees, height=self._head.number)

    def _complain(self, said: Sending, words: str) -> None:
        if said is Sending.WRONG_CHAIN:
            raise ChainReplacedError(f"The node refuses our transactions: {words}")
        code = AlarmCode.NO_FUNDS if said is Sending.NO_FUNDS else AlarmCode.SENDING_REFUSED
        self._alarms[code, "0x" + self._sender.hex()] = f"{said}: {words}"


def gas_limit(needed: int, *, head: Block) -> int:
    """Return the gas to offer for a call that is estimated to need `needed`, within a block's limit."""
    return min(needed * _GAS_MARGIN_PERCENT // 100 + _GAS_MARGIN, head.gas_limit)


def raise_fees(fees: Fees, *, permille: int) -> Fees:
    """Return fees multiplied by `permille`, rounded up, each by at least one wei."""

    def more(value: int) -> int:
        return max(value + 1, -(-value * permille // 1000))

    tip = fees.priority_fee_wei
    return Fees(more(fees.max_fee_wei), None if tip is None else more(tip))


def highest_fees(one: Fees, other: Fees) -> Fees:
    """Return the higher of each fee. The type of transaction is that of `one`."""
    tip = one.priority_fee_wei
    if tip is not None:
        tip = max(tip, other.priority_fee_wei or 0)
    highest = max(one.max_fee_wei, other.max_fee_wei)
    return Fees(max(highest, tip or 0), tip)
