"""The way into the chain: what a transaction would cost, sending it, and its receipt.

A refusal to a broadcast is an answer, not an error: `send` says which kind it is, and only the canonical
chain says what became of the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ledger_service.chain.account import Fees
from ledger_service.chain.client import parse_event, revert_data
from ledger_service.chain.wire import (
    format_data,
    format_quantity,
    parse_data,
    parse_list,
    parse_object,
    parse_quantity,
)
from ledger_service.errors import ChainRefusedError, ContractRevertedError
from ledger_service.storage import failpoints

if TYPE_CHECKING:
    from ledger_service.chain.account import Call
    from ledger_service.chain.client import Answers, Block, Event

_METHOD_MISSING: Final = -32601
_FALLBACK_TIP_WEI: Final = 1_000_000_000


class Sending(StrEnum):
    """What a node says to a raw transaction. Only `WRONG_CHAIN` and `MALFORMED` are for good."""

    TAKEN = "taken"
    KNOWN = "already known"
    NONCE_USED = "nonce used"
    UNDERPRICED = "another transaction with this nonce pays more"
    FEE_TOO_LOW = "fee too low"
    NO_FUNDS = "not enough funds"
    GAS_LIMIT = "gas limit"
    WRONG_CHAIN = "wrong chain"
    MALFORMED = "malformed"
    REFUSED = "refused"


# Words of Geth, Besu, Nethermind, Erigon, Anvil and py-evm, looked for in this order.
_REFUSALS: Final = (
    (Sending.KNOWN, ("already known", "already imported", "known transaction", "alreadyknown",
                     "already in mempool")),
    (Sending.UNDERPRICED, ("replacement transaction underpriced", "replacement_underpriced",
                           "replacementnotallowed", "could not replace", "tries to replace")),
    (Sending.NONCE_USED, ("nonce too low", "nonce_too_low", "oldnonce", "nonce is too low", "nonce below")),
    (Sending.WRONG_CHAIN, ("chain id", "chainid", "invalid sender", "wrong_chain")),
    (Sending.NO_FUNDS, ("insufficient funds", "insufficientfunds", "upfront cost exceeds", "upfront_cost",
                        "not have enough balance", "does not have enough")),
    (Sending.FEE_TOO_LOW, ("less than block base fee", "underpriced", "feetoolow", "gas price", "fee cap",
                           "base fee")),
    (Sending.GAS_LIMIT, ("gas limit", "gaslimit", "intrinsic gas", "intrinsic_gas", "gas too low",
                         "exceeds block gas")),
    (Sending.MALFORMED, ("rlp", "decode", "failed to deserialize", "typed transaction too short",
                         "invalid signature")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction, in one block that may or may not be canonical."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    contract: bytes | None
    events: tuple[Event, ...]


class Mempool:
    """A node as the way in. Durable: nothing; a transaction sent may be dropped, delayed or taken unseen.

    Every method raises ChainUnavailableError when the node does not answer sensibly in time. After that a
    transaction may or may not have been taken.
    """

    __slots__ = ("_rpc",)

    def __init__(self, rpc: Answers) -> None:
        """Send through `rpc`; nothing is sent yet."""
        self._rpc = rpc

    def quote(self, *, at: Block) -> Fees:
        """Return fees that the next blocks should accept: twice the base fee and the tip the node suggests.

        On a chain without a base fee (before London) it is the node's gas price.
        """
        if at.base_fee_wei is None:
            return Fees(parse_quantity(self._rpc.ask("eth_gasPrice"), what="gas price"), None)
        try:
            tip = parse_quantity(self._rpc.ask("eth_maxPriorityFeePerGas"), what="priority fee")
        except ChainRefusedError as refusal:
            if refusal.details["rpc_code"] != _METHOD_MISSING:
                raise
            tip = _FALLBACK_TIP_WEI
        return Fees(2 * at.base_fee_wei + tip, tip)

    def estimate_gas(self, call: Call, *, sender: bytes) -> int:
        """Return the gas that a call would need now. Raises ContractRevertedError when it would fail now."""
        request = {"from": format_data(sender), "data": format_data(call.data)}
        if call.to is not None:
            request["to"] = format_data(call.to)
        if call.value:
            request["value"] = format_quantity(call.value)
        try:
            return parse_quantity(self._rpc.ask("eth_estimateGas", request), what="gas estimate")
        except ChainRefusedError as refusal:
            revert = revert_data(refusal)
            if revert is None:
                raise
            raise ContractRevertedError(data=revert) from refusal

    def send(self, raw: bytes) -> tuple[Sending, str]:
        """Broadcast a raw transaction; return what the node says to it and its words."""
        try:
            with failpoints.step("chain.broadcast"):
                self._rpc.ask("eth_sendRawTransaction", format_data(raw))
        except ChainRefusedError as refusal:
            words = str(refusal.details["words"])
            return classify_refusal(words), words
        return Sending.TAKEN, ""

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a transaction's receipt, or None if the node knows of none."""
        found = self._rpc.ask("eth_getTransactionReceipt", format_data(tx_hash))
        return None if found is None else _parse_receipt(found)


def classify_refusal(words: str) -> Sending:
    """Return the kind of a refusal from the node's words, `REFUSED` if they are not known."""
    lower = words.lower()
    return next((kind for kind, known in _REFUSALS if any(each in lower for each in known)), Sending.REFUSED)


def _parse_receipt(value: object) -> Receipt:
    fields = parse_object(value, what="receipt")
    contract = fields.get("contractAddress")
    return Receipt(
        tx_hash=parse_data(fields.get("transactionHash"), what="receipt's transaction hash", size=32),
        block_number=parse_quantity(fields.get("blockNumber"), what="receipt's block number"),
        block_hash=parse_data(fields.get("blockHash"), what="receipt's block hash", size=32),
        succeeded=parse_quantity(fields.get("status"), what="receipt's status") == 1,
        gas_used=parse_quantity(fields.get("gasUsed"), what="gas used"),
        contract=None if contract is None else parse_data(contract, what="contract address", size=20),
        events=tuple(parse_event(item) for item in parse_list(fields.get("logs"), what="receipt's events")),
    )
