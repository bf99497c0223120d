"""Random damage to the files of a ledger: found by the auditor or harmless, and never served as valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.damage_ledger import make_damage_ledger
from tests.support.damage_runs import DamageRun

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

DAMAGES = 25


def test_damage_is_found_or_harmless_and_never_served_as_valid(tmp_path: Path, rng: Random) -> None:
    """Whatever is damaged, the audit names it or every answer is as before; nothing else is judged valid."""
    ledger = make_damage_ledger(tmp_path, rows=20)
    run = DamageRun(ledger.data, ledger.environment, key=ledger.key, folder=tmp_path)
    assert (run.audited.findings, run.faults) == ((), ())
    outcomes = [run.run(f"{rng.random()}") for _ in range(DAMAGES)]
    assert [each for each in outcomes if each.broken] == []
