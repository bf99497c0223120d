"""A whole log made with our kernel, in the form in which other people's verifiers read one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger_service.errors import TileMissingError
from ledger_service.proofs.checkpoint import (
    Checkpoint,
    cosigned_message,
    format_checkpoint,
    format_cosignature_payload,
)
from ledger_service.proofs.merkle import (
    extend_tiles,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    tree_root,
)
from ledger_service.proofs.note import (
    ALG_ED25519,
    ALG_EIP712,
    ALG_MLDSA44,
    Note,
    Signature,
    VerifierKey,
    format_note,
    make_vkey,
)
from ledger_service.proofs.tile import TileId, format_bundle, format_tile_path
from ledger_service.proofs.tlog_proof import TlogProof, format_tlog_proof
from ledger_service.proofs.types import LeafIndex, Origin, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ORIGIN = Origin("ledger.example/logs/city-open-data/purchases")
TIMESTAMP = 1_795_309_323
_TILE_WIDTH = 256
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """The key pairs of one log and the verifier keys that others are given."""

    ed25519: Ed25519PrivateKey
    mldsa: MLDSA44PrivateKey
    ed25519_vkey: VerifierKey
    mldsa_vkey: VerifierKey
    eip712_vkey: VerifierKey

    @classmethod
    def make(cls, rng: random.Random, *, name: str = ORIGIN) -> Self:
        """Key pairs from seeds; the third key is only a name for a line that others do not know."""
        ed25519 = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        mldsa = MLDSA44PrivateKey.from_seed_bytes(rng.randbytes(32))
        return cls(
            ed25519,
            mldsa,
            make_vkey(name, alg=ALG_ED25519, public_key=ed25519.public_key().public_bytes_raw()),
            make_vkey(name, alg=ALG_MLDSA44, public_key=mldsa.public_key().public_bytes_raw()),
            make_vkey(name, alg=ALG_EIP712, public_key=b"\x02" + rng.randbytes(32)),
        )


class Tiles(dict[tuple[int, int], bytes]):
    """Hash tiles by level and index."""

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile."""
        tile = self.get((level, index), b"")
        if len(tile) < width * _HASH_BYTES:
            raise TileMissingError
        return tile[: width * _HASH_BYTES]


@dataclass(frozen=True, slots=True)
class SampleLog:
    """A log with signed checkpoints: three lines as the product writes them."""

    keys: Keys
    entries: tuple[bytes, ...]
    tiles: Tiles

    @classmethod
    def make(cls, size: int, *, seed: int = 1) -> Self:
        """A log of that many entries of 1 to 400 random bytes, appended in random batches."""
        rng = random.Random(seed)
        entries = tuple(rng.randbytes(rng.randint(1, 400)) for _ in range(size))
        leaves = [leaf_hash(entry) for entry in entries]
        tiles = Tiles()
        done = 0
        while done < size:
            batch = leaves[done : done + rng.randint(1, max(1, size // 3))]
            changed, _ = extend_tiles(tiles, TreeSize(done), batch)
            tiles.update(changed)
            done += len(batch)
        return cls(Keys.make(rng), entries, tiles)

    @property
    def size(self) -> TreeSize:
        """The number of entries."""
        return TreeSize(len(self.entries))

    def root(self, size: int | None = None) -> RootHash:
        """The root at a size."""
        return tree_root(self.tiles, self.size if size is None else TreeSize(size))

    def checkpoint(self, size: int | None = None) -> bytes:
        """The signed checkpoint at a size."""
        at = self.size if size is None else TreeSize(size)
        return sign_checkpoint(Checkpoint(ORIGIN, at, self.root(at)), self.keys)

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """The path of an entry at the full size."""
        return prove_inclusion(self.tiles, LeafIndex(index), self.size)

    def consistency(self, first: int) -> tuple[bytes, ...]:
        """The path from a smaller size to the full one."""
        return prove_consistency(self.tiles, TreeSize(first), self.size)

    def proof(self, index: int) -> bytes:
        """The tlog-proof of an entry at the full size."""
        return format_tlog_proof(
            TlogProof(index=LeafIndex(index), hashes=self.inclusion(index), checkpoint=self.checkpoint())
        )

    def write(self, directory: Path) -> None:
        """Lay the log out as a tlog-tiles server would serve it."""
        (directory / "checkpoint").write_bytes(self.checkpoint())
        for (level, index), content in self.tiles.items():
            _write(directory, TileId(level, index, len(content) // _HASH_BYTES), content)
        for start in range(0, self.size, _TILE_WIDTH):
            bundle = self.entries[start : start + _TILE_WIDTH]
            _write(directory, TileId("entries", start // _TILE_WIDTH, len(bundle)), format_bundle(bundle))


def sign_checkpoint(checkpoint: Checkpoint, keys: Keys, *, timestamp: int = TIMESTAMP) -> bytes:
    """A note with the three signature lines of a log, the last of a type that only we know."""
    text = format_checkpoint(checkpoint)
    message = cosigned_message(keys.mldsa_vkey.name, timestamp=timestamp, checkpoint=checkpoint)
    payloads = (
        (keys.ed25519_vkey, keys.ed25519.sign(text.encode())),
        (keys.mldsa_vkey, format_cosignature_payload(timestamp, keys.mldsa.sign(message))),
        (keys.eip712_vkey, bytes(64)),
    )
    return format_note(
        Note(text, tuple(Signature(key.name, key.key_id, payload) for key, payload in payloads))
    )


def flip(data: bytes, position: int, *, bit: int = 0) -> bytes:
    """The same bytes with one bit changed."""
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def flip_hash(hashes: Sequence[bytes], position: int) -> tuple[bytes, ...]:
    """The same hashes with one bit of one of them changed."""
    return tuple(flip(each, 7) if at == position else each for at, each in enumerate(hashes))


def _write(directory: Path, tile: TileId, content: bytes) -> None:
    path = directory / format_tile_path(tile)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
