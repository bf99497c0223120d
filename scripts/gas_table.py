"""Measure what the contracts cost and write docs/gas.md; ``--check`` only compares.

All is drawn from one seed and runs on py-evm in memory: `python -m scripts.gas_table` is the same everywhere.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contracts.evm import Evm, artifact
from tests.contracts.logs import OPENER, LogDriver
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed, Mined

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "gas.md"
MILLION = 10**6
SEED = 9162
# Of all pairs up to 10^6 these have the most hashes to compute: 21 in the path, 18 of them for both roots.
WORST_PAIRS = [(983_039, MILLION), (917_503, MILLION), (786_431, MILLION), (524_287, MILLION)]
HEAD = """# Gas

Made by `scripts/gas_table.py` on py-evm (Prague) from the committed artifact; a test compares.
One `publish` anchors all records since the head before it, whatever their number.

| what | gas |
|---|---:|
"""


def measure_publish(contract: Deployed, first: int, second: int) -> Mined:
    """The second of two heads, in a log of its own; the first one follows a head at half its size."""
    log = LogDriver(contract, tree_of(MILLION), origin=f"ledger.example/logs/{first}/{second}")
    log.open()
    log.publish(first // 2)
    log.publish(first)
    return log.publish(second)


def publish_rows(contract: Deployed) -> list[tuple[str, str]]:
    """Rows about `publish`."""
    rng = random.Random(SEED)  # noqa: S311 - the same pairs every time
    rows = []
    for size in (1_000, 100_000, MILLION):
        gas = measure_publish(contract, size - size // 10, size).gas
        rows.append((f"`publish`, {size - size // 10:,} → {size:,} entries", f"{gas:,}"))
    pairs = [sorted(rng.sample(range(2, MILLION + 1), 2)) for _ in range(100)]
    costs = sorted(measure_publish(contract, *pair).gas for pair in pairs)
    for word, place in [("least", 0), ("median", 50), ("worst", -1)]:
        rows.append((f"`publish`, 100 random pairs up to 10⁶: {word}", f"{costs[place]:,}"))
    worst = max(measure_publish(contract, *pair).gas for pair in WORST_PAIRS)
    return [*rows, ("`publish`, the pairs with most hashes up to 10⁶", f"{worst:,}")]


def life_rows(evm: Evm, contract: Deployed) -> list[tuple[str, str]]:
    """Rows about everything else, in the order of a log's life."""
    log = LogDriver(contract, tree_of(MILLION), origin="ledger.example/logs/city/purchases")
    rows = [("deployment", contract.deployment.gas), ("`open`", log.open().gas)]
    rows += [("`publish`, first head", log.publish(MILLION // 2).gas)]
    log.publish(MILLION)
    rows += [("`publish`, the same head again", log.offer(log.signed(MILLION), ()).gas)]
    entry, explanation = log.entry(123_456), log.entry(654_321)
    for name, arguments in [("verifyInclusion", (entry,)), ("statusOf", (entry,))]:
        data = contract.artifact.encode_call(name, log.log_id, log.head, *arguments)
        rows.append((f"`{name}` at 10⁶, execution only", evm.call(contract.address, data).get_gas_used()))
    change = contract.send("changeStatus", log.log_id, log.head, entry, explanation, 3, 1, sender=1)
    rows.append(("`changeStatus` at 10⁶", change.gas))
    carried = (log.origin, evm.account(1), log.key.address, log.reference(), log.signed(MILLION))
    rows += [
        ("`openSuccessor`", contract.send("openSuccessor", *carried).gas),
        ("`retire`", log.retire().gas),
    ]
    return [(name, f"{gas:,}") for name, gas in rows]


def format_table() -> str:
    """The document."""
    evm = Evm()
    contract = evm.deploy(artifact("PurchaseLedger"), [evm.account(OPENER)])
    rows = [*publish_rows(contract), *life_rows(evm, contract)]
    return HEAD + "".join(f"| {name} | {gas} |\n" for name, gas in rows)


def main() -> None:
    """Write or compare the document."""
    table = format_table()
    if sys.argv[1:] != ["--check"]:
        DOCUMENT.write_text(table, "utf-8")
    elif DOCUMENT.read_text("utf-8") != table:
        sys.exit("docs/gas.md is out of date: run python -m scripts.gas_table")


if __name__ == "__main__":
    main()
