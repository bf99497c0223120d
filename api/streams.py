"""Streams of rows: lines in and lines out, in bounded memory, without a deadlock.

HTTP lets a server answer while the request still comes in, but many clients read nothing until they have
sent all. If we then wrote until the socket is full, both sides would wait for ever. So the work runs in a
thread of its own, and its answers go through a file without a name, which takes up what is not read yet.
"""

from __future__ import annotations

import tempfile
import threading
from typing import IO, TYPE_CHECKING, Final, Protocol

from api.parsing import BROKEN_BODY
from ledger_service.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE: Final = 65_536
_IN_MEMORY: Final = 1_048_576


class Readable(Protocol):
    """A request's body."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class Body:
    """A request's body: that it breaks off, or is framed wrongly, is its sender's fault and not ours."""

    def __init__(self, stream: Readable, *, length: int | None) -> None:
        """Read from `stream`, which must give `length` bytes if that was announced."""
        self._stream = stream
        self._missing = length

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end; raises BadRequestError."""
        try:
            data = self._stream.read(size)
        except Exception as error:
            # Each server names it in its own way.
            raise BadRequestError(BROKEN_BODY) from error
        if self._missing is not None:
            self._missing -= len(data)
            if not data and self._missing > 0:
                # The end of a connection that was cut looks like the end of the body: half a row could be a row.
                raise BadRequestError(BROKEN_BODY)
        return data


class TooLong:
    """Stands for a line that was over the limit and was thrown away unread."""

    __slots__ = ()


TOO_LONG: Final = TooLong()


def read_lines(stream: Readable, *, limit: int) -> Iterator[bytes | TooLong]:
    """Each line without its end, blank ones too; TOO_LONG in the place of one over `limit` bytes."""
    rest = b""
    skipping = False
    while piece := stream.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield TOO_LONG if skipping or len(line) > limit else line.removesuffix(b"\r")
            skipping = False
        if len(rest) > limit:
            rest, skipping = b"", True
    if rest or skipping:
        yield TOO_LONG if skipping or len(rest) > limit else rest.removesuffix(b"\r")


class Spool:
    """Bytes on their way from one thread to another: in memory at first, then in a file without a name."""

    def __init__(self) -> None:
        """Start empty and open."""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by `close`
        self._changed = threading.Condition()
        self._written = 0
        self._read = 0
        self._ended = False
        self.abandoned = False

    def put(self, data: bytes) -> None:
        """Add bytes; never waits for the reader."""
        with self._changed:
            self._file.seek(self._written)
            self._file.write(data)
            self._written += len(data)
            self._changed.notify()

    def end(self) -> None:
        """Say that nothing follows."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def pieces(self) -> Iterator[bytes]:
        """What was put, as it comes, until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._read < self._written)
                if self._read == self._written:
                    return
                self._file.seek(self._read)
                piece = self._file.read(min(_PIECE, self._written - self._read))
                self._read += len(piece)
                if self._read == self._written:
                    # All was read: begin again at the front; the file is as long as the reader is behind.
                    self._read = self._written = 0
            yield piece

    def close(self) -> None:
        """Throw the file away."""
        with self._changed:
            self._file.close()


def run_aside(work: Callable[[Spool], None]) -> Iterator[bytes]:
    """The bytes that `work` puts into its spool, while it runs in a thread of its own.

    When the client goes away, `abandoned` is set: work then stops at its next convenience, and is waited for.
    """
    spool = Spool()

    def run() -> None:
        try:
            work(spool)
        finally:
            spool.end()

    thread = threading.Thread(target=run, name="stream", daemon=True)
    thread.start()
    try:
        yield from spool.pieces()
    finally:
        spool.abandoned = True
        thread.join()
        spool.close()
