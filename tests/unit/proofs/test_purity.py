"""The kernel stands alone: it loads nothing but itself, and touches nothing but its arguments."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ledger_service.proofs

FOLDER = Path(ledger_service.proofs.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in {"__main__", "__init__"})
FORBIDDEN_MODULES = {
    "io", "os", "pathlib", "socket", "random", "secrets", "time", "logging", "subprocess", "threading",
    "tempfile",
    "urllib", "http", "sqlite3", "uuid", "warnings",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "open",
    "print",
    "input",
    "exec",
    "eval",
    "now",
    "today",
    "utcnow",
    "generate",
    "urandom",
    "sign",
}


def test_importing_the_kernel_loads_nothing_else() -> None:
    """Every module of the kernel loads only proofs, errors, cryptography and Python itself."""
    code = (
        "import sys; before = set(sys.modules)\n"
        + "\n".join(f"import ledger_service.proofs.{name}" for name in MODULES)
        + "\nroots = {name.partition('.')[0] for name in set(sys.modules) - before}"
        "\nours = {name for name in sys.modules if name.startswith('ledger_service.')}"
        "\nprint(sorted(roots - sys.stdlib_module_names))"
        "\nprint(sorted(name for name in ours if not name.startswith('ledger_service.proofs')))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    ours, others = output.splitlines()
    assert set(ast.literal_eval(ours)) <= {"ledger_service", "cryptography", "_cffi_backend", "_openssl"}
    assert {".".join(name.split(".")[:2]) for name in ast.literal_eval(others)} == {"ledger_service.errors"}


def test_package_itself_loads_nothing() -> None:
    """`import ledger_service.proofs` alone loads no module of ours beside the two packages."""
    code = (
        "import sys, ledger_service.proofs; print(sorted(n for n in sys.modules if n.startswith('ledger')))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(output) == ["ledger_service", "ledger_service.proofs"]


@pytest.mark.parametrize("name", MODULES)
def test_no_effects(name: str) -> None:
    """No module does I/O, reads a clock, draws randomness, logs, signs, or keeps state that changes."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & FORBIDDEN_MODULES
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in FORBIDDEN_MODULES
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in FORBIDDEN_CALLS
        assert not isinstance(node, ast.Global)
