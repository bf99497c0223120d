"""Block 0 of an installation: its own chain id, its own funded key, its own time.

eth-tester's defaults are the same everywhere, so that a transaction for one chain would be valid on all of them and
anybody knows the keys. Here the chain id is drawn from a range that nobody else uses and the money belongs to one key.
"""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from eth.constants import SECPK1_N
from eth_keys.datatypes import PrivateKey
from eth_tester.backends.pyevm.main import get_default_genesis_params, setup_tester_chain

from ledger_service.chain.embedded.store import BlockBuffer, ChainFile, Identity
from ledger_service.errors import KeyFileError
from ledger_service.storage.filesystem import sync_directory

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

# 7000000000000 to 7999999999999: thirteen digits that begin with 7. No public chain lies there, the numbers are far
# below 2^53 / 2 - 36 (the greatest that wallets written in JavaScript can sign for), and two installations that draw
# the same one are as likely as one in 10^12.
FIRST_CHAIN_ID: Final = 7_000_000_000_000
CHAIN_IDS: Final = 10**12
FUNDED_WEI: Final = 10**9 * 10**18
EXTRA_DATA: Final = b"audit-ledger"
_KEY: Final = re.compile(r"0x[0-9a-fA-F]{64}")


def draw_chain_id() -> int:
    """Return a random chain id of the private range."""
    return FIRST_CHAIN_ID + secrets.randbelow(CHAIN_IDS)


def create_chain(file: ChainFile, *, funded: bytes, now: datetime, chain_id: int | None = None) -> Identity:
    """Store block 0, in which the 20-byte address `funded` owns all the money. Return what identifies the chain."""
    chain_id = draw_chain_id() if chain_id is None else chain_id
    buffer = BlockBuffer(file)
    account = {"balance": FUNDED_WEI, "nonce": 0, "code": b"", "storage": {}}
    header = get_default_genesis_params({"timestamp": int(now.timestamp()), "extra_data": EXTRA_DATA})
    chain = chain_class(chain_id).from_genesis(buffer, header, {funded: account})
    identity = Identity(chain_id, chain.get_canonical_head().hash, funded)
    file.store_genesis(identity, buffer.entries)
    return identity


def chain_class(chain_id: int) -> Any:
    """Return eth-tester's chain for this chain id: py-evm at Prague, no seals, a gas limit that never changes.

    eth-tester makes the class only together with a chain in memory, which is thrown away.
    """
    _, tester = setup_tester_chain(
        genesis_state={b"\x01" * 20: {"balance": 0, "nonce": 0, "code": b"", "storage": {}}}
    )
    return type(tester).configure(__name__="EmbeddedPragueChain", chain_id=chain_id)


def load_funded_key(path: Path) -> PrivateKey:
    """Return the key in the file at `path` (0x and 64 hexadecimal digits); a new key is made if there is no file.

    The file has mode 0600 and is on the disk before the key is used. Raises KeyFileError when it is malformed or
    others may read it.
    """
    if not path.exists():
        _make_key_file(path)
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path.name} may be read by others: chmod 600.", file=path.name)
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not _KEY.fullmatch(text) or not 0 < int(text, 16) < SECPK1_N:
        raise KeyFileError(f"{path.name} does not hold a secp256k1 key in hexadecimal.", file=path.name)
    return PrivateKey(bytes.fromhex(text[2:]))


def _make_key_file(path: Path) -> None:
    key = 1 + secrets.randbelow(SECPK1_N - 1)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, f"0x{key:064x}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.rename(path)
    sync_directory(path.parent)
