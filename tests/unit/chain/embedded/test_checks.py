"""The check of a whole chain: it passes what is sound and finds what is not."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.checks import check_chain
from ledger_service.chain.embedded.store import HEAD_KEY, ChainFile
from ledger_service.errors import ChainFileError
from tests.support.embedded_chain import ChainBench

if TYPE_CHECKING:
    import random
    from pathlib import Path


@pytest.fixture
def chain_file(tmp_path: Path) -> Path:
    """A closed chain of five blocks with logs."""
    bench = ChainBench.create(tmp_path / "chain.sqlite")
    probe = bench.deploy_probe()
    for size in (1, 2, 3):
        bench.mine(*(bench.sender.sign(to=probe, data=bytes([size])) for _ in range(size)))
    bench.file.close()
    return bench.file.path


def check(path: Path) -> None:
    """Open a file and check all of it."""
    file = ChainFile.open(path)
    try:
        check_chain(file)
    finally:
        file.close()


def change(path: Path, statement: str, *values: object) -> None:
    """Change a closed chain behind its back."""
    connection = sqlite3.connect(path)
    assert connection.execute(statement, values).rowcount > 0
    connection.commit()
    connection.close()


def test_a_sound_chain_passes(chain_file: Path) -> None:
    """Blocks, transactions and logs are counted and nothing is found wrong."""
    file = ChainFile.open(chain_file)
    found = check_chain(file)
    assert (found.blocks, found.transactions, found.logs) == (5, 7, 6)
    file.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE logs SET data=x'ff' WHERE block=3 AND place=1",
        "UPDATE logs SET tx_place=0 WHERE block=3 AND place=1",
        "UPDATE logs SET topic1=NULL WHERE block=4 AND place=2",
        "UPDATE logs SET block=9 WHERE block=4 AND place=2",
        "DELETE FROM logs WHERE block=4 AND place=2",
        "UPDATE identity SET genesis_hash=x'00'",
        "DELETE FROM entries WHERE key=CAST('block-number-to-hash:2' AS BLOB)",
        """UPDATE entries SET value=(SELECT value FROM entries WHERE key=CAST('block-number-to-hash:1' AS BLOB))
        WHERE key=CAST('block-number-to-hash:2' AS BLOB)""",
    ],
)
def test_damage_to_an_index_is_found(chain_file: Path, statement: str) -> None:
    """An index that does not say what the blocks say is reported."""
    change(chain_file, statement)
    with pytest.raises(ChainFileError):
        check(chain_file)


def test_damage_to_any_entry_is_found(chain_file: Path, rng: random.Random) -> None:
    """A flipped bit in any header, node, code, index entry or the head pointer is reported."""
    connection = sqlite3.connect(chain_file)
    entries = dict(connection.execute("SELECT key, value FROM entries").fetchall())
    connection.close()
    # The scores and gaps are py-evm's own notes, from which nothing is answered.
    notes = (b"block-hash-to-score", b"v1:header_chain_gaps", b"v1:chain_gaps")
    checked = 0
    for key, value in entries.items():
        if key.startswith(notes) or not value:
            continue
        place = rng.randrange(len(value))
        broken = value[:place] + bytes([value[place] ^ (1 << rng.randrange(8))]) + value[place + 1 :]
        change(chain_file, "UPDATE entries SET value=? WHERE key=?", broken, key)
        try:
            check(chain_file)
        except ChainFileError:
            checked += 1
        else:
            pytest.fail(f"unnoticed: {key!r} from {value!r} to {broken!r}")
        change(chain_file, "UPDATE entries SET value=? WHERE key=?", value, key)
    check(chain_file)
    assert checked > 40


@pytest.mark.parametrize("key", ["head", "head block", "state"])
def test_a_torn_head_is_refused_when_opened(chain_file: Path, key: str) -> None:
    """A head pointer, header or state root that is missing is found before anything is served."""
    bench = ChainFile.open(chain_file)
    head = EmbeddedChain(bench).head()
    bench.close()
    torn = {"head": HEAD_KEY, "head block": head.hash, "state": head.state_root}[key]
    change(chain_file, "DELETE FROM entries WHERE key=?", torn)
    file = ChainFile.open(chain_file)
    with pytest.raises(ChainFileError, match="newest block"):
        EmbeddedChain(file)
    file.close()
