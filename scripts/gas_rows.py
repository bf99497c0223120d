"""What calls of the contracts cost: measured on trees of a million entries, as rows of a table."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.contracts.evm import artifact
from tests.contracts.logs import OPENER, STRANGER, HeadKey, LogDriver
from tests.contracts.trees import tree_of

if TYPE_CHECKING:
    from tests.contracts.evm import Deployed, Evm, Mined

MILLION = 10**6
SEED = 9162
# Of all pairs up to 10^6 these have the most hashes to compute: 21 in the path, 18 of them for both roots.
WORST_PAIRS = [(983_039, MILLION), (917_503, MILLION), (786_431, MILLION), (524_287, MILLION)]
REFUNDED = 3
# By kind, the changes of one record in this order: what happens, and the state's number.
KIND_CHANGES = {
    "CertificateRegistry": [("a certificate suspended", 1), ("reinstated", 0), ("revoked", 2)],
    "DataNotary": [("a data set superseded", 4)],
}


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
    rows = [("deployment of `PurchaseLedger`", contract.deployment.gas), ("`open`", log.open().gas)]
    rows += [("`publish`, first head", log.publish(MILLION // 2).gas)]
    log.publish(MILLION)
    rows += [("`publish`, the same head again", log.offer(log.signed(MILLION), ()).gas)]
    entry, explanation = log.entry(123_456), log.entry(654_321)
    for name, arguments in [("verifyInclusion", (entry,)), ("statusOf", (entry,))]:
        data = contract.artifact.encode_call(name, log.log_id, log.head, *arguments)
        rows.append((f"`{name}` at 10⁶, execution only", evm.call(contract.address, data).get_gas_used()))
    change = contract.send("changeStatus", log.log_id, log.head, entry, explanation, REFUNDED, 1, sender=1)
    rows.append(("`changeStatus` at 10⁶: a purchase refunded", change.gas))
    carried = (log.origin, evm.account(1), log.key.address, log.reference(), log.signed(MILLION))
    rows += [("`openSuccessor`", contract.send("openSuccessor", *carried).gas)]
    rows += [("`rotate`, another head key", log.rotate(key=HeadKey(b"\x22" * 32)).gas)]
    rows += [("`rotate`, another publisher", log.rotate(publisher=STRANGER).gas)]
    rows += [("`retire`", log.retire(sender=STRANGER).gas)]
    return [(name, f"{gas:,}") for name, gas in rows]


def kind_rows(evm: Evm) -> list[tuple[str, str]]:
    """Rows about what the other kinds of log have: their deployment and their changes."""
    rows = []
    for kind, changes in KIND_CHANGES.items():
        contract = evm.deploy(artifact(kind), [evm.account(OPENER)])
        rows.append((f"deployment of `{kind}`", contract.deployment.gas))
        log = LogDriver(contract, tree_of(MILLION), origin=f"ledger.example/logs/city/{kind}")
        log.open()
        log.publish(MILLION)
        for place, (words, state) in enumerate(changes):
            proofs = (log.entry(123_456), log.entry(654_321 + place))
            mined = contract.send("changeStatus", log.log_id, log.head, *proofs, state, 1, sender=1)
            rows.append((f"`changeStatus` at 10⁶: {words}", mined.gas))
    return [(name, f"{gas:,}") for name, gas in rows]
