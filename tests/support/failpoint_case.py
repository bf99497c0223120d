"""One fault at one durable step, and the question whether anything that was promised is broken.

A case: an installation is made, its service runs with one failpoint armed while a client records
purchases; the service dies or fails there; it is started again, the client asks again for what it was
not answered, and goes on. Then nothing acknowledged may be missing, no index and no root other than
before, no head anchored twice, the auditor finds nothing, and every record is proven and final on the
chain.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from eth_utils.abi import function_abi_to_4byte_selector
from sqlalchemy import func, select

from ledger_service.chain.abi import load_artifact
from ledger_service.chain.head_signer import check_eip712_line
from ledger_service.chain.publishers import count_moving
from ledger_service.chain.rotations import count_lagging_keys
from ledger_service.chain.tables import anchors, chain_contracts
from ledger_service.config import load_settings
from ledger_service.log.auditor import audit
from ledger_service.log.tables import checkpoints, log_entries, logs
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.proofs.note import encode_base64
from ledger_service.records.erasure import ERASURE
from ledger_service.records.tables import outbox, records
from ledger_service.storage.failpoints import ACTIONS, NAMES
from ledger_service.vault.keyring import Keyring
from ledger_service.wiring.installation import load_key_wrapper, open_database
from ledger_service.wiring.kinds import KINDS, LOG_KINDS
from tests.support.installation import Backend, Installation, pause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from ledger_service.storage.engine import Database

# Steps of making an installation, of the chain's own process, and those that no call reaches yet.
SETUP = frozenset({"storage.migrate", "vault.key-file", "accounts.write", "log.open"})
EMBEDDED_ONLY = frozenset({"chain.block"})
# Steps that pass once in a run; those of the publisher only where it is asked for, because it takes longer.
MOVING = frozenset({"chain.name-publisher", "chain.switch-publisher"})
ROTATING = MOVING | {"log.rotate"}
_SETTLE_LIMIT_S = 40.0
_ROUNDS = 3
_PER_ROUND = 4
_ROWS = 7


@dataclass(frozen=True, slots=True)
class Case:
    """Which fault: the step, what happens there, and at which passage."""

    name: str
    action: str
    nth: int

    @property
    def text(self) -> str:
        """As the setting has it."""
        return f"{self.name}={self.action}:{self.nth}"


@dataclass
class Outcome:
    """What became of a case."""

    case: Case
    backend: str
    second: Case | None = None
    reached: bool = False
    died: bool = False
    acknowledged: int = 0
    recovery_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    words: str = ""


def names_of(backend: str) -> list[str]:
    """The steps that a backend has."""
    return [name for name in sorted(NAMES) if name not in EMBEDDED_ONLY or "embedded" in backend]


def all_cases(rng: Random, *, backend: str) -> Iterator[Case]:
    """Every step that the backend has, with every action, at a random early passage."""
    for name in names_of(backend):
        for action in ACTIONS:
            yield draw_case(rng, name, action)


def draw_case(rng: Random, name: str, action: str) -> Case:
    """A step and an action at a random early passage."""
    most = 1 if name in ROTATING or name.startswith("webhooks.") else 2 if name in SETUP else 4
    return Case(name, action, rng.randint(1, most))


def run_case(case: Case, backend: Backend, rng: Random, *, second: Case | None = None) -> Outcome:
    """Run one case to its end; with `second`, another fault strikes while the service recovers from it.

    A case whose passage lies beyond what the client's work reaches is run again at the first passage.
    """
    outcome = _run_once(case, backend, rng, second)
    if not outcome.reached and not outcome.problems and case.nth > 1:
        outcome = _run_once(replace(case, nth=1), backend, rng, second)
    if not outcome.reached:
        outcome.problems.append("nothing passes this failpoint")
    return outcome


def _run_once(case: Case, backend: Backend, rng: Random, second: Case | None) -> Outcome:
    outcome = Outcome(case, backend.name, second)
    with Installation(backend, rng) as installation:
        try:
            _suffer(case, installation, outcome)
            seen = read_checkpoints(installation)
            if second is not None:
                _suffer_again(second, installation)
            _recover(case, installation, outcome)
            settle(installation)
            installation.stop()
            outcome.problems += judge(installation, seen)
        except (TimeoutError, AssertionError) as error:
            outcome.problems.append(f"{type(error).__name__}: {error}")
        if outcome.problems:
            outcome.words = installation.words()
    return outcome


def _suffer_again(second: Case, installation: Installation) -> None:
    """Start with another fault armed, work, and die: recovery that is struck itself."""
    if installation.set_up() is None and installation.start(second.text) is None:
        ask_again(installation, patience_s=2.0)
        settle(installation, patience_s=1.0)
    installation.kill()


def _suffer(case: Case, installation: Installation, outcome: Outcome) -> None:
    """Work until the fault has happened, or everything is done."""
    installation.moves = case.name in MOVING
    if case.name in SETUP:
        said = installation.set_up(case.text)
        outcome.reached = said is not None
        outcome.died = said == "killed"
        return
    assert installation.set_up() is None
    started = installation.start(case.text)
    if started is None:
        _work(installation, "first")
        # An event is there to be delivered once something is final.
        hooks = case.name.startswith("webhooks.")
        settle(installation, patience_s=15.0 if hooks or case.name in MOVING else 3.0)
        if hooks:
            installation.deliver_late("late")
            installation.hook("second-hook")
        if case.name == "audit.record":
            installation.audit("first-audit")
        if case.name in ROTATING and not _was_reached(case, installation):
            # Before anything was anchored there was no publisher to replace.
            installation.rotate("second-rotate")
            settle(installation, patience_s=15.0)
        outcome.reached = _was_reached(case, installation)
    else:
        outcome.reached = True
    outcome.died = not installation.alive
    installation.kill()


def _work(installation: Installation, prefix: str) -> None:
    """Record a few rounds of purchases, single ones and a stream, giving up on each after a while."""
    for number in range(_ROUNDS):
        keys = {f"{prefix}-{number}-{each}" for each in range(_PER_ROUND)}
        deadline = time.monotonic() + 2.0
        while keys and installation.alive and time.monotonic() < deadline:
            keys = installation.record(keys)
            pause(0.05 if keys else 0.0)
        if number == 0:
            installation.hook(f"{prefix}-hook")
            installation.record_rows(f"{prefix}-rows", _ROWS)
            installation.rotate(f"{prefix}-rotate")
            whom = [installation.asked[key]["buyer"] for key in installation.heard]
            installation.erase(f"{prefix}-erase", whom[-1] if whom else "customer-1")


def _was_reached(case: Case, installation: Installation) -> bool:
    if not installation.alive:
        return True
    if case.name in EMBEDDED_ONLY:
        return installation.backend.restarts > 0
    return installation.ask_fired()


def _recover(case: Case, installation: Installation, outcome: Outcome) -> None:
    """Start again without a fault and get an answer for everything that was ever asked."""
    began = time.monotonic()
    if case.name in SETUP:
        assert installation.set_up() is None, "setting up again did not finish what was interrupted"
    started = installation.start()
    assert started is None, f"the service does not start again: {started}"
    outcome.acknowledged = len(installation.heard)
    missing = ask_again(installation, patience_s=_SETTLE_LIMIT_S)
    outcome.recovery_s = time.monotonic() - began
    assert not missing, f"never answered after the fault: {sorted(missing)[:3]}"
    installation.moves = False
    _work(installation, "after")
    assert installation.audit("after-audit"), "an audit after the fault is not recorded"


def ask_again(installation: Installation, *, patience_s: float) -> set[str]:
    """Ask for everything again under its old keys, answered or not; each gets its one answer."""
    rows = Counter(key.partition("/")[0] for key in installation.asked if "/" in key)
    singles = {key for key in installation.asked if "/" not in key} or {"first-question"}
    deadline = time.monotonic() + patience_s
    while singles and installation.alive and time.monotonic() < deadline:
        singles = installation.record(singles)
        pause(0.02 if singles else 0.0)
    left = set(singles)
    for key, count in rows.items():
        left |= installation.record_rows(key, count)
    while not installation.rotate("again"):
        if not installation.alive or time.monotonic() >= deadline:
            left.add("again")
            break
        pause(0.02)
    for key, (subject, _) in installation.erasures.items():
        while not installation.erase(key, subject):
            if not installation.alive or time.monotonic() >= deadline:
                left.add(key)
                break
            pause(0.02)
    return left


def settle(installation: Installation, *, patience_s: float = _SETTLE_LIMIT_S) -> None:
    """Wait until everything is in the log and the newest checkpoint is final on the chain.

    Raises TimeoutError, unless a shorter patience was asked for.
    """
    deadline = time.monotonic() + patience_s
    with _database(installation) as database:
        while installation.alive:
            installation.backend.restart_chain(installation.environment)
            waiting, size, final = _look(database)
            if size is not None and not waiting and final == size:
                return
            if time.monotonic() > deadline:
                break
            installation.backend.nudge()
            pause(0.1)
    if patience_s == _SETTLE_LIMIT_S:
        state = f"{waiting} wait, size {size}, final {final}" if installation.alive else "the service died"
        raise TimeoutError(f"not settled after {patience_s:g} s: {state}")


def _look(database: Database) -> tuple[int, int | None, int | None]:
    """How many records wait, the newest checkpoint's size, and the largest that is final on the chain.

    A log whose new keys its contract does not know waits as well, and so does the next publisher.
    """
    with database.read() as conn:
        waiting = conn.execute(select(func.count()).select_from(outbox)).scalar_one()
        waiting += count_lagging_keys(conn) + count_moving(conn)
        size = conn.execute(select(func.max(checkpoints.c.size))).scalar()
        final = conn.execute(select(func.max(anchors.c.size)).where(anchors.c.stage == "final")).scalar()
    return waiting, size, final


@contextmanager
def _database(installation: Installation) -> Iterator[Database]:
    """The installation's database, opened for one look."""
    database = open_database(load_settings(installation.environment))
    try:
        yield database
    finally:
        database.close()


