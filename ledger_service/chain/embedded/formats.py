"""Writes blocks, transactions, receipts and logs as the Ethereum JSON-RPC specification shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import rlp
from eth._utils.address import generate_contract_address
from eth_utils.address import to_checksum_address

from ledger_service.chain.embedded.execution import base_fee

if TYPE_CHECKING:
    from eth.abc import BlockAPI, BlockHeaderAPI, SignedTransactionAPI

    from ledger_service.chain.embedded.chain import EmbeddedChain, Mined, MinedReceipt
    from ledger_service.chain.embedded.store import LogRow

DYNAMIC_FEE: Final = 2


def quantity(number: int) -> str:
    """Write a number."""
    return hex(number)


def data(octets: bytes) -> str:
    """Write bytes."""
    return "0x" + octets.hex()


def word(number: int) -> str:
    """Write a number as 32 bytes."""
    return data(number.to_bytes(32, "big"))


def format_block(chain: EmbeddedChain, header: BlockHeaderAPI, *, full: bool) -> dict[str, Any]:
    """Write a stored block, its transactions in full or as hashes."""
    block = chain.block(header)
    transactions: list[Any] = (
        [format_transaction(each, header, place) for place, each in enumerate(block.transactions)]
        if full
        else [data(each.hash) for each in block.transactions]
    )
    return _header(header) | {
        "hash": data(header.hash),
        "nonce": data(header.nonce),
        "logsBloom": data(header.bloom.to_bytes(256, "big")),
        "size": quantity(_size(block)),
        "transactions": transactions,
    }


def format_pending_block(header: BlockHeaderAPI) -> dict[str, Any]:
    """Write the block that would come next. It has no hash yet, and what waits for it is not listed."""
    return _header(header) | {
        "hash": None,
        "nonce": None,
        "logsBloom": None,
        "size": "0x0",
        "transactions": [],
    }


def format_mined(mined: Mined) -> dict[str, Any]:
    """Write a transaction with its place in the chain."""
    return format_transaction(mined.transaction, mined.header, mined.place)


def format_transaction(
    transaction: SignedTransactionAPI, header: BlockHeaderAPI | None, place: int | None
) -> dict[str, Any]:
    """Write a transaction. `header` and `place` are None while it waits."""
    kind = transaction_type(transaction)
    fields: dict[str, Any] = {
        "type": quantity(kind),
        "hash": data(transaction.hash),
        "blockHash": None if header is None else data(header.hash),
        "blockNumber": None if header is None else quantity(header.block_number),
        "transactionIndex": None if place is None else quantity(place),
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "nonce": quantity(transaction.nonce),
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(_price(transaction, header)),
        "input": data(transaction.data),
        "chainId": quantity(transaction.chain_id or 0),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
    }
    if kind == 0:
        return fields | {"v": quantity(transaction.v)}  # type: ignore[attr-defined]  # only legacy ones have it
    fields |= {
        "v": quantity(transaction.y_parity),
        "yParity": quantity(transaction.y_parity),
        "accessList": [
            {"address": to_checksum_address(address), "storageKeys": [word(slot) for slot in slots]}
            for address, slots in transaction.access_list
        ],
    }
    if kind == DYNAMIC_FEE:
        fields |= {
            "maxFeePerGas": quantity(transaction.max_fee_per_gas),
            "maxPriorityFeePerGas": quantity(transaction.max_priority_fee_per_gas),
        }
    return fields


def format_receipt(found: MinedReceipt) -> dict[str, Any]:
    """Write a receipt with its logs."""
    transaction, header, receipt = found.mined.transaction, found.mined.header, found.receipt
    created = None
    if not transaction.to:
        created = to_checksum_address(generate_contract_address(transaction.sender, transaction.nonce))
    place = {
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(found.mined.place),
        "blockHash": data(header.hash),
        "blockNumber": quantity(header.block_number),
    }
    return place | {
        "type": quantity(transaction_type(transaction)),
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "contractAddress": created,
        "cumulativeGasUsed": quantity(receipt.gas_used),
        "gasUsed": quantity(found.gas_used),
        "effectiveGasPrice": quantity(_price(transaction, header)),
        "logsBloom": data(receipt.bloom.to_bytes(256, "big")),
        "logs": [
            place
            | {
                "address": to_checksum_address(log.address),
                "topics": [word(topic) for topic in log.topics],
                "data": data(log.data),
                "logIndex": quantity(found.logs_before + offset),
                "removed": False,
            }
            for offset, log in enumerate(receipt.logs)
        ],
    }


def format_log(row: LogRow) -> dict[str, Any]:
    """Write a log from the index."""
    return {
        "address": to_checksum_address(row.address),
        "topics": [data(topic) for topic in row.topics],
        "data": data(row.data),
        "blockNumber": quantity(row.block),
        "blockHash": data(row.block_hash),
        "transactionHash": data(row.tx_hash),
        "transactionIndex": quantity(row.tx_place),
        "logIndex": quantity(row.place),
        "removed": False,
    }


def transaction_type(transaction: SignedTransactionAPI) -> int:
    """Return the EIP-2718 type of a transaction; 0 for a legacy one."""
    return int(getattr(transaction, "type_id", None) or 0)


def tip(transaction: SignedTransactionAPI, header: BlockHeaderAPI) -> int:
    """Return what a mined transaction paid per gas above the base fee, in wei."""
    spare = transaction.max_fee_per_gas - base_fee(header)
    return min(int(transaction.max_priority_fee_per_gas), int(spare))


def _price(transaction: SignedTransactionAPI, header: BlockHeaderAPI | None) -> int:
    if header is None:
        return int(transaction.max_fee_per_gas)
    return tip(transaction, header) + base_fee(header)


def _size(block: BlockAPI) -> int:
    return len(rlp.encode(block))


def _header(header: BlockHeaderAPI) -> dict[str, Any]:
    fields: Any = header
    return {
        "number": quantity(header.block_number),
        "parentHash": data(header.parent_hash),
        "sha3Uncles": data(header.uncles_hash),
        "miner": to_checksum_address(header.coinbase),
        "stateRoot": data(header.state_root),
        "transactionsRoot": data(header.transaction_root),
        "receiptsRoot": data(header.receipt_root),
        "difficulty": quantity(header.difficulty),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "extraData": data(header.extra_data),
        "mixHash": data(header.mix_hash),
        "baseFeePerGas": quantity(fields.base_fee_per_gas),
        "withdrawalsRoot": data(fields.withdrawals_root),
        "blobGasUsed": quantity(fields.blob_gas_used),
        "excessBlobGas": quantity(fields.excess_blob_gas),
        "parentBeaconBlockRoot": data(fields.parent_beacon_block_root),
        "requestsHash": data(fields.requests_hash),
        "uncles": [],
        "withdrawals": [],
    }
