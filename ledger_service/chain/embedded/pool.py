"""Signed transactions that wait for a block. In memory only: who sent one sends it again until it has a receipt."""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import rlp
from eth.constants import SECPK1_N
from eth_utils.exceptions import ValidationError

from ledger_service.errors import RpcError

if TYPE_CHECKING:
    from eth.abc import SignedTransactionAPI, StateAPI
    from eth_typing import Address

    from ledger_service.chain.embedded.chain import EmbeddedChain

MAX_POOL: Final = 4_096
MAX_PER_SENDER: Final = 1_024
MAX_TRANSACTION_BYTES: Final = 128 * 1024
# Geth replaces a transaction of the same nonce only for a fee that is a tenth higher.
PRICE_BUMP_PERCENT: Final = 10
_REFUSED: Final = -32000
_TYPED_BELOW: Final = 0x7F
_KNOWN_TYPES: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: int
    transaction: SignedTransactionAPI


class PendingPool:
    """Transactions by sender and nonce. Safe to use from any thread."""

    def __init__(self, chain: EmbeddedChain) -> None:
        """Check transactions against the state of `chain`."""
        self._chain = chain
        self._lock = threading.Lock()
        self._arrivals = 0
        self._by_hash: dict[bytes, SignedTransactionAPI] = {}
        self._by_sender: dict[Address, dict[int, _Waiting]] = {}

    def add(self, raw: bytes) -> bytes:
        """Take a raw signed transaction and return its hash.

        Raises RpcError in Geth's words: "already known" when it waits or is mined already, "nonce too low", and so on.
        """
        transaction = self._decode(raw)
        tx_hash: bytes = transaction.hash
        head = self._chain.head()
        with self._lock:
            if tx_hash in self._by_hash or self._chain.transaction(tx_hash) is not None:
                raise _refuse("already known")
            state = self._chain.state(head)
            check_transaction(transaction, state, gas_limit=head.gas_limit)
            self._place(transaction)
        return tx_hash

    def find(self, tx_hash: bytes) -> SignedTransactionAPI | None:
        """Return the waiting transaction with this hash, or None."""
        with self._lock:
            return self._by_hash.get(tx_hash)

    def next_nonce(self, sender: Address) -> int:
        """Return the sender's nonce after all that is mined and all that waits behind it without a gap."""
        with self._lock:
            # Read under the lock: a mined transaction is visible in the chain before it leaves the pool.
            nonce = self._chain.state(self._chain.head()).get_nonce(sender)
            queue = self._by_sender.get(sender, {})
            while nonce in queue:
                nonce += 1
            return nonce

    def ready(self) -> list[SignedTransactionAPI]:
        """Return what the next block may take, by arrival, each sender's in the order of nonces and without gaps."""
        state = self._chain.state(self._chain.head())
        with self._lock:
            first = {sender: state.get_nonce(sender) for sender in self._by_sender}
            self._forget_old(first)
            heap = [
                (queue[first[sender]].arrival, sender, first[sender])
                for sender, queue in self._by_sender.items()
                if first[sender] in queue
            ]
            heapq.heapify(heap)
            order: list[SignedTransactionAPI] = []
            while heap:
                _, sender, nonce = heapq.heappop(heap)
                order.append(self._by_sender[sender][nonce].transaction)
                following = self._by_sender[sender].get(nonce + 1)
                if following is not None:
                    heapq.heappush(heap, (following.arrival, sender, nonce + 1))
            return order

    def remove(self, tx_hash: bytes) -> None:
        """Forget a transaction that was mined or refused."""
        with self._lock:
            transaction = self._by_hash.get(tx_hash)
            if transaction is not None:
                self._drop(transaction.sender, transaction.nonce)

    def _decode(self, raw: bytes) -> SignedTransactionAPI:
        if len(raw) > MAX_TRANSACTION_BYTES:
            raise _refuse(f"oversized data: transaction size {len(raw)}, limit {MAX_TRANSACTION_BYTES}")
        if not raw or (raw[0] <= _TYPED_BELOW and raw[0] not in _KNOWN_TYPES):
            raise _refuse("transaction type not supported")
        try:
            transaction: SignedTransactionAPI = self._chain.vm_class.get_transaction_builder().decode(raw)
            transaction.validate()
            transaction.check_signature_validity()
            if transaction.encode() != raw:
                raise _refuse("transaction is not in its canonical encoding")
            _ = transaction.sender
        except (rlp.exceptions.RLPException, ValidationError, ValueError, TypeError) as error:
            raise _refuse(f"transaction cannot be decoded or its signature is invalid: {error}") from error
        _check_signature_domain(transaction, self._chain.identity.chain_id)
        return transaction

    def _place(self, transaction: SignedTransactionAPI) -> None:
        queue = self._by_sender.get(transaction.sender, {})
        replaced = queue.get(transaction.nonce)
        if replaced is not None:
            _check_replacement(replaced.transaction, transaction)
            self._drop(transaction.sender, transaction.nonce)
        elif len(self._by_hash) >= MAX_POOL or len(queue) >= MAX_PER_SENDER:
            raise _refuse("txpool is full")
        self._arrivals += 1
        waiting = _Waiting(self._arrivals, transaction)
        self._by_sender.setdefault(transaction.sender, {})[transaction.nonce] = waiting
        self._by_hash[transaction.hash] = transaction

    def _forget_old(self, mined: dict[Address, int]) -> None:
        for sender, nonce in mined.items():
            for old in [each for each in self._by_sender[sender] if each < nonce]:
                self._drop(sender, old)

    def _drop(self, sender: Address, nonce: int) -> None:
        queue = self._by_sender[sender]
        del self._by_hash[queue.pop(nonce).transaction.hash]
        if not queue:
            del self._by_sender[sender]


