"""Streams: lines however the pieces fall, and no deadlock."""

from __future__ import annotations

import io
import threading

import pytest

from api.streams import TOO_LONG, Body, Spool, read_lines, run_aside
from ledger_service.errors import BadRequestError


class Dribble:
    """A body that arrives a few bytes at a time."""

    def __init__(self, data: bytes, *, step: int) -> None:
        """Give `data` out `step` bytes a read."""
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int, /) -> bytes:
        """Return the next few bytes."""
        return self._data.read(min(size, self._step))


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb", [b"a", b"b"]),
        (b"\n\na", [b"", b"", b"a"]),
        (b"12345\n6", [b"12345", b"6"]),
        (b"123456\n7\n", [TOO_LONG, b"7"]),
        (b"1\n1234567890123", [b"1", TOO_LONG]),
        (b"123456789\n\n12", [TOO_LONG, b"", b"12"]),
    ],
)
def test_lines_do_not_depend_on_the_pieces(data: bytes, lines: list[object], step: int) -> None:
    """The same bytes give the same lines however they arrive, and a long line spoils only itself."""
    assert list(read_lines(Dribble(data, step=step), limit=5)) == lines


def test_half_a_row_is_no_row() -> None:
    """Of a body that ends before its announced length, what stands behind the last line's end is not read."""
    whole = b"size\n104"
    assert list(read_lines(Body(Dribble(whole, step=3), length=8), limit=5)) == [b"size", b"104"]
    cut = read_lines(Body(Dribble(whole[:7], step=3), length=8), limit=5)
    assert next(cut) == b"size"
    with pytest.raises(BadRequestError):
        next(cut)


def test_a_long_line_is_not_kept() -> None:
    """A line of a hundred megabytes takes no hundred megabytes."""

    class Endless:
        left = 100_000_000

        def read(self, size: int, /) -> bytes:
            taken = min(size, self.left)
            self.left -= taken
            return b"x" * taken

    assert list(read_lines(Endless(), limit=1000)) == [TOO_LONG]


def test_work_ends_although_nobody_reads() -> None:
    """The worker never waits for the reader: it finishes before the first byte is read."""
    done = threading.Event()

    def work(spool: Spool) -> None:
        for number in range(1000):
            spool.put(b"%d\n" % number * 1000)
        done.set()

    answers = run_aside(work)
    first = next(answers)
    assert done.wait(timeout=30)
    assert (first + b"".join(answers)) == b"".join(b"%d\n" % number * 1000 for number in range(1000))


def test_work_is_told_when_the_client_is_gone() -> None:
    """Closing the answer stops the work, and waits until it has stopped."""
    began, stopped = threading.Event(), threading.Event()

    def work(spool: Spool) -> None:
        spool.put(b"first")
        began.set()
        while not spool.abandoned:
            spool.put(b"more")
        stopped.set()

    answers = run_aside(work)
    next(answers)
    assert began.is_set()
    answers.close()  # type: ignore[attr-defined]  # run_aside is a generator
    assert stopped.is_set()
