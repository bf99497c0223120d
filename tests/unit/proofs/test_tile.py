"""Tile paths and entry bundles."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import MalformedError
from ledger_service.proofs.tile import (
    ENTRIES,
    TileId,
    format_bundle,
    format_tile_path,
    parse_bundle,
    parse_tile_path,
)
from tests.unit.proofs.vectors import read_vectors

VECTORS = read_vectors("tile_paths")


@pytest.mark.parametrize("case", VECTORS["valid"], ids=lambda case: case["path"])
def test_paths_of_the_specification(case: dict[str, Any]) -> None:
    """Each path is that of its tile, both ways."""
    tile = TileId(case["level"], case["index"], case["width"])
    assert parse_tile_path(case["path"]) == tile
    assert format_tile_path(tile) == case["path"]


@pytest.mark.parametrize("path", VECTORS["invalid"])
def test_other_paths(path: str) -> None:
    """A path in any other spelling names no tile."""
    with pytest.raises(MalformedError):
        parse_tile_path(path)


@given(st.one_of(st.just(ENTRIES), st.integers(0, 63)), st.integers(0, 10**21 - 1), st.integers(1, 256))
def test_path_round_trip(level: Any, index: int, width: int) -> None:
    """Every tile is read back from its path."""
    tile = TileId(level, index, width)
    assert parse_tile_path(format_tile_path(tile)) == tile


@pytest.mark.parametrize("tile", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_impossible_tiles(tile: tuple[int, int, int]) -> None:
    """A tile outside the specification's bounds does not exist."""
    with pytest.raises(MalformedError):
        TileId(*tile)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_bundle_round_trip(entries: list[bytes]) -> None:
    """Entries are read back from their bundle."""
    assert parse_bundle(format_bundle(entries)) == entries


def test_bundle_layout() -> None:
    """Each entry stands behind its length in two bytes, the more significant first."""
    assert format_bundle([b"a", b"", b"x" * 258]) == b"\x00\x01a\x00\x00\x01\x02" + b"x" * 258


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01ab", b"\x00\x00" * 257])
def test_other_bundles(data: bytes) -> None:
    """A bundle that is empty, cut short, or of more than 256 entries is refused."""
    with pytest.raises(MalformedError):
        parse_bundle(data)


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 65_536]])
def test_impossible_bundles(entries: list[bytes]) -> None:
    """What no bundle can hold is refused before it is written."""
    with pytest.raises(MalformedError):
        format_bundle(entries)


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are a bundle that formats back to them, or malformed."""
    try:
        entries = parse_bundle(data)
    except MalformedError:
        return
    assert format_bundle(entries) == data