def check_transaction(transaction: SignedTransactionAPI, state: StateAPI, *, gas_limit: int) -> None:
    """Raise RpcError, in Geth's words, unless the transaction could be mined after the given state, now or later."""
    nonce = state.get_nonce(transaction.sender)
    balance = state.get_balance(transaction.sender)
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if transaction.nonce < nonce:
        raise _refuse(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
    if transaction.gas > gas_limit:
        raise _refuse("exceeds block gas limit")
    if transaction.gas < transaction.intrinsic_gas:
        raise _refuse(
            f"intrinsic gas too low: gas {transaction.gas}, minimum needed {transaction.intrinsic_gas}"
        )
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise _refuse("max priority fee per gas higher than max fee per gas")
    if state.get_code(transaction.sender):
        raise _refuse("sender not an eoa")
    if balance < cost:
        raise _refuse(
            f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {cost - balance}"
        )


def _check_signature_domain(transaction: SignedTransactionAPI, chain_id: int) -> None:
    """Refuse a signature that another chain could use as well, or that has a second form."""
    if transaction.chain_id is None:
        raise _refuse("only replay-protected (EIP-155) transactions allowed over RPC")
    if transaction.chain_id != chain_id:
        raise _refuse(f"invalid chain id for signer: have {transaction.chain_id} want {chain_id}")
    if not 0 < transaction.s <= SECPK1_N // 2:
        raise _refuse("invalid signature: s is in the upper half")


def _check_replacement(old: SignedTransactionAPI, new: SignedTransactionAPI) -> None:
    for field in ("max_fee_per_gas", "max_priority_fee_per_gas"):
        least = getattr(old, field) * (100 + PRICE_BUMP_PERCENT) // 100
        if getattr(new, field) < least:
            raise _refuse("replacement transaction underpriced")
    if new.max_fee_per_gas <= old.max_fee_per_gas:
        raise _refuse("replacement transaction underpriced")


def _refuse(words: str) -> RpcError:
    return RpcError(_REFUSED, words)