def read_checkpoints(installation: Installation) -> dict[int, tuple[bytes, bytes]]:
    """Root and note of every size of the log of purchases signed so far."""
    try:
        with _database(installation) as database, database.read() as conn:
            found = conn.execute(
                select(checkpoints.c.size, checkpoints.c.root, checkpoints.c.note)
                .join_from(checkpoints, logs, logs.c.id == checkpoints.c.log_id)
                .where(logs.c.collection == "purchases")
            )
            return {size: (bytes(root), bytes(note)) for size, root, note in found}
    except Exception:  # noqa: BLE001 - before the schema exists there is nothing to read
        return {}


def judge(installation: Installation, seen: dict[int, tuple[bytes, bytes]]) -> list[str]:
    """Hold what is stored and what is on the chain against all that was said; return what is wrong."""
    problems = list(installation.contradictions)
    after = read_checkpoints(installation)
    problems += [f"checkpoint {size} changed" for size in seen if after.get(size) != seen[size]]
    with _database(installation) as database:
        problems += _judge_records(installation, database, after)
        settings = load_settings(installation.environment)
        report = audit(
            database,
            keyring=Keyring(load_key_wrapper(settings)),
            kinds=KINDS.all(),
            check_line=check_eip712_line,
        )
        problems += [f"audit: {each.code} {each.where}: {each.problem}" for each in report.findings]
        problems += _judge_chain(installation, database, after)
    return problems


