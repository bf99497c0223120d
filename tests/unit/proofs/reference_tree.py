"""RFC 9162 section 2.1 word for word: slow, recursive, without tiles. The kernel is compared with it."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

LEAVES = tuple(sha256(b"\x00%d" % number).digest() for number in range(1024))


def split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


@cache
def head(low: int, high: int) -> bytes:
    """MTH(D[low:high])."""
    if high == low:
        return sha256(b"").digest()
    if high - low == 1:
        return LEAVES[low]
    middle = low + split(high - low)
    return sha256(b"\x01" + head(low, middle) + head(middle, high)).digest()


def inclusion(index: int, low: int, high: int) -> tuple[bytes, ...]:
    """PATH(index, D[low:high]); `index` counts from `low`."""
    if high - low == 1:
        return ()
    k = split(high - low)
    if index < k:
        return (*inclusion(index, low, low + k), head(low + k, high))
    return (*inclusion(index - k, low + k, high), head(low, low + k))


def consistency(first: int, low: int, high: int, *, whole: bool = True) -> tuple[bytes, ...]:
    """SUBPROOF(first, D[low:high], whole)."""
    if first == high - low:
        return () if whole else (head(low, high),)
    k = split(high - low)
    if first <= k:
        return (*consistency(first, low, low + k, whole=whole), head(low + k, high))
    return (*consistency(first - k, low + k, high, whole=False), head(low, low + k))
