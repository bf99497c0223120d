"""The embedded chain read from its file, without its node: what an audit asks is answered by the same methods."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.checks import check_chain
from ledger_service.chain.embedded.miner import Miner
from ledger_service.chain.embedded.pool import PendingPool
from ledger_service.chain.embedded.rpc import RpcMethods
from ledger_service.chain.embedded.store import ChainFile
from ledger_service.errors import ChainFileError, ChainRefusedError, LedgerError, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.chain.embedded.checks import ChainCheck
    from ledger_service.clock import Clock


class FileRpc:
    """Answers as a node's `JsonRpc` does, from a snapshot of the file."""

    __slots__ = ("_file", "_methods")

    def __init__(self, file: ChainFile, *, clock: Clock) -> None:
        """Read from `file`; raises ChainFileError when its newest block is not whole."""
        self._file = file
        chain = EmbeddedChain(file)
        pool = PendingPool(chain)
        # Nothing is ever sent here, so the miner is never started.
        self._methods = RpcMethods(chain, pool, Miner(chain, pool, clock))

    def check(self) -> ChainCheck:
        """Check every block of the file; raises ChainFileError at the first that is wrong."""
        return check_chain(self._file)

    def ask(self, method: str, *params: object) -> Any:
        """Return the result of one request. Raises ChainRefusedError, and ChainFileError for what is damaged."""
        try:
            return self._methods.answer(method, params)
        except RpcError as error:
            data = None if error.data is None else f"0x{error.data.hex()}"
            raise ChainRefusedError(
                f"The chain refuses {method}: {error.text}",
                method=method,
                rpc_code=error.number,
                words=error.text,
                data=data,
            ) from error
        except LedgerError:
            raise
        except Exception as error:
            # py-evm meets a missing or damaged entry in many ways.
            raise ChainFileError(
                f"The chain's file does not answer {method}.", cause=type(error).__name__
            ) from error


@contextmanager
def read_chain(path: Path, *, clock: Clock) -> Iterator[FileRpc]:
    """Give the chain in the file at `path` as it is now; raises ChainFileError."""
    with ChainFile.snapshot(path) as file:
        yield FileRpc(file, clock=clock)