def _judge_records(
    installation: Installation, database: Database, roots: dict[int, tuple[bytes, bytes]]
) -> list[str]:
    problems = []
    with database.read() as conn:
        rows = conn.execute(
            select(records.c.rid, log_entries.c.idx)
            .join_from(records, log_entries, records.c.id == log_entries.c.record)
            .where(records.c.kind != ERASURE.name)
        )
        places: dict[bytes, int] = {bytes(rid): index for rid, index in rows}
    for key, answer in installation.heard.items():
        index = places.get(decode_base64url(str(answer.record)))
        if index is None:
            problems.append(f"acknowledged record {key} is lost")
        elif answer.place is not None:
            told, size, root = answer.place
            if told != index:
                problems.append(f"{key} was told index {told} and has {index}")
            if size not in roots or encode_base64(roots[size][0]).encode() != root:
                problems.append(f"{key} was told a root for size {size} that the log does not have")
    problems += _judge_erasures(installation, database)
    if len(places) != len(installation.asked) + len(LOG_KINDS):
        problems.append(f"{len(places)} entries for {len(installation.asked)} requests and the openings")
    return problems


def _judge_erasures(installation: Installation, database: Database) -> list[str]:
    """Whatever was acknowledged before an acknowledged erasure belongs to nobody any more."""
    with database.read() as conn:
        rows = conn.execute(select(records.c.rid).where(records.c.key_id.is_not(None)))
        owned = {bytes(rid) for rid in rows.scalars()}
    return [
        f"{each} outlived its erasure"
        for key in installation.erased
        for each in installation.erasures[key][1]
        if decode_base64url(str(installation.heard[each].record)) in owned
    ]


def _judge_chain(
    installation: Installation, database: Database, roots: dict[int, tuple[bytes, bytes]]
) -> list[str]:
    """Each head of purchases stands on the chain once, with our root, and was published once.

    There is one contract for each collection.
    """
    artifact = load_artifact("PurchaseLedger")
    with database.read() as conn:
        rows = conn.execute(select(chain_contracts.c.kind, chain_contracts.c.address)).all()
    contracts = {row.kind: bytes(row.address) for row in rows}
    if not len(rows) == len(contracts) == len(LOG_KINDS):
        return [f"{len(rows)} contracts were deployed for {len(LOG_KINDS)} collections"]
    address = f"0x{contracts[artifact.name].hex()}"
    rpc = installation.backend.rpc()
    topic = f"0x{artifact.topic('HeadAccepted').hex()}"
    found = rpc.call(
        "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": address, "topics": [topic]}
    )
    heads = [(int(each["topics"][2], 16), bytes.fromhex(each["data"][2:66])) for each in found]
    problems = [
        f"head {size} was anchored twice" for size, _ in heads if [at for at, _ in heads].count(size) > 1
    ]
    problems += [
        f"head {size} stands on the chain with another root"
        for size, root in heads
        if size not in roots or roots[size][0] != root
    ]
    selector = f"0x{function_abi_to_4byte_selector(artifact.abi['function', 'publish']).hex()}"
    mined = list(_transactions(installation))
    sent = sum(each["input"].startswith(selector) and str(each["to"]).lower() == address for each in mined)
    if sent != len(heads):
        problems.append(f"{sent} publishing transactions for {len(heads)} heads")
    deployed = sum(each["to"] is None for each in mined)
    if deployed != len(contracts):
        problems.append(f"{deployed} contracts were deployed")
    return problems


def _transactions(installation: Installation) -> Iterator[dict[str, Any]]:
    """All mined transactions; on a chain of the installation's own they are all its own."""
    rpc = installation.backend.rpc()
    for number in range(rpc.number("eth_blockNumber") + 1):
        yield from rpc.call("eth_getBlockByNumber", hex(number), True)["transactions"]  # noqa: FBT003 - JSON-RPC
