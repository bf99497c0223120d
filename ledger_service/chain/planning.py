"""What to ask of the chain next, given what it holds now. Nothing here is sent or stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from ledger_service.chain.account import Call
from ledger_service.chain.actions import ROTATE, STATUS, Request
from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.anchor_store import PlannedAnchor
from ledger_service.chain.contract import SignedHead
from ledger_service.chain.head_signer import Eip712Signer, compact_line, key_address
from ledger_service.errors import (
    ChainRefusedError,
    ContractRevertedError,
    KeyFileError,
    KeyUnavailableError,
    PolicyError,
)
from ledger_service.proofs.note import parse_note

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.account import Fees
    from ledger_service.chain.anchor_store import AnchorStore
    from ledger_service.chain.contract import CheckpointLogContract, Head
    from ledger_service.chain.pins import ChainPins, PinnedChain
    from ledger_service.chain.sending import Sender
    from ledger_service.chain.source import LogHead, ProofSource, SignedCheckpoint
    from ledger_service.chain.watch import Findings

FILL_GAS: Final = 21_000
HeadSigners: TypeAlias = Callable[[str, int], Eip712Signer]
"""The signer of a log's head key, by the log's origin and the era; raises KeyFileError, KeyUnavailableError."""
# How the contract refuses a change that it will never take; any other refusal may pass with a later block.
_FINAL_REFUSALS: Final = frozenset({"ChangeNotAllowed", "ExplanationNotLater", "RetiredLog"})


class Planner:
    """Makes requests for one look, as many as there is room for. `fees` are the same for all of them."""

    __slots__ = ("_fees", "_room", "_sender", "refused", "requests")

    def __init__(self, sender: Sender, *, fees: Fees, room: int) -> None:
        """Estimate gas through `sender`; take at most `room` requests."""
        self._sender = sender
        self._fees = fees
        self._room = room
        self.requests: list[Request] = []
        # Whether something was due and could not be asked for.
        self.refused = False

    @property
    def room(self) -> int:
        """How many more requests are taken."""
        return self._room - len(self.requests)

    def deploy(
        self, artifact: Artifact, call: Call, *, chain: PinnedChain, pins: ChainPins, account: bytes
    ) -> None:
        """Ask for a contract by the call that deploys it from our account."""
        gas = self._gas(call, subject=artifact.name)
        if gas is not None:
            also = pins.plan_contract(chain, artifact.name, creator=account)
            self.requests.append(Request("deploy", call, gas=gas, fees=self._fees, also=also))

    def open_logs(
        self, contract: CheckpointLogContract, logs: Iterable[LogHead], *, source: ProofSource, account: bytes
    ) -> None:
        """Ask for logs to be opened, with our account as the publisher."""
        for log in logs:
            head_key = key_address(source.signed(log.log).head_key)
            call = contract.open_log(log.origin, publisher=account, head_key=head_key)
            gas = self._gas(call, subject=log.origin)
            if gas is not None:
                self.requests.append(Request("open", call, gas=gas, fees=self._fees, log=log.log))

    def rotate(
        self,
        contract: CheckpointLogContract,
        *,
        chain_id: int,
        findings: Findings,
        heads: Mapping[int, LogHead],
        busy: Container[int],
        source: ProofSource,
        signers: HeadSigners,
        publisher: bytes,
    ) -> None:
        """Ask for the next head key of each log that has the last head of the one before, and for `publisher`.

        What the key before signed is brought first. A key that cannot be had is an alarm.
        """
        for log, accepted in sorted(findings.accepted.items()):
            state, head = findings.states[log], heads[log]
            if log in busy or (head.era == 0 and state.publisher == publisher):
                continue
            try:
                signed = source.signed(log, head_key=state.head_key)
                last = signed.next_key is not None and signed.head.size <= accepted.size
                head_key = key_address(signed.next_key) if signed.next_key and last else state.head_key
                if (publisher, head_key) == (state.publisher, state.head_key):
                    continue
                signature = signers(head.origin, signed.era).sign_rotation(
                    chain_id=chain_id,
                    contract=contract.address,
                    log_id=findings.log_ids[log],
                    size=accepted.size,
                    publisher=publisher,
                    head_key=head_key,
                )
            except (PolicyError, KeyFileError, KeyUnavailableError) as error:
                self._sender.alarm(AlarmCode.ROTATION_REFUSED, head.origin, error.text)
                self.refused = True
                continue
            call = contract.rotate(
                findings.log_ids[log], publisher=publisher, head_key=head_key, signed=signature
            )
            gas = self._gas(call, subject=head.origin)
            if gas is not None:
                self.requests.append(Request(ROTATE, call, gas=gas, fees=self._fees, log=log))

    def publish(
        self,
        contract: CheckpointLogContract,
        *,
        row: int,
        findings: Findings,
        heads: Mapping[int, LogHead],
        resting: Container[int],
        source: ProofSource,
        store: AnchorStore,
    ) -> None:
        """Ask for the newest checkpoint of each log whose accepted head is older and that is not resting.

        However many checkpoints were missed, one anchor covers them all.
        """
        for log, accepted in sorted(findings.accepted.items()):
            if log in resting or heads[log].size <= accepted.size:
                continue
            try:
                signed = source.signed(log, head_key=findings.states[log].head_key)
            except PolicyError as error:
                self._sender.alarm(AlarmCode.PUBLISH_REFUSED, heads[log].origin, error.text)
                continue
            if signed.head.size <= accepted.size:
                # The contract has the last head of this key, and waits for the next key.
                continue
            call = publish_call(contract, findings.log_ids[log], signed, source=source, accepted=accepted)
            gas = self._gas(call, subject=heads[log].origin)
            if gas is not None:
                anchor = PlannedAnchor(row, log, signed.head.size, signed.head.root)
                also = store.plan(anchor)
                self.requests.append(
                    Request("publish", call, gas=gas, fees=self._fees, log=log, size=anchor.size, also=also)
                )

    def change_state(
        self, contract: CheckpointLogContract, call: Call, *, log: LogHead, explanation: int
    ) -> str | None:
        """Ask for a change of a record's status; return the contract's words if it refuses for good.

        A refusal that may pass is an alarm; the change is asked for again at the next look.
        """
        try:
            gas = self._sender.estimate(call)
        except ChainRefusedError as error:
            self._sender.alarm(AlarmCode.STATUS_REFUSED, log.origin, error.text)
        except ContractRevertedError as error:
            named = contract.name_revert(error)
            if named.details["name"] in _FINAL_REFUSALS:
                return named.text
            self._sender.alarm(AlarmCode.STATUS_REFUSED, log.origin, named.text)
        else:
            self.requests.append(
                Request(STATUS, call, gas=gas, fees=self._fees, log=log.log, size=explanation)
            )
        return None

    def fill(self, count: int, *, account: bytes) -> None:
        """Ask for `count` transfers of nothing to ourselves, so that what has a later nonce can move."""
        for _ in range(count):
            self.requests.append(Request("fill", Call(account, b""), gas=FILL_GAS, fees=self._fees))

    def ask(self, kind: str, call: Call, *, subject: str) -> None:
        """Ask for a call that belongs to no log."""
        gas = self._gas(call, subject=subject)
        if gas is not None:
            self.requests.append(Request(kind, call, gas=gas, fees=self._fees))

    def _gas(self, call: Call, *, subject: str) -> int | None:
        gas = None if self.room <= 0 else self._sender.gas_for(call, subject=subject)
        self.refused = self.refused or gas is None
        return gas


def publish_call(
    contract: CheckpointLogContract,
    log_id: bytes,
    signed: SignedCheckpoint,
    *,
    source: ProofSource,
    accepted: Head,
) -> Call:
    """Return the call that brings a checkpoint to a contract whose newest head is `accepted`."""
    line = compact_line(parse_note(signed.note), signed.head_key)
    path = (
        source.prove_consistency(signed.head.log, accepted.size, signed.head.size)
        if accepted.size > 0
        else ()
    )
    offered = SignedHead(signed.head.size, signed.head.root, line.r, line.vs)
    return contract.publish(log_id, accepted=accepted, offered=offered, path=path)
