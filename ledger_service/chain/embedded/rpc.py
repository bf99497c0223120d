"""The methods: what this node answers to each, read from the chain at one block.

Standard methods only. There are no accounts that the node signs for, so `eth_accounts` is empty, and nothing lets a
client set the time, the state or the chain back. Block tags: the newest block is latest, safe and finalized at once,
because nothing can reorganize this chain; pending is the newest block too, except for a sender's next nonce.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from ledger_service.chain.embedded import formats, params
from ledger_service.chain.embedded.execution import base_fee, call, estimate_gas
from ledger_service.chain.embedded.fees import fee_history
from ledger_service.chain.embedded.formats import data, quantity, word
from ledger_service.chain.embedded.logs import LogFilter, find_logs
from ledger_service.errors import ChainAheadError, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eth.abc import BlockHeaderAPI
    from eth_typing import Address

    from ledger_service.chain.embedded.chain import EmbeddedChain
    from ledger_service.chain.embedded.miner import Miner
    from ledger_service.chain.embedded.pool import PendingPool

METHOD_MISSING: Final = -32601
FAILED: Final = -32000
# Greater than any block number, and still an integer for SQLite.
_BEYOND: Final = 2**62


@dataclass(frozen=True, slots=True)
class _Method:
    """One method: its parsers in the order of its parameters, of which the first `needed` must be given."""

    run: Callable[..., Any]
    parsers: tuple[Callable[[object], Any], ...] = ()
    needed: int = 0


class RpcMethods:
    """Answers requests. Safe to call from any thread; reading never waits for a block that is being made."""

    def __init__(self, chain: EmbeddedChain, pool: PendingPool, miner: Miner) -> None:
        """Read from `chain`, put transactions into `pool` and wake the `miner`."""
        self._chain = chain
        self._pool = pool
        self._miner = miner
        ours, machine = version("audit-ledger"), version("py-evm")
        self._client = f"audit-ledger/{ours}/py-evm-{machine}/python{platform.python_version()}"
        self._methods = self._table()

    @property
    def names(self) -> frozenset[str]:
        """The methods that exist."""
        return frozenset(self._methods)

    def answer(self, name: str, given: Sequence[object]) -> Any:
        """Return the result of a method, ready for JSON.

        Raises RpcError: -32601 for an unknown method, -32602 for wrong parameters, and what the method itself raises.
        """
        method = self._methods.get(name)
        if method is None:
            raise RpcError(METHOD_MISSING, f"the method {name} does not exist/is not available")
        if len(given) > len(method.parsers):
            raise params.refuse(f"too many arguments, want at most {len(method.parsers)}")
        if len(given) < method.needed:
            raise params.refuse(f"missing value for required argument {len(given)}")
        # An optional parameter may be null.
        pairs = zip(method.parsers, given, strict=False)
        values = [
            parse(value)
            for place, (parse, value) in enumerate(pairs)
            if place < method.needed or value is not None
        ]
        return method.run(*values)

    def _table(self) -> dict[str, _Method]:
        block, address, hash_ = params.parse_block_name, params.parse_address, params.parse_hash
        return {
            "web3_clientVersion": _Method(lambda: self._client),
            "net_version": _Method(lambda: str(self._chain.identity.chain_id)),
            "eth_chainId": _Method(lambda: quantity(self._chain.identity.chain_id)),
            "eth_syncing": _Method(lambda: False),
            "eth_accounts": _Method(list),
            "eth_blockNumber": _Method(lambda: quantity(self._chain.head().block_number)),
            "eth_gasPrice": _Method(lambda: quantity(self._next_base_fee())),
            "eth_maxPriorityFeePerGas": _Method(lambda: quantity(0)),
            "eth_feeHistory": _Method(self._fee_history, (_count, block, params.parse_percentiles), 2),
            "eth_getBlockByNumber": _Method(self._block_by_number, (block, params.parse_flag), 2),
            "eth_getBlockByHash": _Method(self._block_by_hash, (hash_, params.parse_flag), 2),
            "eth_getBlockReceipts": _Method(self._block_receipts, (block,), 1),
            "eth_getTransactionByHash": _Method(self._transaction, (hash_,), 1),
            "eth_getTransactionReceipt": _Method(self._receipt, (hash_,), 1),
            "eth_getBalance": _Method(self._balance, (address, block), 1),
            "eth_getCode": _Method(self._code, (address, block), 1),
            "eth_getStorageAt": _Method(self._storage, (address, params.parse_slot, block), 2),
            "eth_getTransactionCount": _Method(self._count, (address, block), 1),
            "eth_call": _Method(self._call, (params.parse_call, block), 1),
            "eth_estimateGas": _Method(self._estimate, (params.parse_call, block), 1),
            "eth_getLogs": _Method(self._logs, (params.parse_log_filter,), 1),
            "eth_sendRawTransaction": _Method(self._send, (_raw,), 1),
        }

    def _header(self, name: params.BlockName) -> BlockHeaderAPI:
        header = self._find_header(name)
        if header is None:
            words = "header for hash not found" if isinstance(name, bytes) else "header not found"
            raise RpcError(FAILED, words)
        return header

    def _find_header(self, name: params.BlockName) -> BlockHeaderAPI | None:
        if isinstance(name, bytes):
            return self._chain.header_of(name)
        if name == "earliest":
            return self._chain.header_at(0)
        return self._chain.header_at(name) if isinstance(name, int) else self._chain.head()

    def _next_base_fee(self) -> int:
        return base_fee(self._chain.header_after(self._chain.head()))

    def _fee_history(self, count: int, name: params.BlockName, percentiles: tuple[float, ...] = ()) -> Any:
        return fee_history(self._chain, newest=self._header(name), count=count, percentiles=percentiles)

    def _block_by_number(self, name: params.BlockName, full: bool) -> Any:  # noqa: FBT001  the position is the protocol's
        if name == "pending":
            return formats.format_pending_block(self._chain.header_after(self._chain.head()))
        header = self._find_header(name)
        return None if header is None else formats.format_block(self._chain, header, full=full)

    def _block_by_hash(self, block_hash: bytes, full: bool) -> Any:  # noqa: FBT001  the position is the protocol's
        header = self._chain.header_of(block_hash)
        return None if header is None else formats.format_block(self._chain, header, full=full)

    def _block_receipts(self, name: params.BlockName) -> Any:
        header = self._find_header(name)
        return (
            None
            if header is None
            else [formats.format_receipt(each) for each in self._chain.receipts(header)]
        )

    def _transaction(self, tx_hash: bytes) -> Any:
        # It may be mined between the first look and the second; then the third finds it.
        mined = self._chain.transaction(tx_hash)
        waiting = None if mined else self._pool.find(tx_hash)
        if waiting is not None:
            return formats.format_transaction(waiting, None, None)
        mined = mined or self._chain.transaction(tx_hash)
        return None if mined is None else formats.format_mined(mined)

    def _receipt(self, tx_hash: bytes) -> Any:
        found = self._chain.receipt(tx_hash)
        return None if found is None else formats.format_receipt(found)

    def _balance(self, address: Address, name: params.BlockName = "latest") -> Any:
        return quantity(self._chain.state(self._header(name)).get_balance(address))

    def _code(self, address: Address, name: params.BlockName = "latest") -> Any:
        return data(self._chain.state(self._header(name)).get_code(address))

    def _storage(self, address: Address, slot: int, name: params.BlockName = "latest") -> Any:
        return word(self._chain.state(self._header(name)).get_storage(address, slot))

    def _count(self, address: Address, name: params.BlockName = "latest") -> Any:
        if name == "pending":
            return quantity(self._pool.next_nonce(address))
        return quantity(self._chain.state(self._header(name)).get_nonce(address))

    def _call(self, request: Any, name: params.BlockName = "latest") -> Any:
        return data(call(self._chain, request, self._header(name)))

    def _estimate(self, request: Any, name: params.BlockName = "latest") -> Any:
        return quantity(estimate_gas(self._chain, request, self._header(name)))

    def _logs(self, wanted: dict[str, Any]) -> Any:
        if wanted["block"] is not None:
            header = self._chain.header_of(wanted["block"])
            if header is None:
                raise RpcError(FAILED, "unknown block")
            first: int = header.block_number
            last = first
        else:
            head = self._chain.head().block_number
            first, last = (self._number(wanted[name], head=head) for name in ("first", "last"))
            if first > last:
                raise params.refuse("invalid block range params")
        rows = find_logs(self._chain.file, LogFilter(first, last, wanted["addresses"], wanted["topics"]))
        return [formats.format_log(row) for row in rows]

    def _number(self, name: params.BlockName, *, head: int) -> int:
        if isinstance(name, bytes):
            raise params.refuse("fromBlock and toBlock are numbers or tags")
        if isinstance(name, int):
            return min(name, _BEYOND)
        return 0 if name == "earliest" else head

    def _send(self, raw: bytes) -> Any:
        try:
            self._miner.check_clock()
        except ChainAheadError as error:
            raise RpcError(FAILED, error.text) from error
        tx_hash = self._pool.add(raw)
        self._miner.wake()
        return data(tx_hash)


def _raw(value: object) -> bytes:
    return params.parse_data(value, what="transaction")


def _count(value: object) -> int:
    # web3.py and ethers write a quantity, some clients a plain number; Geth takes both here.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return params.parse_quantity(value, what="block count")
