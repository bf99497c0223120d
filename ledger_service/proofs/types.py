"""Names for values whose Python type alone would not say what they are."""

from __future__ import annotations

from typing import NewType

LeafIndex = NewType("LeafIndex", int)
"""Zero-based position of an entry in its log."""

TreeSize = NewType("TreeSize", int)
"""Number of entries in a log."""

LeafHash = NewType("LeafHash", bytes)
"""SHA-256(0x00 || entry), 32 bytes."""

RootHash = NewType("RootHash", bytes)
"""RFC 9162 Merkle tree head, 32 bytes."""

RecordId = NewType("RecordId", str)
"""base64url characters with at least 122 random bits. Alone it identifies nothing: see `entry.Pointer`."""

Origin = NewType("Origin", str)
"""A log's name for ever, such as `ledger.example/logs/city-open-data/datasets`."""
