"""The guards of the source: each is known to the campaign that takes it away, and one is taken away here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.guard_mutants import EQUIVALENT, KILLED, GuardMutants
from tests.support.guards import PACKAGES, ROOT, Fault, faults_of, find_faults

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PAGE = ROOT / "docs" / "campaigns" / "guard-mutants.md"
# How guards look to somebody who reads lines and knows nothing of the language.
ROUTE = re.compile(r"= (?:required|member)_caller\(")
ORGANIZATION = re.compile(r"\borg_id(?: \+ 0)? [!=]= |[!=]= \S*\borg_id\b|\.slug != |equal=\{.*\borg_id\b")
SOURCE = b"""
def route(org):
    caller = required_caller(org, scope=Scope.READ)
    if key is None or not same:
        raise UnauthenticatedError
    if row.org_id != org_id:
        raise NotFoundError
    if count != 3:
        raise NotFoundError
    caller.check_scope(Scope.READ)
    rows = find(where(records.c.org_id == org_id, records.c.id == 1))
    more = find(equal={"org_id": org_id, "line": 0})
"""


def rows_of(faults: Iterable[Fault]) -> list[tuple[str, str, str]]:
    """How the report names them."""
    return [fault.row for fault in faults]


def test_every_guard_was_taken_away_in_the_campaign() -> None:
    """The committed report has every guard of the source and no other, and none was missed by no test.

    After a change of the guards: python -m scripts.mutate_guards.
    """
    lines = [
        line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line[:1] == "|"
    ]
    reported = {(path, where, what.strip("`")): outcome for path, where, what, outcome, *_ in lines[2:]}
    assert [*reported] == rows_of(find_faults())
    assert {*reported.values()} == {KILLED, "equivalent"}
    equivalent = [" ".join(row) for row, outcome in reported.items() if outcome == "equivalent"]
    assert all(any(name.startswith(start) for name in equivalent) for start in EQUIVALENT)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_line_that_looks_like_a_guard_is_overlooked(package: str) -> None:
    """What a plain search finds in the source is among the guards."""
    overlooked = []
    for path in sorted((ROOT / package).rglob("*.py")):
        source = path.read_bytes()
        found = {source.count(b"\n", 0, fault.start) for fault in faults_of(path.as_posix(), source)}
        for number, line in enumerate(source.decode().splitlines()):
            if (ROUTE.search(line) or ORGANIZATION.search(line)) and number not in found:
                overlooked.append(f"{path.name}:{number + 1}: {line.strip()}")
    assert overlooked == []


def test_guards_are_found_by_their_shapes() -> None:
    """Calls for the caller, refusals of keys, comparisons of organizations and limits of queries, nothing else."""
    found = faults_of("api/routes/some.py", SOURCE)
    assert [fault.what for fault in found] == [
        "required_caller(org, scope=Scope.READ): any organization",
        "required_caller(org, scope=Scope.READ): no key",
        "required_caller(org, scope=Scope.READ): no scope",
        "if key is None: raise UnauthenticatedError",
        "if not same: raise UnauthenticatedError",
        "row.org_id != org_id",
        "caller.check_scope(Scope.READ)",
        "records.c.org_id == org_id",
        'equal "org_id": org_id',
    ]
    assert b"if key is None or False:" in found[4].apply(SOURCE)
    assert b"    pass\n" in found[6].apply(SOURCE)
    assert b'equal={"line": 0}' in found[8].apply(SOURCE)


def test_the_matrix_notices_a_missing_guard(tmp_path: Path) -> None:
    """In a copy of the tree whose routes take any organization's key, the matrix fails."""
    (fault,) = [
        each for each in find_faults() if each.where == "required_caller" and "org.slug != org" in each.what
    ]
    with GuardMutants(tmp_path / "mutant") as mutants:
        judged = mutants.judge(fault)
    assert (judged.outcome, judged.by) == (KILLED, "test_nobody_reaches_into_another_organization")
