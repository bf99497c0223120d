"""The sequencer: order, swaps, time, and what it does after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from ledger_service.errors import ClockError, CorruptLogError, FencedError, StorageFatalError
from ledger_service.log.heads import Head, read_head
from ledger_service.log.tables import checkpoints, log_entries, log_heads, log_tiles
from ledger_service.proofs.checkpoint import check_mldsa, parse_checkpoint
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.merkle import check_inclusion, leaf_hash, tree_root_of
from ledger_service.proofs.note import check_ed25519, parse_note
from ledger_service.proofs.types import LeafHash, LeafIndex
from ledger_service.records.outcomes import Accepted
from ledger_service.storage import failpoints
from tests.support.small_ledger import ORIGIN, SetClock, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.log.sequencer import Sequenced
    from tests.support.small_ledger import SmallLedger


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


def accept(ledger: SmallLedger, count: int) -> list[Accepted]:
    """That many new records."""
    outcomes = ledger.intake.accept([ledger.submission() for _ in range(count)])
    return [each for each in outcomes if isinstance(each, Accepted)]


def sequence(ledger: SmallLedger, *, limit: int = 4_096) -> Sequenced:
    """One step that must do something."""
    step = ledger.sequencer.sequence(ledger.log.id, limit=limit)
    assert step is not None
    return step


def head_of(ledger: SmallLedger) -> Head:
    """The stored head."""
    with ledger.database.read() as conn:
        return read_head(conn, ledger.log.id)


def clock_of(ledger: SmallLedger) -> SetClock:
    """The ledger's clock, which the test moves."""
    assert isinstance(ledger.clock, SetClock)
    return ledger.clock


def test_records_get_indexes_in_order(ledger: SmallLedger) -> None:
    """Records get indexes in the order of their acceptance, over as many steps as it takes."""
    made = accept(ledger, 7)
    first, second = sequence(ledger, limit=5), sequence(ledger, limit=5)
    assert (first.first, first.size, second.first, second.size) == (0, 5, 5, 8)
    assert [*first.records, *second.records] == [1, *[each.record for each in made]]
    assert ledger.sequencer.sequence(ledger.log.id) is None
    with ledger.database.read() as conn:
        stored = conn.execute(
            select(log_entries.c.idx, log_entries.c.entry).order_by(log_entries.c.idx)
        ).all()
    assert [row.idx for row in stored] == list(range(8))
    assert [parse_entry(bytes(row.entry)).claim.id for row in stored[1:]] == [each.id for each in made]


def test_root_is_that_of_the_entries(ledger: SmallLedger) -> None:
    """The signed root is what RFC 9162 makes of the entries, across tiles of 256."""
    leaves: list[bytes] = []
    for count in (3, 252, 1, 300):
        accept(ledger, count)
        step = sequence(ledger)
        with ledger.database.read() as conn:
            entries = conn.execute(select(log_entries.c.entry).order_by(log_entries.c.idx)).scalars()
            leaves = [leaf_hash(bytes(entry)) for entry in entries]
        assert step.root == tree_root_of(leaves)
        for index in range(step.first, step.size, 37):
            proof = step.prove(LeafIndex(index))
            leaf = LeafHash(leaves[index])
            check_inclusion(leaf, index=LeafIndex(index), size=step.size, root=step.root, proof=proof)
    with ledger.database.read() as conn:
        rows = conn.execute(select(log_tiles.c.level, log_tiles.c.idx)).all()
        assert {(row.level, row.idx) for row in rows} == {
            (0, 0),
            (0, 1),
            (0, 2),
            (1, 0),
        }


def test_checkpoint_is_signed_twice(ledger: SmallLedger) -> None:
    """The note carries an Ed25519 and an ML-DSA-44 line that check, the second with the stored time."""
    step = sequence(ledger)
    note = parse_note(step.note)
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 1, step.root)
    check_ed25519(note, ledger.log.vkeys[0])
    assert check_mldsa(note, ledger.log.vkeys[1]) == step.timestamp == int(ledger.clock.now().timestamp())


