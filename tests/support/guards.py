"""The authorization guards of the source, found by their shapes, and the faults that take each of them away.

A guard is: a route's call for its caller, a check of scope, a condition that compares organizations or refuses
a key, and a query's limit to one organization.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
# Packages that stand between a request and what it reads or writes.
PACKAGES: Final = (
    "api", "ledger_service/accounts", "ledger_service/verification", "ledger_service/wiring",
    "ledger_service/webhooks", "ledger_service/log", "ledger_service/records", "ledger_service/vault",
)  # fmt: skip
_REFUSALS: Final = frozenset({"UnauthenticatedError", "ScopeMissingError"})
_UNGUARDED: Final = '__import__("tests.support.unguarded", fromlist=["_"])'


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """The text from `start` to `end` of a file, both in bytes, becomes `new`; `what` is missing then."""

    path: str
    start: int
    end: int
    new: str
    where: str
    what: str

    @property
    def row(self) -> tuple[str, str, str]:
        """How a report names it, whatever else changes in the file."""
        return self.path, self.where or "module", self.what

    def apply(self, source: bytes) -> bytes:
        """The source without the guard."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def find_faults() -> list[Fault]:
    """One fault or several for every guard in the tree, in the order of the source."""
    return [
        fault
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for fault in faults_of(path.relative_to(ROOT).as_posix(), path.read_bytes())
    ]


def faults_of(path: str, source: bytes) -> list[Fault]:
    """The faults of one file."""
    return sorted(_Finder(path, source).faults())


class _Finder:
    """Walks one file and knows in which function it is."""

    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def faults(self) -> Iterator[Fault]:
        yield from self._walk(ast.parse(self._source), "")

    def _walk(self, node: ast.AST, where: str) -> Iterator[Fault]:
        for child in ast.iter_child_nodes(node):
            inside = where
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = f"{where}.{child.name}".removeprefix(".")
            yield from self._look(child, where)
            yield from self._walk(child, inside)

    def _look(self, node: ast.AST, where: str) -> Iterator[Fault]:
        if isinstance(node, ast.Call):
            yield from self._call(node, where)
        elif isinstance(node, ast.If):
            yield from self._condition(node, where)
        elif isinstance(node, ast.IfExp) and self._path == "api/auth.py":
            yield self._fault(node.test, "True", where, f"only if {self._text(node.test)}")
        elif isinstance(node, ast.Expr) and _called(node.value) == "check_scope":
            yield self._fault(node, "pass", where, self._text(node))
        elif isinstance(node, ast.Compare) and _compares_organizations(node):
            yield self._fault(node, _without(node), where, self._text(node))

    def _call(self, node: ast.Call, where: str) -> Iterator[Fault]:
        name = _called(node)
        if name in {"required_caller", "member_caller"}:
            arguments = self._source[self._end(node.func) : self._end(node)].decode()
            for kind in ("no_key", "no_scope", "any_organization"):
                if kind != "any_organization" or name == "required_caller":
                    new = f"{_UNGUARDED}.{name}_{kind}{arguments}"
                    yield self._fault(node, new, where, f"{self._text(node)}: {kind.replace('_', ' ')}")
        if name in {"required_session", "check_form"} and node.args:
            yield self._fault(node.args[0], "None", where, f"{self._text(node)}: no scope")
        for keyword in node.keywords:
            if keyword.arg == "equal" and isinstance(keyword.value, ast.Dict):
                yield from self._entries(keyword.value, where)

    def _entries(self, node: ast.Dict, where: str) -> Iterator[Fault]:
        """A query's equal={"org_id": …} without the organization."""
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "org_id":
                rest = [
                    f"{self._text(k)}: {self._text(v)}"
                    for k, v in zip(node.keys, node.values, strict=True)
                    if k is not None and k is not key
                ]
                yield self._fault(
                    node, f"{{{', '.join(rest)}}}", where, f"equal {self._text(key)}: {self._text(value)}"
                )

    def _condition(self, node: ast.If, where: str) -> Iterator[Fault]:
        """A condition under which a key or a scope is refused, part by part where one of several is enough."""
        first = node.body[0]
        raised = _name(first.exc) if isinstance(first, ast.Raise) else None
        if raised not in _REFUSALS:
            return
        parts = [node.test]
        if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
            parts = node.test.values
        for part in parts:
            yield self._fault(part, "False", where, f"if {self._text(part)}: raise {raised}")

    def _fault(self, node: ast.expr | ast.stmt, new: str, where: str, what: str) -> Fault:
        return Fault(self._path, self._start(node), self._end(node), new, where, what)

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return " ".join(self._source[self._start(node) : self._end(node)].decode().split())


def _called(node: ast.AST) -> str | None:
    return _name(node.func) if isinstance(node, ast.Call) else None


def _name(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def _compares_organizations(node: ast.Compare) -> bool:
    """Whether an organization is compared with another: by its number, or by its slug outside a look-up."""
    if not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return False
    for side in (node.left, *node.comparators):
        operand = side.left if isinstance(side, ast.BinOp) else side
        if not isinstance(operand, ast.Attribute | ast.Name):
            continue
        name = _name(operand)
        if (
            name == "org_id"
            or (name == "org" and _is_column(operand))
            or (name == "slug" and not _is_column(operand))
        ):
            return True
    return False


def _without(node: ast.Compare) -> str:
    """What a comparison becomes when it no longer tells anything apart."""
    if any(_is_column(each) for each in ast.walk(node)):
        return '__import__("sqlalchemy").true()'
    return str(isinstance(node.ops[0], ast.Eq))


def _is_column(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "c"
    )
