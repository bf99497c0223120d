"""The shape of the tree is a promise: these tests read the source and hold it to `style.md`'s measures."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_service.storage import failpoints

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = sorted(
    path
    for folder in ("ledger_service", "api")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations/versions" not in path.as_posix()
)
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "core", "manager", "handler", "misc", "base"}
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md",
    "api", "contracts", "docs", "hardhat-free-local-chain.md", "ledger_service", "package-lock.json",
    "package.json", "pyproject.toml", "requirements", "scripts", "tests",
}  # fmt: skip


def name_of(path: Path) -> str:
    """The path as it stands in the repository, for test ids and messages."""
    return path.relative_to(ROOT).as_posix()


def functions_of(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_top_level_is_what_the_design_fixed() -> None:
    """Nothing appears at the top of the repository that the design does not name."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {line.split("/")[0] for line in listed.stdout.splitlines()} <= TOP_LEVEL


@pytest.mark.parametrize("path", [*PRODUCT, *TESTS], ids=name_of)
def test_modules_stay_readable(path: Path) -> None:
    """No module is longer than 400 lines and no function longer than 60."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions_of(path) if f.end_lineno}
    assert {name: lines for name, lines in long.items() if lines > 60} == {}


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_scripts_stay_short(path: Path) -> None:
    """A developer's command is at most 100 lines; what needs more belongs to the product or the tests."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 100


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_names_say_what_is_inside(path: Path) -> None:
    """No file or folder has one of the names that could hold anything."""
    assert not VAGUE & {*path.relative_to(ROOT).parent.parts, path.stem}


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_transactions_end_in_one_place(path: Path) -> None:
    """Only storage/engine.py commits or rolls back."""
    if name_of(path) == "ledger_service/storage/engine.py":
        return
    calls = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]
    ends = [c.func.attr for c in calls if isinstance(c.func, ast.Attribute)]
    assert not {"commit", "rollback"} & set(ends)


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_environment_is_read_in_one_place(path: Path) -> None:
    """Only config.py reads environment variables."""
    if name_of(path) == "ledger_service/config.py":
        return
    source = path.read_text(encoding="utf-8")
    assert "os.environ" not in source
    assert "os.getenv" not in source


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_no_class_has_a_plain_name(path: Path) -> None:
    """No class is called plainly Ledger, Manager or Utils."""
    classes = [
        n.name for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ClassDef)
    ]
    assert not {"Ledger", "Manager", "Utils"} & set(classes)


@pytest.mark.parametrize("path", sorted((ROOT / "ledger_service/proofs").glob("*.py")), ids=name_of)
def test_kernel_is_pure(path: Path) -> None:
    """The kernel imports no I/O, clock, randomness or logging; `__main__` alone opens files and asks the time."""
    if path.name == "__main__.py":
        return
    forbidden = {
        "os", "io", "pathlib", "time", "random", "secrets", "logging", "socket", "subprocess", "threading",
        "sqlite3", "urllib", "http", "tempfile", "uuid", "asyncio",
    }  # fmt: skip
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) if n.module}
    assert not imported & forbidden
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not called & {"open", "print", "input", "eval", "exec"}
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree))


def test_kernel_loads_alone() -> None:
    """Importing the verifier loads nothing of ours but proofs and errors, and none of the service's libraries."""
    script = (
        "import sys, ledger_service.proofs.verify as v; print(*sorted(m for m in sys.modules), sep='\\n')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(shown.stdout.split())
    ours = {m for m in loaded if m.startswith(("ledger_service", "api."))}
    allowed = ("ledger_service.errors", "ledger_service.proofs")
    assert all(m == "ledger_service" or m.startswith(allowed) for m in ours)
    assert not {"sqlalchemy", "flask", "web3", "orjson", "pydantic", "eth_account"} & loaded


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_say_their_promise(path: Path) -> None:
    """Each test has a sentence that states the promise it holds, is not empty, and never skips or sleeps."""
    source = path.read_text(encoding="utf-8")
    tests = [f for f in functions_of(path) if f.name.startswith("test_")]
    assert [f.name for f in tests if not ast.get_docstring(f)] == []
    assert [f.name for f in tests if len(f.body) < 2] == []
    calls = [
        n
        for n in ast.walk(ast.parse(source))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    ]
    assert not {"skip", "skipif", "importorskip"} & {
        c.func.attr for c in calls if isinstance(c.func, ast.Attribute)
    }


def test_every_failpoint_is_named_and_reached() -> None:
    """The registry of durable steps and the code agree: no step without a name, no name without a step."""
    used: set[str] = set()
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute)):
                continue
            first = node.args[0]
            if (
                node.func.attr in {"write", "step"}
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
            ):
                used.add(first.value)
    assert used == set(failpoints.NAMES)
