"""The stored vectors are what the code makes, and each file says where it came from."""

from __future__ import annotations

import pytest

from tests.support.format_vectors import make_vectors
from tests.unit.proofs.vectors import VECTORS, read_vectors

MADE = make_vectors()


@pytest.mark.parametrize("name", sorted(MADE))
def test_stored_vectors_are_fresh(name: str) -> None:
    """What `python -m scripts.make_vectors` would write is what is stored."""
    assert read_vectors(name.removesuffix(".json")) == MADE[name]


def test_each_file_says_where_it_came_from() -> None:
    """Every file of ours names its origin and how to make it again; the vectors of others carry their licence."""
    files = sorted(VECTORS.glob("*.json"))
    assert {path.name for path in files} >= {*MADE, "canonical.json", "malformed.json", "tile_paths.json"}
    for path in files:
        about = read_vectors(path.stem)["about"]
        assert any(
            words in about for words in ("python -m scripts.", "Written by hand", "makes every value again")
        )
    assert (VECTORS / "rfc6962" / "LICENSE").exists()
