"""A log of five entries in a PurchaseLedger on a running chain, told in plain values that any client can use."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import coincurve
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ledger_service.chain.abi import load_artifact
from ledger_service.chain.account import Fees, PublisherAccount, contract_address
from ledger_service.chain.client import Node
from ledger_service.chain.contract import (
    NO_HEAD,
    CheckpointLogContract,
    SignedHead,
    deployment,
    predict_log_id,
)
from ledger_service.chain.head_signer import checkpoint_digest
from ledger_service.chain.rpc import JsonRpc
from ledger_service.proofs.checkpoint import Checkpoint
from ledger_service.proofs.merkle import leaf_hash, prove_inclusion, tree_root_of
from ledger_service.proofs.types import LeafIndex, Origin, TreeSize

if TYPE_CHECKING:
    from ledger_service.chain.account import Call

ORIGIN: Final = Origin("ledger.example/logs/corner-shop/purchases")
HEAD_SECRET: Final = b"\x44" * 32
ENTRIES: Final = tuple(f"entry {number}".encode() for number in range(5))
GAS: Final = 5_000_000
WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class AnchoredLog:
    """Where the log is, its accepted head, and one entry with its inclusion path: hexadecimal text and numbers."""

    url: str
    chain_id: int
    contract: str
    log_id: str
    size: int
    root: str
    time: int
    index: int
    leaf: str
    path: tuple[str, ...]
    publish_tx: str
    publish_block: str
    publisher: str

    @property
    def head(self) -> tuple[int, str, int, int]:
        """The head as the contract's functions take it."""
        return (self.size, self.root, self.time, 0)

    @property
    def entry(self) -> tuple[int, str, tuple[str, ...]]:
        """The entry as the contract's functions take it."""
        return (self.index, self.leaf, self.path)


def anchor_log(url: str, secret: bytes, *, index: int = 3) -> AnchoredLog:
    """Deploy a PurchaseLedger, open a log in it and publish its first head, all from one account."""
    rpc = JsonRpc(url)
    account = PublisherAccount(secret)
    artifact = load_artifact("PurchaseLedger")
    chain_id = int(rpc.ask("eth_chainId"), 16)
    deployed = _send(rpc, account, deployment(artifact, opener=account.address))
    address = contract_address(account.address, int(deployed["nonce"], 16))
    contract = CheckpointLogContract(Node(rpc), artifact, address=address)
    head_key = coincurve.PrivateKey(HEAD_SECRET)
    point = head_key.public_key.format(compressed=False)
    _send(rpc, account, contract.open_log(ORIGIN, publisher=account.address, head_key=keccak(point[1:])[12:]))
    log_id = predict_log_id(
        chain_id=chain_id, contract=address, opener=account.address, origin=ORIGIN, nonce=0
    )
    leaves = tuple(leaf_hash(each) for each in ENTRIES)
    root, size = tree_root_of(leaves), TreeSize(len(leaves))
    signature = head_key.sign_recoverable(checkpoint_digest(Checkpoint(ORIGIN, size, root)), hasher=None)
    vs = int.from_bytes(signature[32:64], "big") | (signature[64] & 1) << 255
    offered = SignedHead(size, root, signature[:32], vs.to_bytes(32, "big"))
    published = _send(rpc, account, contract.publish(log_id, accepted=NO_HEAD, offered=offered, path=()))
    block = rpc.ask("eth_getBlockByHash", published["blockHash"], False)  # noqa: FBT003
    path = prove_inclusion(_OneTile(leaves), LeafIndex(index), size)
    return AnchoredLog(
        url=url,
        chain_id=chain_id,
        contract=to_checksum_address(address),
        log_id=_hex(log_id),
        size=size,
        root=_hex(root),
        time=int(block["timestamp"], 16),
        index=index,
        leaf=_hex(leaves[index]),
        path=tuple(_hex(each) for each in path),
        publish_tx=published["hash"],
        publish_block=published["blockHash"],
        publisher=to_checksum_address(account.address),
    )


@dataclass(frozen=True, slots=True)
class _OneTile:
    """A tree so small that it is one tile."""

    leaves: tuple[bytes, ...]

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes."""
        assert (level, index) == (0, 0)
        return b"".join(self.leaves[:width])


def _send(rpc: JsonRpc, account: PublisherAccount, call: Call) -> dict[str, Any]:
    """Send a transaction, wait until it is mined with success, and return it."""
    nonce = int(rpc.ask("eth_getTransactionCount", _hex(account.address), "pending"), 16)
    chain_id = int(rpc.ask("eth_chainId"), 16)
    signed = account.sign(call, chain_id=chain_id, nonce=nonce, gas=GAS, fees=Fees(4 * 10**9, 0))
    tx_hash = rpc.ask("eth_sendRawTransaction", _hex(signed.raw))
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.05)):
        receipt = rpc.ask("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            assert receipt["status"] == "0x1", receipt
            found: dict[str, Any] = rpc.ask("eth_getTransactionByHash", tx_hash)
            return found
        pause.wait(0.05)
    raise AssertionError(f"no receipt of {tx_hash}")


def _hex(octets: bytes) -> str:
    return f"0x{octets.hex()}"
