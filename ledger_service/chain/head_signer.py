"""Line 3 of a checkpoint: secp256k1 over EIP-712, so that a contract can check it (design section 5).

The typed data is `Checkpoint(string origin,uint64 size,bytes32 root)` in the domain {name: "audit-ledger
checkpoint", version: "1"}. It is bound to no chain: one line serves every anchor and survives a migration.
A verifier key of this type holds the 33-byte compressed public key; a payload is r and s, 32 bytes each,
with s in the lower half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import coincurve
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ledger_service.errors import MalformedError, SignatureError
from ledger_service.proofs.checkpoint import parse_checkpoint
from ledger_service.proofs.note import ALG_EIP712, Signature, find_signature, make_vkey

if TYPE_CHECKING:
    from ledger_service.chain.contract import LogReference
    from ledger_service.proofs.checkpoint import Checkpoint
    from ledger_service.proofs.note import Note, VerifierKey

CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PAYLOAD_BYTES: Final = 64
_CHECKPOINT_DOMAIN: Final = keccak(
    encode(
        ["bytes32", "bytes32", "bytes32"],
        [
            keccak(b"EIP712Domain(string name,string version)"),
            keccak(b"audit-ledger checkpoint"),
            keccak(b"1"),
        ],
    )
)
_CHECKPOINT_TYPE: Final = keccak(b"Checkpoint(string origin,uint64 size,bytes32 root)")
_LOG_DOMAIN_TYPE: Final = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_RETIREMENT_TYPE: Final = keccak(
    b"Retirement(bytes32 logId,uint64 size,uint256 chainId,address anchor,bytes32 successorLogId)"
)

_ROTATION_TYPE: Final = keccak(b"Rotation(bytes32 logId,uint64 size,address publisher,address headKey)")


@dataclass(frozen=True, slots=True)
class CompactSignature:
    """A signature as contracts take it (EIP-2098): r, and s with the point's parity in its highest bit."""

    r: bytes
    vs: bytes


class Eip712Signer:
    """Signs one log's checkpoints on line 3. A `CheckpointSigner` of the log package.

    Signing is deterministic (RFC 6979), so a crash between signing and storing cannot show two signatures.
    """

    __slots__ = ("_key", "vkey")

    def __init__(self, secret: bytes, *, name: str) -> None:
        """Use a 32-byte secret key under the key name `name`, which is the log's origin."""
        self._key = coincurve.PrivateKey(secret)
        self.vkey = make_vkey(name, alg=ALG_EIP712, public_key=self._key.public_key.format(compressed=True))

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> Signature:
        """Return the signature line. `timestamp` is not part of this kind of line."""
        del timestamp
        signed = self._key.sign_recoverable(checkpoint_digest(checkpoint), hasher=None)
        return Signature(self.vkey.name, self.vkey.key_id, signed[:PAYLOAD_BYTES])

    def sign_retirement(
        self, *, chain_id: int, contract: bytes, log_id: bytes, size: int, successor: LogReference | None
    ) -> CompactSignature:
        """Return the signature that closes the log at its accepted size, for one contract on one chain."""
        digest = retirement_digest(
            chain_id=chain_id, contract=contract, log_id=log_id, size=size, successor=successor
        )
        signed = self._key.sign_recoverable(digest, hasher=None)
        return _compact(signed[:PAYLOAD_BYTES], parity=signed[PAYLOAD_BYTES] & 1)

    def sign_rotation(
        self, *, chain_id: int, contract: bytes, log_id: bytes, size: int, publisher: bytes, head_key: bytes
    ) -> CompactSignature:
        """Return the signature that gives the log another publisher or head key at its accepted size."""
        digest = rotation_digest(
            chain_id=chain_id,
            contract=contract,
            log_id=log_id,
            size=size,
            publisher=publisher,
            head_key=head_key,
        )
        signed = self._key.sign_recoverable(digest, hasher=None)
        return _compact(signed[:PAYLOAD_BYTES], parity=signed[PAYLOAD_BYTES] & 1)


def checkpoint_digest(checkpoint: Checkpoint) -> bytes:
    """Return the 32 bytes that line 3 signs."""
    fields = [_CHECKPOINT_TYPE, keccak(checkpoint.origin.encode()), checkpoint.size, checkpoint.root]
    struct = keccak(encode(["bytes32", "bytes32", "uint64", "bytes32"], fields))
    return keccak(b"\x19\x01" + _CHECKPOINT_DOMAIN + struct)


