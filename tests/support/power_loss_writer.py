"""Programs that write to a disk whose power will be cut, and say on standard output what they acknowledge.

`python -m tests.support.power_loss_writer storage|chain DIRECTORY SEED [NORMAL|OFF]` writes one line for each
acknowledgment, after the part under test has said that the thing is durable. The pipe lies outside the disk.
"""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, func, insert, select

from ledger_service.clock import SystemClock
from ledger_service.storage.engine import Database
from ledger_service.storage.sqlite import find_driver
from tests.support.json_rpc import JsonRpc

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

METADATA = MetaData()
KEPT = Table(
    "kept",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)


def database_url(directory: Path) -> str:
    """Where the storage program keeps its rows."""
    return f"sqlite:///{directory / 'ledger.db'}"


def chain_path(directory: Path) -> Path:
    """Where the chain program keeps its chain."""
    return directory / "chain.sqlite"


def expected_content(number: int) -> bytes:
    """What row `number` holds: from a hundred bytes to a few pages, different in every row."""
    seed = hashlib.sha256(number.to_bytes(8)).digest()
    return (seed * 700)[: 100 + 131 * (number % 160)]


def acknowledge(text: str) -> None:
    """Tell the world; from here on it may not be lost."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_rows(directory: Path, rng: random.Random, unsafe: str | None) -> None:
    """Store rows through the engine for ever, one transaction each, with checkpoints of the WAL between."""
    database = Database.open(database_url(directory), unsafe_synchronous=unsafe)
    with database.read() as connection:
        fresh = not connection.dialect.has_table(connection, KEPT.name)
    if fresh:
        database.create_all(METADATA)
    with database.read() as connection:
        number = connection.execute(select(func.coalesce(func.max(KEPT.c.number), 0))).scalar_one()
    acknowledge("ready")
    while True:
        number += 1
        with database.write("records.accept") as connection:
            connection.execute(insert(KEPT).values(number=number, content=expected_content(number)))
        acknowledge(str(number))
        # The product's own threshold is 64 MiB of WAL; here a checkpoint has to fall into a run of seconds.
        if unsafe is None and rng.random() < 0.03:
            _checkpoint(directory, rng.choice(("PASSIVE", "FULL", "RESTART", "TRUNCATE")))


def _checkpoint(directory: Path, kind: str) -> None:
    connection = find_driver().connect(str(directory / "ledger.db"), isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()
    finally:
        connection.close()


def make_blocks(directory: Path, rng: random.Random, unsafe: str | None) -> None:
    """Run the embedded chain's node and send it transactions for ever, a few at a time."""
    # These load py-evm and take a second, which the other programs need not wait for.
    from eth_account import Account  # noqa: PLC0415

    from ledger_service.chain.embedded.node import EmbeddedChainNode, default_key_file  # noqa: PLC0415

    node = EmbeddedChainNode.open(
        path=chain_path(directory), clock=SystemClock(), port=0, batch_s=0.01, unsafe_synchronous=unsafe
    )
    rpc = JsonRpc(node.ready.url)
    account = Account.from_key(default_key_file(chain_path(directory)).read_text().strip())
    nonce = rpc.number("eth_getTransactionCount", account.address, "latest")
    acknowledge("ready")
    while True:
        hashes = []
        # Blocks are a second apart, so a run of a few seconds needs many transactions in each.
        for _ in range(rng.randint(1, 30)):
            signed = account.sign_transaction(
                {
                    "chainId": node.ready.chain_id,
                    "nonce": nonce,
                    "to": rng.randbytes(20),
                    "value": 1,
                    "gas": 21_000,
                    "gasPrice": 10**10,
                }
            )
            hashes.append(str(rpc.call("eth_sendRawTransaction", f"0x{signed.raw_transaction.hex()}")))
            nonce += 1
        for tx_hash in hashes:
            acknowledge(f"{tx_hash} {_block_of(rpc, tx_hash, node.miner.stopped)}")


def _block_of(rpc: JsonRpc, tx_hash: str, stopped: threading.Event) -> str:
    """The hash of the block that holds a transaction, as soon as one does; raises when there will be none."""
    while (receipt := rpc.call("eth_getTransactionReceipt", tx_hash)) is None:
        if stopped.wait(0.005):
            raise RuntimeError("the node makes no more blocks")
    return str(receipt["blockHash"])


PROGRAMS: dict[str, Callable[[Path, random.Random, str | None], None]] = {
    "storage": write_rows,
    "chain": make_blocks,
}


if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](
        Path(sys.argv[2]), random.Random(sys.argv[3]), sys.argv[4] if sys.argv[4:] else None
    )
