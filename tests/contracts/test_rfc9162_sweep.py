"""Rfc9162.sol and the kernel agree on every small tree, and refuse every proof with one bit changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from ledger_service.errors import ConsistencyError, InclusionError
from ledger_service.proofs.merkle import check_consistency, check_inclusion
from ledger_service.proofs.types import LeafHash, LeafIndex, RootHash, TreeSize
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.contracts.evm import Deployed

LARGEST: Final = int(os.environ.get("CONTRACT_SWEEP", "64"))  # The mutation campaign sweeps less, but often.
LARGEST_WITH_REVERTS: Final = min(LARGEST, 12)
BATCH: Final = 250
NOTHING: Final = bytes(4)

Path = tuple[bytes, ...]
Inclusion = tuple[bytes, int, int, bytes, Path]  # leaf, index, size, root, path
Consistency = tuple[int, int, bytes, bytes, Path]  # first, second, first root, second root, path
TREE = tree_of(LARGEST + 1)


def inclusions(largest: int) -> Iterator[Inclusion]:
    """Every entry of every tree."""
    for size in range(1, largest + 1):
        for index in range(size):
            yield TREE.leaves[index], index, size, TREE.root(size), TREE.inclusion(index, size)


def consistencies(largest: int) -> Iterator[Consistency]:
    """Every pair of trees."""
    for second in range(1, largest + 1):
        for first in range(1, second + 1):
            yield first, second, TREE.root(first), TREE.root(second), TREE.consistency(first, second)


def flip(value: bytes, bit: int) -> bytes:
    """The hash with one bit changed."""
    return (int.from_bytes(value) ^ 1 << bit % 256).to_bytes(32)


def with_bits_flipped(case: Any) -> Iterator[Any]:
    """The case with one bit changed, once in each of its hashes, and not always the same bit."""
    *values, path = case
    bit = sum(value for value in values if isinstance(value, int)) * 7
    for i, value in enumerate(values):
        if isinstance(value, bytes):
            yield *values[:i], flip(value, bit + 31 * i), *values[i + 1 :], path
    for i, value in enumerate(path):
        yield *values, (*path[:i], flip(value, bit + 37 * i), *path[i + 1 :])


def with_other_lengths(case: Any) -> Iterator[Any]:
    """The case with a hash too few or too many, at either end."""
    *values, path = case
    for other in {path[:-1], path[1:], (*path, values[-1]), (values[-1], *path), path + path[-1:]} - {path}:
        yield *values, other


def with_other_numbers(case: Any) -> Iterator[Any]:
    """The case with a position or a size that is not its own."""
    for i, value in enumerate(case):
        if isinstance(value, int):
            others = {0, value - 1, value + 1, value ^ 2, value * 2, value + 2**63} - {value, -1}
            yield from ((*case[:i], other, *case[i + 1 :]) for other in sorted(others))


def kernel_accepts_inclusion(case: Inclusion) -> bool:
    """What the Python kernel says."""
    leaf, index, size, root, path = case
    try:
        check_inclusion(
            LeafHash(leaf), index=LeafIndex(index), size=TreeSize(size), root=RootHash(root), proof=path
        )
    except InclusionError:
        return False
    return True


def kernel_accepts_consistency(case: Consistency) -> bool:
    """What the Python kernel says; the contract has no use for an empty first tree and refuses it."""
    first, second, first_root, second_root, path = case
    try:
        check_consistency(
            first=TreeSize(first),
            second=TreeSize(second),
            first_root=RootHash(first_root),
            second_root=RootHash(second_root),
            proof=path,
        )
    except ConsistencyError:
        return False
    return first > 0


def accepted(harness: Deployed, name: str, cases: Iterable[Any]) -> list[bool]:
    """What Solidity says to each case."""
    calls = [harness.artifact.encode_call(name, *case) for case in cases]
    outcomes: list[bytes] = []
    for start in range(0, len(calls), BATCH):
        outcomes += harness.view("run", calls[start : start + BATCH])
    return [outcome == NOTHING for outcome in outcomes]


def leads_to_its_roots(harness: Deployed, name: str, cases: Iterable[Any]) -> list[bool]:
    """What Solidity computes in each case; only for paths of the right length."""
    numbers, hashes, outcomes = [], [], []
    for case in cases:
        *values, path = case
        low, high = (value for value in values if isinstance(value, int))
        numbers.append(low | high << 64 | len(path) << 128)
        hashes += [value for value in values if isinstance(value, bytes)] + list(path)
        if len(numbers) == BATCH:
            outcomes += harness.view(name, numbers, hashes)
            numbers, hashes = [], []
    return outcomes + list(harness.view(name, numbers, hashes))


@pytest.mark.parametrize(
    ("name", "cases"),
    [("compareInclusions", inclusions), ("compareConsistencies", consistencies)],
)
def test_every_proof_of_the_kernel_is_accepted(harness: Deployed, name: str, cases: Any) -> None:
    """Solidity accepts the kernel's proof of every entry of every tree, and of every pair of trees."""
    outcomes = leads_to_its_roots(harness, name, cases(LARGEST))
    assert outcomes == [True] * (LARGEST * (LARGEST + 1) // 2)


@pytest.mark.parametrize(
    ("name", "cases"),
    [("compareInclusions", inclusions), ("compareConsistencies", consistencies)],
)
def test_every_flipped_hash_is_refused(harness: Deployed, name: str, cases: Any) -> None:
    """One bit changed in any one hash, roots and leaf among them, and Solidity computes something else."""
    flipped = [changed for case in cases(LARGEST) for changed in with_bits_flipped(case)]
    assert leads_to_its_roots(harness, name, flipped) == [False] * len(flipped)


@pytest.mark.parametrize(
    ("name", "cases", "kernel"),
    [
        ("verifyInclusion", inclusions, kernel_accepts_inclusion),
        ("verifyConsistency", consistencies, kernel_accepts_consistency),
    ],
)
def test_verify_has_the_kernels_answer(harness: Deployed, name: str, cases: Any, kernel: Any) -> None:
    """Other hashes, lengths, positions and sizes: `verify…` reverts exactly where the kernel raises."""
    honest = list(cases(LARGEST_WITH_REVERTS))
    flipped = [changed for case in honest for changed in with_bits_flipped(case)]
    longer = [changed for case in honest for changed in with_other_lengths(case)]
    others = [changed for case in honest for changed in with_other_numbers(case)]
    answers = accepted(harness, name, honest + flipped + longer + others)
    assert answers == [kernel(case) for case in honest + flipped + longer + others]
    assert answers[: len(honest + flipped + longer)] == [True] * len(honest) + [False] * len(flipped + longer)