def test_second_sequencer_fences_the_first(ledger: SmallLedger) -> None:
    """Whoever takes a log over is the only one who may write: the one before is refused from then on."""
    sequence(ledger)
    other = ledger.another_sequencer()
    accept(ledger, 1)
    assert other.sequence(ledger.log.id) is not None
    accept(ledger, 1)
    for _ in range(2):
        with pytest.raises(FencedError):
            ledger.sequencer.sequence(ledger.log.id)
    assert other.sequence(ledger.log.id) is not None


def test_stale_sequencer_cannot_sign(sqlite_ledger: SmallLedger) -> None:
    """A sequencer whose intent another has finished meanwhile stores nothing more."""
    ledger = sqlite_ledger
    other = ledger.another_sequencer()
    original = ledger.sequencer._signers_of
    done: list[Sequenced | None] = []

    def interrupted(*_: object) -> object:
        ledger.sequencer._signers_of = original
        done.append(other.recover(ledger.log.id))
        return original(ORIGIN, 0)

    ledger.sequencer._signers_of = interrupted  # type: ignore[assignment]
    with pytest.raises(FencedError):
        ledger.sequencer.sequence(ledger.log.id)
    assert done[0] is not None
    with ledger.database.read() as conn:
        notes = conn.execute(select(checkpoints.c.note)).scalars().all()
    assert [bytes(note) for note in notes] == [done[0].note]


@pytest.mark.parametrize("action", ["fail", "fail-done"])
@pytest.mark.parametrize("point", ["log.assign", "log.sign"])
def test_fault_is_finished_by_the_next_start(tmp_path: Path, point: str, action: str) -> None:
    """After a faulted commit, done or not, the next start signs the same size and root."""
    with small_ledger(tmp_path) as ledger:
        sequence(ledger)
        made = accept(ledger, 3)
        failpoints.arm(f"{point}={action}")
        with pytest.raises(StorageFatalError):
            ledger.sequencer.sequence(ledger.log.id)
        intended = head_of(ledger).intent
    with small_ledger(tmp_path) as ledger:
        recovered = ledger.sequencer.recover(ledger.log.id)
        if recovered is not None:
            assert intended is not None
            assert (recovered.size, recovered.root) == (intended.size, intended.root)
        while ledger.sequencer.sequence(ledger.log.id):
            pass
        head = head_of(ledger)
        assert (head.size, head.intent) == (4, None)
        with ledger.reader.view(ORIGIN) as view:
            assert [view.index_of(each.record) for each in made] == [1, 2, 3]


def test_recovery_with_nothing_to_do(ledger: SmallLedger) -> None:
    """Recovering a log that was left in order changes nothing."""
    sequence(ledger)
    before = head_of(ledger)
    assert ledger.sequencer.recover(ledger.log.id) is None
    assert head_of(ledger) == before


def test_clock_that_steps_back_a_little(ledger: SmallLedger) -> None:
    """A clock at most five seconds back signs the time that was signed last; further back it stops."""
    first = sequence(ledger)
    accept(ledger, 1)
    clock_of(ledger).move(-5)
    assert sequence(ledger).timestamp == first.timestamp
    accept(ledger, 1)
    clock_of(ledger).move(-1)
    with pytest.raises(ClockError):
        ledger.sequencer.sequence(ledger.log.id)
    assert head_of(ledger).intent is None
    clock_of(ledger).move(60)
    assert sequence(ledger).timestamp == first.timestamp + 54


def test_time_never_goes_back(ledger: SmallLedger) -> None:
    """Signed times follow the clock and never decrease, however often a log grows within a second."""
    times = []
    for seconds in (0, 0.3, 0.3, 0.6, -1, 7):
        clock_of(ledger).move(seconds)
        accept(ledger, 1)
        times.append(sequence(ledger).timestamp)
    assert times == sorted(times)
    assert times[-1] - times[0] == 7


