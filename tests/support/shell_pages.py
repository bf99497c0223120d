"""Pages run as a reader would run them: the blocks of code, in order, in one shell, in an empty folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.anvil import foundry_program

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
# A block in another language is one to read: `sh` needs what a test does not have.
_BLOCK = re.compile(r"^```(bash|python|javascript)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_RUN_BY = {"python": "python -", "javascript": "node --input-type=module -"}


class Block(NamedTuple):
    """One block of code of a page."""

    language: str
    code: str

    @property
    def command(self) -> str:
        """What a shell runs for it."""
        if self.language == "bash":
            return self.code
        return f"{_RUN_BY[self.language]} <<'CODE'\n{self.code}CODE\n"


def read_blocks(page: str) -> tuple[Block, ...]:
    """The blocks of one of the project's pages that are run."""
    return tuple(Block(*found) for found in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8")))


def run_blocks(blocks: Iterable[Block], folder: Path, *, timeout_s: float) -> str:
    """Run them in one shell in `folder`, a free port in the place of 8080; returns what they said.

    Raises AssertionError with all of that, and what the service said, if one of them failed.
    """
    port = _free_port()
    script = "set -eu -o pipefail\n" + "\n".join(block.command for block in blocks)
    output = folder.with_name(f"{folder.name}-said.txt")
    with output.open("w", encoding="utf-8") as heard:
        shell = subprocess.Popen(
            ["bash", "-c", script.replace("127.0.0.1:8080", f"127.0.0.1:{port}")],
            cwd=folder,
            env=_environment(folder, port),
            stdout=heard,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(timeout=timeout_s)
        finally:
            # With the shell gone its group may still hold the service, or be empty.
            try:
                os.killpg(shell.pid, signal.SIGTERM)
            except ProcessLookupError:
                assert shell.poll() is not None
    said = output.read_text(encoding="utf-8")
    assert shell.returncode == 0, f"{said}\n{(folder / 'serve.log').read_text(encoding='utf-8')}"
    return said


def _environment(folder: Path, port: int) -> dict[str, str]:
    """The program on the path, as after an installation, and what the pages name of others' tools."""
    path = (str(Path(sys.executable).parent), str(foundry_program("cast").parent), os.environ["PATH"])
    return {
        "PATH": ":".join(path),
        "HOME": str(folder),
        "AUDIT_LEDGER_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }


def _free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
