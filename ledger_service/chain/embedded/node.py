"""The embedded chain as a running node: file, chain, pool, miner and server, put together and taken apart."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.genesis import create_chain, load_funded_key
from ledger_service.chain.embedded.listening import DEFAULT_HOST, DEFAULT_PORT, LOOPBACK, listen
from ledger_service.chain.embedded.miner import BATCH_S, Miner
from ledger_service.chain.embedded.pool import PendingPool
from ledger_service.chain.embedded.rpc import RpcMethods
from ledger_service.chain.embedded.server import RpcServer
from ledger_service.chain.embedded.store import ChainFile
from ledger_service.errors import ChainFileError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from ledger_service.clock import Clock

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeReady:
    """What a node says once it serves."""

    url: str
    chain_id: int
    genesis_hash: bytes
    funded: bytes


class EmbeddedChainNode:
    """A node in this process, from `open` to `close`. The service runs it in a process of its own; tests need not."""

    def __init__(self, file: ChainFile, listening: socket.socket, clock: Clock, *, batch_s: float) -> None:
        """Use `open`."""
        self.file = file
        self.chain = EmbeddedChain(file)
        self.pool = PendingPool(self.chain)
        self.miner = Miner(self.chain, self.pool, clock, batch_s=batch_s)
        self.methods = RpcMethods(self.chain, self.pool, self.miner)
        self._server = RpcServer(listening, self.methods.answer)
        self._serving = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="rpc", daemon=True
        )

    @classmethod
    def open(
        cls,
        *,
        path: Path,
        clock: Clock,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        listening: socket.socket | None = None,
        key_file: Path | None = None,
        funded: bytes | None = None,
        batch_s: float = BATCH_S,
        unsafe_synchronous: str | None = None,
    ) -> Self:
        """Open the chain at `path`, making it if it is new, and serve it on `host` and `port` or on a given socket.

        A new chain gives all its money to the address `funded`, or else to the key in `key_file` (by default beside
        the chain, made if it does not exist). An old chain that was made for another address is refused with
        ChainFileError. Raises also what `ChainFile.open` and `load_funded_key` raise, and OSError for a taken port.
        """
        file = ChainFile.open(path, unsafe_synchronous=unsafe_synchronous)
        try:
            _settle_identity(file, clock, key_file=key_file, funded=funded)
            node = cls(file, listening or listen(host, port), clock, batch_s=batch_s)
        except BaseException:
            file.close()
            raise
        node.miner.start()
        node._serving.start()
        return node

    @property
    def ready(self) -> NodeReady:
        """What to tell those who wait for this node."""
        identity = self.chain.identity
        return NodeReady(self._server.url, identity.chain_id, identity.genesis_hash, identity.funded)

    def close(self) -> None:
        """Finish the block that is being made, stop serving, and give the file back."""
        self.miner.stop()
        self._server.shutdown()
        self._server.server_close()
        self._serving.join()
        self.file.close()


def run_node(
    *,
    path: Path,
    clock: Clock,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    listening: socket.socket | None = None,
    key_file: Path | None = None,
    funded: bytes | None = None,
    batch_s: float = BATCH_S,
    unsafe_synchronous: str | None = None,
    ready: Callable[[NodeReady], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> None:
    """Run a node until SIGTERM or SIGINT, or until `stop` is set. Call it from the main thread.

    `ready` is called once, when the node serves. Raises what `EmbeddedChainNode.open` raises; and, after reads have
    been served to the end, whatever stopped the miner: the process should then end, and a new one read the file anew.
    """
    stop = stop or threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    node = EmbeddedChainNode.open(
        path=path, clock=clock, host=host, port=port, listening=listening, key_file=key_file, funded=funded,
        batch_s=batch_s, unsafe_synchronous=unsafe_synchronous,
    )  # fmt: skip
    if host not in LOOPBACK and listening is None:
        _log.warning("the chain is served on %s: whoever reaches it may read it and send transactions", host)
    try:
        ready(node.ready)
        while not stop.wait(0.2) and not node.miner.stopped.is_set():
            pass
    finally:
        node.close()
    if node.miner.failure is not None:
        raise node.miner.failure


def _settle_identity(file: ChainFile, clock: Clock, *, key_file: Path | None, funded: bytes | None) -> None:
    """Make block 0 of a new chain; refuse an old one that was made for another address."""
    if funded is None and (key_file is not None or file.identity is None):
        # The key is on the disk before the chain that gives it all the money.
        key = load_funded_key(key_file or default_key_file(file.path))
        funded = key.public_key.to_canonical_address()
    if file.identity is None:
        assert funded is not None
        identity = create_chain(file, funded=funded, now=clock.now())
        _log.info("made chain %d", identity.chain_id)
    elif funded is not None and funded != file.identity.funded:
        raise ChainFileError(
            f"{file.path.name} was made for 0x{file.identity.funded.hex()}, not for 0x{funded.hex()}.",
            file=file.path.name,
        )


def default_key_file(path: Path) -> Path:
    """Return where the funded key of the chain at `path` lies unless told otherwise: `chain.sqlite` has `chain.key`."""
    return path.with_suffix(".key")
