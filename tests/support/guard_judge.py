"""A process that loads the libraries once, and runs tests in a fork of itself for every line that it reads.

    python -m tests.support.guard_judge COPY

COPY is a copy of the tree. Each line names a file for what pytest says, and tests; the answer is its exit code.
Loading the libraries anew would take longer than most runs.
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

_OURS: Final = frozenset({"api", "ledger_service", "tests", "scripts"})


def main(copy: str) -> None:
    """Answer every line."""
    for name in _libraries():
        with suppress(ImportError):
            importlib.import_module(name)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_run(copy, *line.split()))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _libraries() -> list[str]:
    """Every module of others that tests of the API load, as a fork found that has loaded it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        for name in ("tests.conftest", "tests.unit.api.conftest", "tests.unit.api.test_authorization"):
            importlib.import_module(name)
        with os.fdopen(writer, "w") as pipe:
            print(*(name for name in sys.modules if not _is_ours(name)), file=pipe, flush=True)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        names = pipe.read().split()
    os.waitpid(child, 0)
    return names


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in _OURS


def _run(copy: str, output: str, *tests: str) -> int:
    """Run tests on the copy's own source."""
    with Path(output).open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    here = str(Path.cwd())
    os.chdir(copy)
    for name in [name for name in sys.modules if _is_ours(name)]:
        del sys.modules[name]
    sys.path[:] = [copy, *(each for each in sys.path if each not in {"", here})]
    # Nothing compiled from a faulty file may be there when the next one is as long and as old.
    sys.dont_write_bytecode = True
    loaded = importlib.import_module("api.auth").__file__
    assert loaded is not None
    assert loaded.startswith(f"{copy}/"), loaded
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--show-capture=no", *tests])
    sys.stdout.flush()
    return int(code)


if __name__ == "__main__":
    main(sys.argv[1])
