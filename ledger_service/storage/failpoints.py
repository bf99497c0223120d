"""Named places where a test may kill the process or fail a step, at each durable step of a record's path.

A step either happens or it does not, and the caller either hears of it or it does not. Both pairs can be
asked for:

- `kill-before`: the process dies by SIGKILL just before the step;
- `kill-after`: it dies just after the step;
- `fail`: the step is not done and InjectedFaultError is raised;
- `fail-done`: the step is done and InjectedFaultError is raised all the same.

Armed from the setting `AUDIT_LEDGER_FAILPOINTS`, for example `records.accept=kill-after:3,log.sign=fail`.
With nothing armed, passing a failpoint costs one dictionary look-up.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

from ledger_service.errors import InjectedFaultError, SettingsError

NAMES: Final[dict[str, str]] = {
    "accounts.write": "An organization, an API key or a session is stored.",
    "audit.record": "The signed report of an audit is stored.",
    "chain.block": "The embedded chain stores a block and its head pointer, in one transaction.",
    "chain.broadcast": "A stored raw transaction is sent to the node.",
    "chain.guard": "The guard file, which tells how far each log was published, gets its new contents.",
    "chain.name-publisher": "The account that publishes next is noted.",
    "chain.observe": "What the chain says about a transaction is stored.",
    "chain.pin": "Chain id, genesis hash and code hash are stored on first use.",
    "chain.plan": "The nonce and the raw signed transaction of an anchor are stored, before it is sent.",
    "chain.switch-publisher": "The next account publishes from now on.",
    "log.assign": "Indexes, entries, tiles and the intended checkpoint are stored, if nobody moved the head.",
    "log.lease": "A process takes, keeps or gives back the lease to sequence and to anchor.",
    "log.open": "A log and its opening entry are stored.",
    "log.rotate": "Other keys sign a log from its present size on.",
    "log.sign": "The signed checkpoint is stored and becomes the log's head.",
    "records.accept": "Records, sealed payloads, idempotency and outbox rows are stored: accepted.",
    "records.erase": "A subject's contents are destroyed and the erasure's entries accepted, in one transaction.",
    "records.keys": "Keys of data subjects are stored, before the records of a bulk request are prepared.",
    "storage.migrate": "The schema is brought to the newest revision.",
    "vault.erasure-order": "An erasure is noted in the register outside the database, before it is committed.",
    "vault.kek-destroy": "The file of an old key-encryption key loses its name; then it is overwritten.",
    "vault.key-file": "A key file gets its final name.",
    "vault.retire": "An old key-encryption key was destroyed while no key could be made.",
    "vault.rewrap": "A batch of keys is stored wrapped under the newest key-encryption key.",
    "vault.rewrap-file": "A signing key's file is replaced by one sealed under the newest key-encryption key.",
    "webhooks.claim": "An event is claimed for an attempt, before it is sent.",
    "webhooks.collect": "Events about what became final are stored, and up to where each endpoint was told.",
    "webhooks.forget": "Old events are deleted.",
    "webhooks.register": "An endpoint is stored with its sealed secret.",
    "webhooks.remove": "An endpoint, its secret and its events are deleted.",
    "webhooks.settle": "What became of an attempt to deliver is stored.",
}
"""Every failpoint in the code and what happens there. A test compares this list with the code."""

ACTIONS: Final = ("kill-before", "kill-after", "fail", "fail-done")


class _Idle:
    """The step of a failpoint that is not armed."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


class _Passage:
    """The one passage of an armed failpoint at which its action is due."""

    __slots__ = ("_action", "_name")

    def __init__(self, name: str, action: str) -> None:
        self._name = name
        self._action = action

    def __enter__(self) -> None:
        if self._action == "kill-before":
            _die()
        if self._action == "fail":
            raise InjectedFaultError(failpoint=self._name, done=False)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        if self._action == "kill-after":
            _die()
        raise InjectedFaultError(failpoint=self._name, done=True)


class _Arm:
    """One armed action. It fires once, at the nth passage of its failpoint."""

    __slots__ = ("action", "left", "lock", "name")

    def __init__(self, name: str, action: str, nth: int) -> None:
        self.name = name
        self.action = action
        self.left = nth
        self.lock = threading.Lock()

    def pass_once(self) -> _Idle | _Passage:
        with self.lock:
            self.left -= 1
            return _Passage(self.name, self.action) if self.left == 0 else _IDLE


_IDLE: Final = _Idle()
_armed: dict[str, _Arm] = {}


def step(name: str) -> _Idle | _Passage:
    """Return the context manager to wrap around the one call that makes the named step durable."""
    armed = _armed.get(name)
    return _IDLE if armed is None else armed.pass_once()


def arm(text: str) -> None:
    """Arm what `text` says, `name=action[:nth]` separated by commas, besides what is armed already.

    Raises SettingsError when a name or an action does not exist, or nth is not a positive number.
    """
    arms = [_parse_arm(item.strip()) for item in text.split(",") if item.strip()]
    _armed.update((each.name, each) for each in arms)


def disarm() -> None:
    """Disarm everything."""
    _armed.clear()


def _parse_arm(item: str) -> _Arm:
    name, equals, rest = item.partition("=")
    action, colon, count = rest.partition(":")
    if not equals or name not in NAMES or action not in ACTIONS:
        raise SettingsError(
            f"{item!r} is not a failpoint: write name=action[:nth].", names=sorted(NAMES), actions=ACTIONS
        )
    if colon and not (count.isascii() and count.isdigit() and int(count) > 0):
        raise SettingsError(f"{item!r} needs a positive number after the colon.")
    return _Arm(name, action, int(count) if colon else 1)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
