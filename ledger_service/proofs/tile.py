"""Tile paths and entry bundles of C2SP tlog-tiles: `tile/0/x001/234.p/5`, `tile/entries/000`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ledger_service.errors import MalformedError
from ledger_service.proofs.entry import MAX_ENTRY_SIZE
from ledger_service.proofs.merkle import TILE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRIES: Final = "entries"
MAX_LEVEL = 63

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})((?:/x[0-9]{3}){0,6}/[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII)
_LENGTH_SIZE = 2


@dataclass(frozen=True, slots=True)
class TileId:
    """One resource: a level of hashes or `entries`, the tile's index in it, and its width from 1 to 256."""

    level: int | Literal["entries"]
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        """Refuse what tlog-tiles has no path for."""
        if self.level != ENTRIES and not 0 <= self.level <= MAX_LEVEL:
            raise MalformedError(f"A tile level is at most {MAX_LEVEL}.")
        if self.index < 0 or not 1 <= self.width <= TILE_WIDTH:
            raise MalformedError("A tile has an index from 0 and a width from 1 to 256.")


def format_tile_path(tile: TileId) -> str:
    """Return the path below the log's prefix, `tile/<L>/<N>[.p/<W>]`."""
    groups = [f"{tile.index % 1000:03}"]
    rest = tile.index // 1000
    while rest:
        groups.insert(0, f"x{rest % 1000:03}")
        rest //= 1000
    partial = "" if tile.width == TILE_WIDTH else f".p/{tile.width}"
    return f"tile/{tile.level}/{'/'.join(groups)}{partial}"


def parse_tile_path(path: str) -> TileId:
    """Return the tile whose path is exactly `path`; raises MalformedError."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise MalformedError("The path names no tile.")
    level, index, width = match.groups()
    tile = TileId(
        level=ENTRIES if level == ENTRIES else int(level),
        index=int(index.replace("/", "").replace("x", "")),
        width=TILE_WIDTH if width is None else int(width),
    )
    if format_tile_path(tile) != path:
        raise MalformedError("The path is not the one form of its tile.")
    return tile


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the entries of one tile, each behind its length as a big-endian 16-bit number."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise MalformedError("A bundle has 1 to 256 entries.")
    if any(len(entry) > MAX_ENTRY_SIZE for entry in entries):
        raise MalformedError(f"An entry is larger than {MAX_ENTRY_SIZE} bytes.")
    return b"".join([len(entry).to_bytes(_LENGTH_SIZE) + entry for entry in entries])


def parse_bundle(data: bytes) -> list[bytes]:
    """Return the 1 to 256 entries that `format_bundle` writes as `data`; raises MalformedError."""
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + _LENGTH_SIZE
        position = start + int.from_bytes(data[position:start])
        if position > len(data) or len(entries) == TILE_WIDTH:
            raise MalformedError("The bundle is cut short or holds more than 256 entries.")
        entries.append(data[start:position])
    if not entries:
        raise MalformedError("The bundle is empty.")
    return entries