def test_heartbeat_signs_the_same_text_later(ledger: SmallLedger) -> None:
    """A heartbeat has the same text and a later time; the first note stays, readers get the newest."""
    assert ledger.sequencer.heartbeat(ledger.log.id) is None
    first = sequence(ledger)
    beat = ledger.sequencer.heartbeat(ledger.log.id)
    assert beat is not None
    assert beat.timestamp == first.timestamp + 1
    clock_of(ledger).move(600)
    again = ledger.sequencer.heartbeat(ledger.log.id)
    assert again is not None
    assert again.timestamp == first.timestamp + 600
    assert parse_note(again.note).text == parse_note(first.note).text
    with ledger.reader.view(ORIGIN) as view:
        assert view.checkpoint().note == again.note
        assert view.checkpoint_at(1).note == first.note
    accept(ledger, 1)
    assert sequence(ledger).size == 2


def test_overdue_logs_are_named(ledger: SmallLedger) -> None:
    """A log is overdue when its newest signature is as old as asked, and not before its first."""
    assert ledger.sequencer.overdue(600) == []
    sequence(ledger)
    clock_of(ledger).move(599)
    assert ledger.sequencer.overdue(600) == []
    clock_of(ledger).move(1)
    assert ledger.sequencer.overdue(600) == [ledger.log.id]
    ledger.sequencer.heartbeat(ledger.log.id)
    assert ledger.sequencer.overdue(600) == []


def test_unfinished_logs_are_named(sqlite_ledger: SmallLedger) -> None:
    """A log is unfinished while something waits for it, and while an intent is unsigned."""
    assert sqlite_ledger.sequencer.unfinished() == {sqlite_ledger.log.id}
    failpoints.arm("log.sign=fail")
    with pytest.raises(StorageFatalError):
        sqlite_ledger.sequencer.sequence(sqlite_ledger.log.id)
    assert sqlite_ledger.sequencer.unfinished() == {sqlite_ledger.log.id}
    with small_ledger(sqlite_ledger.directory, clock=sqlite_ledger.clock) as ledger:
        ledger.sequencer.sequence(ledger.log.id)
        assert ledger.sequencer.unfinished() == set()


TAMPERINGS = {
    "entry": update(log_entries).where(log_entries.c.idx == 2).values(entry=b"{}"),
    "leaf": update(log_entries).where(log_entries.c.idx == 2).values(leaf=bytes(32)),
    "both": update(log_entries).where(log_entries.c.idx == 2).values(entry=b"{}", leaf=leaf_hash(b"{}")),
    "index": update(log_entries).where(log_entries.c.idx == 2).values(idx=9),
    "tile": update(log_tiles).values(hashes=bytes(32 * 4)),
    "short tile": update(log_tiles).values(hashes=bytes(32)),
    "root": update(log_heads).values(intent_root=bytes(32)),
    "old root": update(log_heads).values(root=bytes(32)),
    "size": update(log_heads).values(intent_size=5),
}


@pytest.mark.parametrize("change", sorted(TAMPERINGS))
def test_nothing_is_signed_over_changed_bytes(tmp_path: Path, change: str) -> None:
    """Whatever changes between writing and signing, the change is found and nothing is signed."""
    with small_ledger(tmp_path) as ledger:
        sequence(ledger)
        accept(ledger, 3)
        failpoints.arm("log.sign=fail")
        with pytest.raises(StorageFatalError):
            ledger.sequencer.sequence(ledger.log.id)
    with small_ledger(tmp_path) as ledger:
        with ledger.database.write("log.assign") as conn:
            conn.execute(TAMPERINGS[change])
        with pytest.raises(CorruptLogError):
            ledger.sequencer.sequence(ledger.log.id)
        with ledger.database.read() as conn:
            assert conn.execute(select(checkpoints.c.size)).scalars().all() == [1]


def test_entries_beyond_the_head_stop_the_log(sqlite_ledger: SmallLedger) -> None:
    """Entries that lie beyond the head without an intent are never taken for new ones."""
    sequence(sqlite_ledger)
    accept(sqlite_ledger, 2)
    sequence(sqlite_ledger)
    with sqlite_ledger.database.write("log.assign") as conn:
        conn.execute(update(log_heads).values(size=1))
    accept(sqlite_ledger, 1)
    with pytest.raises(CorruptLogError):
        sqlite_ledger.sequencer.sequence(sqlite_ledger.log.id)
