"""The index of logs: which log stands where, so that eth_getLogs need not open every block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.chain.embedded.store import ChainFile, LogRow
from ledger_service.errors import RpcError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eth.abc import BlockAPI, ReceiptAPI

MAX_ROWS: Final = 10_000
MAX_TOPICS: Final = 4
_LIMIT_EXCEEDED: Final = -32005


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs are asked for. An empty tuple of addresses, or of a position's topics, stands for any."""

    first_block: int
    last_block: int
    addresses: tuple[bytes, ...] = ()
    topics: tuple[tuple[bytes, ...], ...] = ()


def collect_logs(block: BlockAPI, receipts: Sequence[ReceiptAPI]) -> list[LogRow]:
    """Return the index rows of a block, in order."""
    rows: list[LogRow] = []
    for tx_place, (transaction, receipt) in enumerate(zip(block.transactions, receipts, strict=True)):
        for log in receipt.logs:
            topics = tuple(topic.to_bytes(32, "big") for topic in log.topics)
            rows.append(
                LogRow(
                    block.number,
                    len(rows),
                    tx_place,
                    block.hash,
                    transaction.hash,
                    log.address,
                    topics,
                    log.data,
                )
            )
    return rows


def find_logs(file: ChainFile, wanted: LogFilter) -> list[LogRow]:
    """Return the matching logs in the order of the chain.

    A filter with n topic positions matches logs with at least n topics, as in Geth. Raises RpcError when more than
    MAX_ROWS match.
    """
    clauses = ["block BETWEEN ? AND ?"]
    values: list[object] = [wanted.first_block, wanted.last_block]
    columns: Iterable[tuple[str, tuple[bytes, ...]]] = [
        ("address", wanted.addresses),
        *((f"topic{place}", topics) for place, topics in enumerate(wanted.topics)),
    ]
    for column, choices in columns:
        if choices:
            clauses.append(f"{column} IN ({','.join('?' * len(choices))})")
            values.extend(choices)
    if wanted.topics:
        clauses.append(f"topic{len(wanted.topics) - 1} IS NOT NULL")
    # Only column names and question marks of ours are put together here; values are bound.
    question = f"SELECT * FROM logs WHERE {' AND '.join(clauses)} ORDER BY block, place LIMIT {MAX_ROWS + 1}"  # noqa: S608
    found = file.ask(question, values)
    if len(found) > MAX_ROWS:
        raise RpcError(_LIMIT_EXCEEDED, f"query returned more than {MAX_ROWS} results")
    return [LogRow.from_row(row) for row in found]
