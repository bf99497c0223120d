"""`python -m ledger_service.chain.embedded`: the node as a process, as the supervisor starts it."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_service.chain.embedded.checks import check_chain
from ledger_service.chain.embedded.exits import CONFIGURATION, FAILED
from ledger_service.chain.embedded.listening import DEFAULT_HOST, DEFAULT_PORT
from ledger_service.chain.embedded.node import NodeReady, run_node
from ledger_service.chain.embedded.store import ChainFile
from ledger_service.clock import SystemClock
from ledger_service.errors import (
    ChainFileError,
    ChainFileInUseError,
    KeyFileError,
    LedgerError,
    SettingsError,
    UnsafeStorageError,
)
from ledger_service.storage import failpoints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node, or check a chain's file. Return the exit code: see `exits`."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s chain %(levelname)s %(message)s"
    )
    try:
        failpoints.arm(options.failpoints)
        if options.check:
            _check(options.path)
        else:
            _run(options)
    except (ChainFileError, ChainFileInUseError, KeyFileError, SettingsError, UnsafeStorageError) as error:
        # Starting again would fail in the same way.
        sys.stderr.write(f"{error.code}: {error.text}\n")
        return CONFIGURATION
    except (LedgerError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ledger_service.chain.embedded", description=main.__doc__)
    parser.add_argument(
        "--path", type=Path, required=True, help="the chain's file, made if it does not exist"
    )
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument(
        "--port",
        type=int,
        choices=range(1 << 16),
        metavar="PORT",
        default=DEFAULT_PORT,
        help="0 for any free one",
    )
    parser.add_argument(
        "--key-file", type=Path, help="the key that owns the money; by default beside the chain"
    )
    parser.add_argument(
        "--funded", type=_address, help="the address that owns the money, if its key is elsewhere"
    )
    parser.add_argument(
        "--check", action="store_true", help="read every block of the file, check it, and end"
    )
    parser.add_argument("--failpoints", default="", help=argparse.SUPPRESS)
    parser.add_argument("--unsafe-synchronous", choices=("NORMAL", "OFF"), help=argparse.SUPPRESS)
    parser.add_argument("--listen-handle", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def _run(options: argparse.Namespace) -> None:
    stop = threading.Event()
    if options.with_parent:
        threading.Thread(target=_follow_parent, args=(stop,), name="parent", daemon=True).start()
    listening = None if options.listen_handle is None else socket.socket(fileno=options.listen_handle)
    run_node(
        path=options.path.absolute(),
        clock=SystemClock(),
        host=options.host,
        port=options.port,
        listening=listening,
        key_file=options.key_file,
        funded=options.funded,
        unsafe_synchronous=options.unsafe_synchronous,
        ready=_say_ready,
        stop=stop,
    )


def _say_ready(ready: NodeReady) -> None:
    """Print one line of JSON: where the node serves, and which chain it is."""
    words = {
        "url": ready.url,
        "chain_id": ready.chain_id,
        "genesis_hash": f"0x{ready.genesis_hash.hex()}",
        "funded": f"0x{ready.funded.hex()}",
    }
    _say(words)


def _say(words: Mapping[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


def _follow_parent(stop: threading.Event) -> None:
    """Stop when the parent is gone: it holds the other end of our standard input and never writes to it."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()


def _check(path: Path) -> None:
    file = ChainFile.open(path.absolute())
    try:
        _say(check_chain(file).as_dict())
    finally:
        file.close()


def _address(text: str) -> bytes:
    address = bytes.fromhex(text.removeprefix("0x"))
    if len(address) != 20:  # noqa: PLR2004  the size of an address
        raise ValueError(text)
    return address


if __name__ == "__main__":
    sys.exit(main())