def retirement_digest(
    *, chain_id: int, contract: bytes, log_id: bytes, size: int, successor: LogReference | None
) -> bytes:
    """Return the 32 bytes that the head key signs to close a log: the contract's `retirementDigest`."""
    to_chain, to_contract, to_log = (0, bytes(20), bytes(32))
    if successor is not None:
        to_chain, to_contract, to_log = successor.chain_id, successor.contract, successor.log_id
    struct = keccak(
        encode(
            ["bytes32", "bytes32", "uint64", "uint256", "address", "bytes32"],
            [_RETIREMENT_TYPE, log_id, size, to_chain, to_contract, to_log],
        )
    )
    return keccak(b"\x19\x01" + _log_domain(chain_id, contract) + struct)


def rotation_digest(
    *, chain_id: int, contract: bytes, log_id: bytes, size: int, publisher: bytes, head_key: bytes
) -> bytes:
    """Return the 32 bytes that the head key signs to be replaced: the contract's `rotationDigest`."""
    types = ["bytes32", "bytes32", "uint64", "address", "address"]
    struct = keccak(encode(types, [_ROTATION_TYPE, log_id, size, publisher, head_key]))
    return keccak(b"\x19\x01" + _log_domain(chain_id, contract) + struct)


def _log_domain(chain_id: int, contract: bytes) -> bytes:
    types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    words = [_LOG_DOMAIN_TYPE, keccak(b"audit-ledger log"), keccak(b"1"), chain_id, contract]
    return keccak(encode(types, words))


def check_eip712_line(note: Note, key: VerifierKey) -> bytes:
    """Return the 20-byte address of `key` when it signed the checkpoint on line 3; raises SignatureError."""
    checkpoint, payload = _find_line(note, key)
    try:
        # libsecp256k1 takes only the lower s; it is checked above as well, since the format demands it.
        der = encode_dss_signature(int.from_bytes(payload[:32]), int.from_bytes(payload[32:]))
        verified = coincurve.PublicKey(key.public_key).verify(der, checkpoint_digest(checkpoint), hasher=None)
    except ValueError:
        raise SignatureError(key=key.name) from None
    if not verified:
        raise SignatureError(key=key.name)
    return key_address(key)


def compact_line(note: Note, key: VerifierKey) -> CompactSignature:
    """Return line 3 as the contract takes it. Raises SignatureError unless `key` signed the checkpoint."""
    checkpoint, payload = _find_line(note, key)
    digest = checkpoint_digest(checkpoint)
    for parity in (0, 1):
        try:
            found = coincurve.PublicKey.from_signature_and_message(
                payload + bytes([parity]), digest, hasher=None
            )
        except ValueError:
            continue
        if found.format(compressed=True) == key.public_key:
            return _compact(payload, parity=parity)
    raise SignatureError(key=key.name)


def key_address(key: VerifierKey) -> bytes:
    """Return the Ethereum address of a verifier key of this type; raises MalformedError for any other key."""
    if key.alg != ALG_EIP712:
        raise MalformedError("The verifier key is not of the EIP-712 type.")
    try:
        point = coincurve.PublicKey(key.public_key).format(compressed=False)
    except ValueError:
        raise MalformedError("The verifier key is not a point of secp256k1.") from None
    return keccak(point[1:])[12:]


def _find_line(note: Note, key: VerifierKey) -> tuple[Checkpoint, bytes]:
    if key.alg != ALG_EIP712:
        raise SignatureError("The verifier key is not of the EIP-712 type.", key=key.name)
    line = find_signature(note, key)
    if line is None:
        raise SignatureError("The checkpoint is not signed by this key.", key=key.name)
    r, s = int.from_bytes(line.payload[:32]), int.from_bytes(line.payload[32:])
    if len(line.payload) != PAYLOAD_BYTES or not 0 < r < CURVE_ORDER or not 0 < s <= CURVE_ORDER // 2:
        raise SignatureError("The signature is not r and s with s in the lower half.", key=key.name)
    return parse_checkpoint(note.text), line.payload


def _compact(payload: bytes, *, parity: int) -> CompactSignature:
    vs = int.from_bytes(payload[32:]) | parity << 255
    return CompactSignature(payload[:32], vs.to_bytes(32))
