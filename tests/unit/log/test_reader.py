"""Reading a log."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from ledger_service.errors import (
    ConsistencyError,
    CorruptLogError,
    InclusionError,
    NotSequencedError,
    StorageFatalError,
    TileMissingError,
    UnknownCheckpointError,
    UnknownEntryError,
    UnknownLogError,
)
from ledger_service.log.tables import checkpoints, log_entries, log_tiles
from ledger_service.proofs.checkpoint import parse_checkpoint
from ledger_service.proofs.merkle import check_consistency, check_inclusion, leaf_hash, tree_root_of
from ledger_service.proofs.note import parse_note
from ledger_service.proofs.tile import parse_bundle
from ledger_service.proofs.types import LeafIndex, RootHash, TreeSize
from ledger_service.records.outcomes import Accepted
from ledger_service.storage import failpoints
from tests.support.small_ledger import ORIGIN

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from ledger_service.log.reader import LogView
    from tests.support.small_ledger import SmallLedger


def grow(ledger: SmallLedger, *counts: int) -> None:
    """Sequence the opening, then that many records in steps."""
    ledger.sequencer.sequence(ledger.log.id)
    for count in counts:
        ledger.intake.accept([ledger.submission() for _ in range(count)])
        ledger.sequencer.sequence(ledger.log.id)


def leaves_of(view: LogView) -> Sequence[bytes]:
    """The hashes of all published entries."""
    return [leaf_hash(view.entry(index)) for index in range(view.size)]


def test_every_proof_checks(ledger: SmallLedger, rng: random.Random) -> None:
    """Proofs of any entry at any size, and between any sizes, check against roots made from the entries."""
    grow(ledger, 3, 260, 40)
    with ledger.reader.view(ORIGIN) as view:
        leaves = leaves_of(view)
        roots = {size: tree_root_of(leaves[:size]) for size in range(view.size + 1)}
        for _ in range(60):
            size = TreeSize(rng.randint(1, view.size))
            index = LeafIndex(rng.randrange(size))
            proof = view.prove_inclusion(index, size)
            check_inclusion(
                leaf_hash(view.entry(index)), index=index, size=size, root=roots[size], proof=proof
            )
            first = TreeSize(rng.randint(0, size))
            steps = view.prove_consistency(first, size)
            check_consistency(
                first=first,
                second=size,
                first_root=roots[first],
                second_root=RootHash(roots[size]),
                proof=steps,
            )


def test_checkpoints_are_found(ledger: SmallLedger) -> None:
    """The newest checkpoint, that of a size, and the first over an entry are found."""
    grow(ledger, 2, 3)
    with ledger.reader.view(ORIGIN) as view:
        assert view.checkpoint().size == 6
        assert parse_checkpoint(parse_note(view.checkpoint_at(3).note).text).size == 3
        covering = [view.first_checkpoint_covering(index).size for index in range(6)]
        assert covering == [1, 3, 3, 6, 6, 6]
        assert view.root_at(3) == view.checkpoint_at(3).root
        with pytest.raises(UnknownCheckpointError):
            view.checkpoint_at(2)
        for index in (-1, 6):
            with pytest.raises(UnknownEntryError):
                view.first_checkpoint_covering(index)


def test_the_time_of_a_checkpoint_is_the_one_that_was_signed(ledger: SmallLedger) -> None:
    """A column beside the note changes no statement; a note that does not say when it was signed makes none."""
    grow(ledger, 2)
    with ledger.reader.view(ORIGIN) as view:
        signed = view.checkpoint_at(3).timestamp
    assert abs(signed - ledger.clock.now().timestamp()) < 3_600
    with ledger.database.write("log.assign") as conn:
        conn.execute(update(checkpoints).values(timestamp=checkpoints.c.timestamp + 1_000))
    with ledger.reader.view(ORIGIN) as view:
        assert view.checkpoint_at(3).timestamp == signed
        first = view.checkpoint_at(1).note
    line = first.split(b"\n")[5]
    for changed in (b"nothing", first.replace(line + b"\n", b""), first + line + b"\n"):
        with ledger.database.write("log.assign") as conn:
            conn.execute(update(checkpoints).values(note=changed))
        with ledger.reader.view(ORIGIN) as view, pytest.raises(CorruptLogError):
            _ = view.checkpoint_at(3).timestamp


def test_tiles_and_bundles_are_sliced(ledger: SmallLedger) -> None:
    """A tile of any published width is the beginning of the stored one; a bundle holds the entries below."""
    grow(ledger, 300)
    with ledger.reader.view(ORIGIN) as view:
        leaves = leaves_of(view)
        for index, width in ((0, 1), (0, 255), (0, 256), (1, 1), (1, 45)):
            first = index * 256
            assert view.read_tile(0, index, width) == b"".join(leaves[first : first + width])
            bundle = parse_bundle(view.bundle(index, width))
            assert [leaf_hash(entry) for entry in bundle] == list(leaves[first : first + width])
        assert view.read_tile(1, 0, 1) == tree_root_of(leaves[:256])


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(0, 0, 0), (0, 0, 257), (0, 1, 46), (0, 2, 1), (1, 0, 2), (2, 0, 1), (63, 0, 1)],
)
def test_unpublished_tiles_are_missing(ledger: SmallLedger, level: int, index: int, width: int) -> None:
    """A tile or a width beyond the published tree is missing."""
    grow(ledger, 300)
    with ledger.reader.view(ORIGIN) as view:
        with pytest.raises(TileMissingError):
            view.read_tile(level, index, width)
        if level == 0:
            with pytest.raises(TileMissingError):
                view.bundle(index, width)


def test_unsigned_entries_do_not_exist(sqlite_ledger: SmallLedger) -> None:
    """What has an index and no signed checkpoint is not shown, by index, record, tile or proof."""
    ledger = sqlite_ledger
    grow(ledger)
    (made,) = ledger.intake.accept([ledger.submission()])
    assert isinstance(made, Accepted)
    failpoints.arm("log.sign=fail")
    with pytest.raises(StorageFatalError):
        ledger.sequencer.sequence(ledger.log.id)
    failpoints.disarm()
    with ledger.reader.view_number(ledger.log.id) as view:
        assert view.size == 1
        with pytest.raises(NotSequencedError):
            view.index_of(made.record)
        for ask in (view.entry, lambda index: view.prove_inclusion(index, 2), view.first_checkpoint_covering):
            with pytest.raises(UnknownEntryError):
                ask(1)
        with pytest.raises(UnknownCheckpointError):
            view.prove_consistency(1, 2)
        with pytest.raises(TileMissingError):
            view.read_tile(0, 0, 2)


def test_log_without_a_checkpoint(ledger: SmallLedger) -> None:
    """Before its first checkpoint a log is empty, and says so."""
    with ledger.reader.view(ORIGIN) as view:
        assert view.size == 0
        with pytest.raises(UnknownCheckpointError):
            view.checkpoint()
        assert view.prove_consistency(0, 0) == ()
    with pytest.raises(UnknownLogError), ledger.reader.view("ledger.test/logs/other"):
        pass


def test_proofs_over_changed_bytes_do_not_leave(ledger: SmallLedger) -> None:
    """When an entry or a tile was changed, asking for a proof or a bundle over it fails instead."""
    grow(ledger, 5)
    with ledger.database.write("log.assign") as conn:
        conn.execute(update(log_entries).where(log_entries.c.idx == 2).values(entry=b"{}"))
    with ledger.reader.view(ORIGIN) as view:
        with pytest.raises(InclusionError):
            view.prove_inclusion(2, 6)
        with pytest.raises(TileMissingError):
            view.bundle(0, 6)
        assert view.prove_inclusion(3, 6)
    with ledger.database.write("log.assign") as conn:
        conn.execute(update(log_tiles).values(hashes=bytes(32 * 6)))
    with ledger.reader.view(ORIGIN) as view:
        with pytest.raises(InclusionError):
            view.prove_inclusion(3, 6)
        with pytest.raises(ConsistencyError):
            view.prove_consistency(1, 6)


def test_snapshots_hold_while_the_log_grows(ledger: SmallLedger) -> None:
    """Readers that prove everything they read never fail while the log grows beside them."""
    grow(ledger, 1)
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                with ledger.reader.view(ORIGIN) as view:
                    point = view.checkpoint()
                    assert point.size == view.size
                    view.prove_inclusion(point.size - 1, point.size)
                    view.prove_consistency(max(1, point.size - 7), point.size)
                    assert point.root == tree_root_of(leaves_of(view))
        except BaseException as error:  # noqa: BLE001  a thread's failure must fail the test
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(25):
        ledger.intake.accept([ledger.submission(), ledger.submission()])
        ledger.sequencer.sequence(ledger.log.id)
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
