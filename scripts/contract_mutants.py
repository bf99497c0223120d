"""Small faults put into Solidity source, one at a time: what the contract tests must notice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int, str]  # start, end, new text

_IGNORED = re.compile(r"//[^\n]*|^(?:import|pragma)[^;]*;", re.MULTILINE)
_CALLS = re.compile(r"\b(?:nodeHash|_nodeHashes|_hashHead|_checkpointDigest|(?:revert|emit) \w+)\(")
_NUMBER = re.compile(r"(?<![\w.\"])(?:0x[0-9a-f]+|\d+)(?![\w.])")
_TOKENS = {
    r"(?<![<>=-])<(?![<=])": ("<=", ">="), r"(?<![<>=-])>(?![>=])": (">=", "<"),
    r"<=": ("<", ">"), r"(?<!>)>=": (">", "<"), r"==": ("!=",), r"!=": ("==",),
    r"&&": ("||",), r"\|\|": ("&&",), r"(?<=\()!": ("",), r"\band(?=\()": ("or",),
    r"(?<= )\+(?= )": ("-",), r"(?<= )-(?= )": ("+",), r"(?<= )\*\*(?= )": ("*",), r"\+\+": ("--",),
    r"\bonlyRole\(\w+\)": ("",), r"\bblock\.(?:timestamp|chainid)\b": ("1",),
    r'(?<=[a-z0-9)])"(?=\))': (' "',), r'hex"00"': ('hex"01"',),
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One fault: the text from `start` to `end` becomes `new`."""

    path: str
    start: int
    end: int
    new: str

    def apply(self, source: str) -> str:
        """The source with the fault."""
        return source[: self.start] + self.new + source[self.end :]

    def describe(self, source: str) -> str:
        """The line as it was and as it became, without its indentation."""
        first, last = source.rfind("\n", 0, self.start) + 1, source.index("\n", self.end)
        mutated = source[first : self.start] + self.new + source[self.end : last]
        return " ".join(f"{source[first:last]} => {mutated}".split())


def find_mutants(path: str, source: str) -> list[Mutant]:
    """Every fault that this module knows to make in a source; not all of them compile."""
    code = _IGNORED.sub(lambda match: " " * len(match[0]), source)
    spans = {*_tokens(code), *_conditions(code), *_arguments(code), *_statements(code)}
    return sorted(Mutant(path, *span) for span in spans if code[span[0] : span[1]] != span[2])


def _tokens(code: str) -> Iterator[Span]:
    """Operators, literals and a modifier."""
    for pattern, others in _TOKENS.items():
        for match in re.finditer(pattern, code):
            yield from ((*match.span(), other) for other in others)
    for match in _NUMBER.finditer(code):
        value = int(match[0], 0)
        yield from ((*match.span(), str(other)) for other in (value + 1, value - 1) if other >= 0)


def _conditions(code: str) -> Iterator[Span]:
    """Conditions that always or never hold, and the two sides of a choice changed for each other."""
    for match in re.finditer(r"\bif \(", code):
        yield from ((match.end(), _closing(code, match.end()), other) for other in ("true", "false"))
    for match in re.finditer(r"\? ([^?:;]+) : ([^?:;]+);", code):
        yield match.start(1), match.end(2), f"{match[2]} : {match[1]}"


def _arguments(code: str) -> Iterator[Span]:
    """Neighbouring arguments changed for each other."""
    for match in _CALLS.finditer(code):
        end = _closing(code, match.end())
        arguments = re.split(r",\s*(?![^(]*\))", code[match.end() : end])
        for i in range(len(arguments) - 1):
            swapped = [*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2 :]]
            yield match.end(), end, ", ".join(swapped)


def _statements(code: str) -> Iterator[Span]:
    """Statements left out: those that end in a semicolon, and the lines of assembly."""
    for match in re.finditer(r"(?<=[{};])\s*((?:[^{};()]|\((?:[^()]|\([^()]*\))*\))+;)", code):
        yield *match.span(1), ""
    for match in re.finditer(r"(?:mstore8?\(.*|\w+ := .*)$", code, re.MULTILINE):
        yield *match.span(), ""


def _closing(code: str, start: int) -> int:
    """Where the parenthesis closes that opened just before `start`."""
    depth, end = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(code[end], 0)
        end += 1
    return end - 1
