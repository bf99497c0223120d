"""A failpoint does what it was told, once, and costs nothing when nothing is armed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ledger_service.errors import InjectedFaultError, SettingsError
from ledger_service.storage import failpoints

ROOT = Path(__file__).parents[3]


def test_nothing_armed_does_nothing() -> None:
    """A step passes when nothing, or another step, is armed."""
    failpoints.arm("log.sign=fail")
    done = []
    with failpoints.step("log.assign"):
        done.append(1)
    assert done == [1]


@pytest.mark.parametrize(("action", "happened"), [("fail", False), ("fail-done", True)])
def test_failing_step_is_undone_or_done_as_told(action: str, *, happened: bool) -> None:
    """`fail` raises before the step, `fail-done` after it; both say which."""
    failpoints.arm(f"log.sign={action}")
    done = []
    with pytest.raises(InjectedFaultError) as caught, failpoints.step("log.sign"):
        done.append(1)
    assert (done == [1]) is happened
    assert caught.value.details == {"failpoint": "log.sign", "done": happened}


def test_nth_passage_fires_once() -> None:
    """With `:3` the third passage fails, and neither those before nor those after."""
    failpoints.arm("log.sign=fail:3")
    outcomes = []
    for _ in range(5):
        try:
            with failpoints.step("log.sign"):
                outcomes.append("done")
        except InjectedFaultError:
            outcomes.append("failed")
    assert outcomes == ["done", "done", "failed", "done", "done"]


def test_many_threads_meet_one_fault() -> None:
    """Of many threads passing at once, exactly one meets the fault."""
    failpoints.arm("log.sign=fail-done:50")
    faults = []

    def pass_often() -> None:
        for _ in range(25):
            try:
                with failpoints.step("log.sign"):
                    pass
            except InjectedFaultError as error:
                faults.append(error)

    threads = [threading.Thread(target=pass_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(faults) == 1


def test_an_error_of_the_step_itself_wins() -> None:
    """A step that fails by itself raises its own error, not the injected one."""
    failpoints.arm("log.sign=fail-done")
    with pytest.raises(ZeroDivisionError), failpoints.step("log.sign"):
        _ = 1 // 0


@pytest.mark.parametrize(("action", "shown"), [("kill-before", ""), ("kill-after", "done")])
def test_killed_step_is_undone_or_done_as_told(action: str, shown: str) -> None:
    """`kill-before` dies by SIGKILL before the step, `kill-after` after it."""
    script = (
        "from ledger_service.storage import failpoints\n"
        f"failpoints.arm('log.sign={action}')\n"
        "with failpoints.step('log.sign'):\n"
        "    print('done', end='', flush=True)\n"
        "print('alive', flush=True)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == -signal.SIGKILL
    assert ran.stdout == shown


@pytest.mark.parametrize(
    "text",
    ["log.sing=fail", "log.sign", "log.sign=explode", "log.sign=fail:0", "log.sign=fail:x", "log.sign=fail:"],
)
def test_nonsense_is_refused(text: str) -> None:
    """A name, an action or a number that does not exist is refused, with the names and actions that do."""
    with pytest.raises(SettingsError):
        failpoints.arm(text)


def test_several_are_armed_at_once() -> None:
    """A list separated by commas arms each, and disarming ends all."""
    failpoints.arm(" log.sign=fail, log.assign=fail ,")
    with pytest.raises(InjectedFaultError), failpoints.step("log.assign"):
        raise AssertionError("the step must not run")
    failpoints.disarm()
    with failpoints.step("log.sign") as nothing:
        assert nothing is None


def test_every_name_has_a_sentence() -> None:
    """Each failpoint says in one sentence what becomes durable there."""
    assert all(sentence.endswith(".") and len(sentence) > 20 for sentence in failpoints.NAMES.values())
    assert list(failpoints.NAMES) == sorted(failpoints.NAMES)
