"""Whatever callers do and however often the service dies, a plain model of under 150 lines tells what is there.

`scripts.campaign_machine` runs the long version; docs/campaigns/state-machine.md has what came of it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from ledger_service.errors import DamagedDataError
from tests.support import plain_model
from tests.support.ledger_machine import run_machine
from tests.support.machine_books import Books
from tests.support.machine_host import MachineHost, Template
from tests.support.plain_model import Write
from tests.support.small_ledger import SetClock

if TYPE_CHECKING:
    from random import Random

    from tests.support.postgres import PostgresCluster

# Together 2,000 steps. A step on PostgreSQL takes three times as long.
STEPS = {"SQLite": 1_600, "PostgreSQL": 400}


# It takes half a minute each on an idle machine; however busy one is, it is no defect of the service.
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("database", STEPS)
def test_service_does_what_the_plain_model_does(
    tmp_path: Path, postgres_cluster: PostgresCluster, rng: Random, database: str
) -> None:
    """Records, retries, streams, changes, erasures, crashes and starts in any order: every answer is the model's."""
    template = Template(tmp_path, postgres_cluster if database == "PostgreSQL" else None)
    tally: Counter[str] = Counter()
    run_machine(template, steps=STEPS[database], seed_number=rng.getrandbits(32), tally=tally)
    assert tally.total() >= STEPS[database]
    assert any(name.startswith(("crash", "kill")) for name in tally)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE records SET reference = NULL WHERE id = (SELECT min(record) FROM sealed_payloads)",
        "UPDATE status_changes SET state = 'revoked'",
        "UPDATE checkpoints SET root = zeroblob(32) WHERE size = (SELECT max(size) FROM checkpoints)",
        "DELETE FROM sealed_payloads WHERE record = (SELECT min(record) FROM sealed_payloads)",
    ],
)
def test_the_comparison_can_fail(tmp_path: Path, damage: str) -> None:
    """A number that is forgotten, another status, another root and a payload that is gone are each noticed."""
    template = Template(tmp_path)
    host = MachineHost(template.begin(), SetClock(), [])
    host.start()
    books = Books(host)
    for number, write in enumerate(
        (Write("completion", "n1", "ada", 1), Write("status", about=0, state="suspended"))
    ):
        books.compare(host.write(f"key-{number}", write), *books.expect_write((f"key-{number}", 0), write))
    books.check_all(each_receipt=True)
    with host.service.database.write("records.accept") as conn:
        conn.execute(text(damage))
    # The model notices, or the service itself before it.
    with pytest.raises((AssertionError, DamagedDataError)):
        books.check_all()
    host.stop()


def test_plain_model_stays_plain() -> None:
    """The model has fewer than 150 lines and knows nothing of the service."""
    text = Path(plain_model.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    assert "ledger_service" not in text
