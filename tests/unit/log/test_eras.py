"""The keys of a log over time: no checkpoint between two eras, and none signed by keys that were replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Never, cast

import pytest
from sqlalchemy import select, update

from ledger_service.errors import KeyFileError, NotSequencedError, SignatureError, StorageFatalError
from ledger_service.log.acceptances import AcceptanceSigner
from ledger_service.log.auditor import audit
from ledger_service.log.eras import EraKeys, KeyEra, begin_era, current_era
from ledger_service.log.sequencer import Sequencer
from ledger_service.log.signers import Ed25519Signer, MlDsa44Signer, sign_checkpoint
from ledger_service.log.tables import checkpoints
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.checkpoint import Checkpoint, check_signature
from ledger_service.proofs.note import parse_note
from ledger_service.storage import failpoints
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.verification.status import StatusSigner
from tests.support.small_ledger import KEK, ORIGIN, SetClock, SmallLedger, small_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.log.directory import LogRow
    from ledger_service.log.findings import AuditReport
    from ledger_service.log.sequencer import Sequenced


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


def keys_of(ledger: SmallLedger, era: int) -> EraKeys:
    """The public keys of an era, made now if there are none."""
    keys = SigningKeyFiles(ledger.directory / "keys", KEK).open_log_keys(ORIGIN, era)
    return EraKeys(
        (
            Ed25519Signer(ORIGIN, keys.head_ed25519.ed25519()).vkey,
            MlDsa44Signer(ORIGIN, keys.head_ml_dsa_44.ml_dsa_44()).vkey,
        ),
        StatusSigner(ORIGIN, keys.status.ed25519()).vkey,
        AcceptanceSigner(ORIGIN, keys.acceptance.ed25519(), max_delay_s=60).vkey,
    )


def rotate(ledger: SmallLedger, *, leaked: bool = False) -> int | None:
    """Let the next keys sign."""
    era = current_era(ledger.database, ORIGIN)
    before, after = keys_of(ledger, era), keys_of(ledger, era + 1)
    return begin_era(
        ledger.database, ledger.log.id, before=before, after=after, leaked=leaked, clock=ledger.clock
    )


def refuse(_origin: str, _era: int) -> Never:
    """Have no keys."""
    raise KeyFileError


def grow(ledger: SmallLedger, count: int = 1) -> Sequenced:
    """Record some purchases and sign a checkpoint over them."""
    ledger.intake.accept([ledger.submission() for _ in range(count)])
    step = ledger.sequencer.sequence(ledger.log.id)
    assert step is not None
    return step


def log_of(ledger: SmallLedger) -> LogRow:
    """The log as it is stored now."""
    (found,) = ledger.reader.logs()
    return found


def report_of(ledger: SmallLedger) -> AuditReport:
    """An audit of everything."""
    return audit(ledger.database, keyring=ledger.keyring, kinds=[PURCHASE])


def test_new_keys_sign_from_the_size_on_at_which_they_begin(ledger: SmallLedger) -> None:
    """What was signed stays as it is; what comes after is signed by the new keys, by them alone."""
    old = parse_note(grow(ledger, 3).note)
    assert rotate(ledger) == 4
    new = parse_note(grow(ledger, 2).note)
    before, after = (keys_of(ledger, era).vkeys for era in (0, 1))
    for key, other in zip(before, after, strict=True):
        check_signature(old, key)
        check_signature(new, other)
        with pytest.raises(SignatureError):
            check_signature(new, key)
    eras = log_of(ledger).eras
    assert [(each.number, each.from_size, each.to_size) for each in eras] == [(0, 0, 4), (1, 4, None)]
    assert [each.vkeys for each in eras] == [before, after]
    assert eras[0].began == ledger.log.created
    assert report_of(ledger).clean


def test_a_log_that_was_never_rotated_has_one_era(sqlite_ledger: SmallLedger) -> None:
    """Its keys are those of its opening, whatever the size."""
    ledger = sqlite_ledger
    log = log_of(ledger)
    assert log.eras == (KeyEra(0, log.era.from_size, None, ledger.log.vkeys, ledger.log.created),)
    assert current_era(ledger.database, ORIGIN) == 0


def test_heartbeats_of_both_eras_at_one_size_are_clean(sqlite_ledger: SmallLedger) -> None:
    """The size at which keys change may be signed again by the new ones; receipts keep the first signature."""
    ledger = sqlite_ledger
    clock = cast("SetClock", ledger.clock)
    first = grow(ledger).note
    for _ in range(3):
        assert rotate(ledger) == 2
        clock.move(60)
        again = ledger.sequencer.heartbeat(ledger.log.id)
        assert again is not None
        check_signature(parse_note(again.note), log_of(ledger).era.vkeys[0])
    with ledger.reader.view(ORIGIN) as view:
        assert view.checkpoint_at(2).note == first
    assert [(each.from_size, each.to_size) for each in log_of(ledger).eras] == [
        (0, 2), (2, 2), (2, 2), (2, None),
    ]  # fmt: skip
    assert report_of(ledger).clean


def test_nothing_changes_while_a_checkpoint_is_being_signed(ledger: SmallLedger) -> None:
    """Between intent and signature the keys stay; afterwards they can be replaced."""
    grow(ledger)
    ledger.intake.accept([ledger.submission()])
    broken = Sequencer(ledger.database, signers_of=refuse, clock=ledger.clock)
    with pytest.raises(KeyFileError):
        broken.sequence(ledger.log.id)
    assert rotate(ledger) is None
    assert log_of(ledger).rotated == ()
    ledger.sequencer.forget()
    assert ledger.sequencer.recover(ledger.log.id) is not None
    assert rotate(ledger) == 3
    assert report_of(ledger).clean


def test_an_unsigned_log_keeps_its_keys(sqlite_ledger: SmallLedger) -> None:
    """Before the opening is signed there is nothing at which an era could end."""
    ledger = sqlite_ledger
    with pytest.raises(NotSequencedError):
        rotate(ledger)


@pytest.mark.parametrize(("action", "done"), [("fail", False), ("fail-done", True)])
def test_a_rotation_happens_or_does_not(tmp_path: Path, action: str, *, done: bool) -> None:
    """It is one transaction: after a fault the log has the old keys or the new ones, and can go on."""
    with small_ledger(tmp_path, clock=SetClock()) as ledger:
        grow(ledger)
        failpoints.arm(f"log.rotate={action}")
        with pytest.raises(StorageFatalError):
            rotate(ledger, leaked=True)
    with small_ledger(tmp_path, clock=SetClock()) as ledger:
        assert len(log_of(ledger).eras) == 1 + done
        grow(ledger)
        assert rotate(ledger) == 3
        grow(ledger)
        assert report_of(ledger).clean


def test_leaked_keys_are_marked(sqlite_ledger: SmallLedger) -> None:
    """Which keys are in other hands is kept with them, and only with them."""
    ledger = sqlite_ledger
    grow(ledger)
    rotate(ledger)
    rotate(ledger, leaked=True)
    assert [era.leaked for era in log_of(ledger).eras] == [False, True, False]


def test_the_auditor_finds_old_keys_beyond_their_size(sqlite_ledger: SmallLedger) -> None:
    """A checkpoint that replaced keys signed above their last size is a finding, line by line."""
    ledger = sqlite_ledger
    grow(ledger)
    rotate(ledger)
    step = grow(ledger)
    keys = SigningKeyFiles(ledger.directory / "keys", KEK).log_keys(ORIGIN, 0)
    signers = (
        Ed25519Signer(ORIGIN, keys.head_ed25519.ed25519()),
        MlDsa44Signer(ORIGIN, keys.head_ml_dsa_44.ml_dsa_44()),
    )
    forged = sign_checkpoint(
        Checkpoint(ORIGIN, step.size, step.root), timestamp=step.timestamp, signers=signers
    )
    with ledger.database.write("log.sign") as conn:
        assert conn.execute(select(checkpoints.c.size)).scalars().all() == [2, 3]
        conn.execute(update(checkpoints).where(checkpoints.c.size == 3).values(note=forged))
    assert [each.code for each in report_of(ledger).findings] == ["checkpoint_signature"] * 2
