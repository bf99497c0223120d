"""One log in a contract, driven as a publisher drives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import coincurve
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed, Mined
    from tests.contracts.trees import Tree

Head = tuple[int, bytes, int, int]  # size, root, time, previous size
SignedCheckpoint = tuple[int, bytes, bytes, bytes]  # size, root, r, vs
ProvenEntry = tuple[int, bytes, tuple[bytes, ...]]  # index, leaf, path
LogReference = tuple[int, str, bytes]  # chain id, contract, log id

NO_HEAD: Final[Head] = (0, bytes(32), 0, 0)
NO_LOG: Final[LogReference] = (0, "0x" + "00" * 20, bytes(32))
OPENER: Final = 0
PUBLISHER: Final = 1
STRANGER: Final = 2
CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class HeadKey:
    """A key that signs checkpoints, by eth_account's reading of EIP-712 and not by the service's."""

    secret: bytes

    @property
    def address(self) -> str:
        """The Ethereum address of the key."""
        point = coincurve.PrivateKey(self.secret).public_key.format(compressed=False)
        return str(to_checksum_address(keccak(point[1:])[12:]))

    def sign_digest(self, digest: bytes) -> tuple[bytes, bytes]:
        """Sign 32 bytes; gives r and vs."""
        signature = coincurve.PrivateKey(self.secret).sign_recoverable(digest, hasher=None)
        return signature[:32], (int.from_bytes(signature[32:64]) | signature[64] << 255).to_bytes(32)

    def sign(self, origin: str, size: int, root: bytes) -> SignedCheckpoint:
        """Sign a checkpoint."""
        return (size, root, *self.sign_digest(checkpoint_digest(origin, size, root)))


def checkpoint_digest(origin: str, size: int, root: bytes) -> bytes:
    """What EIP-712 has a head key sign for a checkpoint."""
    types = {
        "Checkpoint": [
            {"name": "origin", "type": "string"},
            {"name": "size", "type": "uint64"},
            {"name": "root", "type": "bytes32"},
        ]
    }
    domain = {"name": "audit-ledger checkpoint", "version": "1"}
    return _typed_data_digest(domain, types, {"origin": origin, "size": size, "root": root})


def retirement_digest(
    chain_id: int, contract: str, *, log_id: bytes, size: int, successor: LogReference
) -> bytes:
    """What EIP-712 has a head key sign to retire a log."""
    types = {
        "Retirement": [
            {"name": "logId", "type": "bytes32"},
            {"name": "size", "type": "uint64"},
            {"name": "chainId", "type": "uint256"},
            {"name": "anchor", "type": "address"},
            {"name": "successorLogId", "type": "bytes32"},
        ]
    }
    names = ("chainId", "anchor", "successorLogId")
    message = {"logId": log_id, "size": size, **dict(zip(names, successor, strict=True))}
    domain = {"name": "audit-ledger log", "version": "1", "chainId": chain_id, "verifyingContract": contract}
    return _typed_data_digest(domain, types, message)


def rotation_digest(
    chain_id: int, contract: str, *, log_id: bytes, size: int, publisher: str, head_key: str
) -> bytes:
    """What EIP-712 has a head key sign to give a log another publisher or head key."""
    types = {
        "Rotation": [
            {"name": "logId", "type": "bytes32"},
            {"name": "size", "type": "uint64"},
            {"name": "publisher", "type": "address"},
            {"name": "headKey", "type": "address"},
        ]
    }
    message = {"logId": log_id, "size": size, "publisher": publisher, "headKey": head_key}
    domain = {"name": "audit-ledger log", "version": "1", "chainId": chain_id, "verifyingContract": contract}
    return _typed_data_digest(domain, types, message)


def _typed_data_digest(domain: dict[str, Any], types: dict[str, Any], message: dict[str, Any]) -> bytes:
    signable = encode_typed_data(domain, types, message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@dataclass(slots=True)
class LogDriver:
    """A log, its tree and the newest head that the contract accepted."""

    contract: Deployed
    tree: Tree
    key: HeadKey = HeadKey(b"\x11" * 32)
    origin: str = field(default_factory=lambda: f"ledger.example/logs/org-{next(_NUMBERS)}/purchases")
    log_id: bytes = b""
    head: Head = NO_HEAD

    def open(self) -> Mined:
        """Open the log."""
        publisher = self.contract.evm.account(PUBLISHER)
        mined = self.contract.send("open", self.origin, publisher, self.key.address, sender=OPENER)
        self.log_id = mined.events[0][1]["logId"]
        return mined

    def signed(self, size: int, root: bytes | None = None) -> SignedCheckpoint:
        """The checkpoint at a size of the tree, or with another root, signed by the head key."""
        return self.key.sign(self.origin, size, self.tree.root(size) if root is None else root)

    def path_to(self, size: int) -> tuple[bytes, ...]:
        """The consistency path from the newest head."""
        return self.tree.consistency(self.head[0], size)

    def publish(self, size: int) -> Mined:
        """Bring the checkpoint at a size of the tree."""
        mined = self.offer(self.signed(size), self.path_to(size))
        self.head = (size, self.tree.root(size), mined.time, self.head[0])
        return mined

    def offer(
        self,
        offered: SignedCheckpoint,
        path: tuple[bytes, ...],
        *,
        accepted: Head | None = None,
        sender: int = PUBLISHER,
    ) -> Mined:
        """Send any `publish` at all."""
        head = self.head if accepted is None else accepted
        return self.contract.send("publish", self.log_id, head, offered, path, sender=sender)

    def entry(self, index: int, size: int | None = None) -> ProvenEntry:
        """An entry with its path at a size, by default the newest head's."""
        path = self.tree.inclusion(index, self.head[0] if size is None else size)
        return (index, self.tree.leaves[index], path)

    def retire(self, successor: LogReference = NO_LOG, *, sender: int = PUBLISHER) -> Mined:
        """Close the log with the head key's signature."""
        signature = self.key.sign_digest(self.retirement_digest(successor))
        return self.contract.send("retire", self.log_id, successor, *signature, sender=sender)

    def rotate(
        self, *, publisher: int = PUBLISHER, key: HeadKey | None = None, sender: int = PUBLISHER
    ) -> Mined:
        """Give the log another publisher or head key, with the signature of the head key in force."""
        new = self.key if key is None else key
        account = self.contract.evm.account(publisher)
        signature = self.key.sign_digest(self.rotation_digest(account, new.address))
        mined = self.contract.send("rotate", self.log_id, account, new.address, *signature, sender=sender)
        self.key = new
        return mined

    def rotation_digest(self, publisher: str, head_key: str) -> bytes:
        """What the head key signs to change both now."""
        return rotation_digest(
            self.contract.evm.chain_id,
            self.contract.checksum_address,
            log_id=self.log_id,
            size=self.head[0],
            publisher=publisher,
            head_key=head_key,
        )

    def retirement_digest(self, successor: LogReference = NO_LOG) -> bytes:
        """What the head key signs to close the log now."""
        evm = self.contract.evm
        return retirement_digest(
            evm.chain_id,
            self.contract.checksum_address,
            log_id=self.log_id,
            size=self.head[0],
            successor=successor,
        )

    def reference(self) -> LogReference:
        """Where this log is."""
        return (self.contract.evm.chain_id, self.contract.checksum_address, self.log_id)
