"""What the tests of the embedded chain share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.embedded_chain import ChainBench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ChainBench]:
    """A new chain whose blocks the test makes by hand."""
    made = ChainBench.create(tmp_path / "chain.sqlite")
    yield made
    made.file.close()
