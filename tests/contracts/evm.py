"""Contracts on py-evm in memory: the embedded chain's machine without its file and its server."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from eth.vm.spoof import SpoofTransaction
from eth_tester import PyEVMBackend
from eth_tester.backends.pyevm.main import get_default_genesis_params
from eth_utils.address import to_checksum_address

from ledger_service.chain.abi import Artifact, load_artifact, parse_artifact
from scripts.compile_contracts import DEPLOYED, compile_sources, read_sources

GAS: Final = 16_000_000
VIEW_GAS: Final = 10_000_000  # A mutant that loops for ever ends here.
BLOCK_TIME_S: Final = 12
GENESIS_TIME_S: Final = 1_800_000_000  # Fixed: a zero byte in a time costs less gas than another.
_HARNESS: Final = "contracts/test/Rfc9162Harness.sol"


class RevertedError(Exception):
    """A call that the contract refused, with the custom error's name and values."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        """Keep what the contract said."""
        super().__init__(name, values)
        self.name = name
        self.values = values


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as `Artifact.decode_event` reads it."""

    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Mined:
    """What a transaction did."""

    gas: int
    time: int
    events: list[tuple[str, dict[str, Any]]]


@dataclass(slots=True)
class Evm:
    """A chain that mines a block for each transaction, twelve seconds apart."""

    vm: Any = None  # a virtual machine class instead of Prague's
    backend: Any = field(init=False)

    def __post_init__(self) -> None:
        """Start from a genesis block with ten funded accounts."""
        self.backend = PyEVMBackend(
            genesis_parameters=get_default_genesis_params({"timestamp": GENESIS_TIME_S}),
            vm_configuration=((0, self.vm),) if self.vm else None,
        )

    @property
    def chain_id(self) -> int:
        """The chain's EIP-155 id."""
        return int(self.backend.chain.chain_id)

    def account(self, number: int) -> str:
        """The address of a funded account."""
        return to_checksum_address(self.backend.account_keys[number].public_key.to_canonical_address())

    def deploy(self, artifact: Artifact, *arguments: object) -> Deployed:
        """A new instance of a contract, or RevertedError out of its constructor."""
        contract = Deployed(self, artifact, b"")
        contract.deployment = contract.transact(artifact.encode_deployment(*arguments), sender=0)
        return contract

    def transact(self, to: bytes, data: bytes, *, sender: int) -> tuple[Any, Any, int]:
        """Mine one transaction; gives py-evm's receipt and computation, and the block's time."""
        chain, key = self.backend.chain, self.backend.account_keys[sender]
        time = chain.get_canonical_head().timestamp + BLOCK_TIME_S
        chain.header = chain.header.copy(timestamp=time)
        nonce = chain.get_vm().state.get_nonce(key.public_key.to_canonical_address())
        unsigned = chain.create_unsigned_transaction(
            nonce=nonce, gas_price=10**10, gas=GAS, to=to, value=0, data=data
        )
        _, receipt, computation = chain.apply_transaction(unsigned.as_signed_transaction(key, chain.chain_id))
        chain.mine_block()
        return receipt, computation, time

    def call(self, to: bytes, data: bytes, *, sender: int = 0) -> Any:
        """Execute without effect; gives py-evm's computation."""
        chain = self.backend.chain
        account = self.backend.account_keys[sender].public_key.to_canonical_address()
        state = chain.get_vm().state
        nonce = state.get_nonce(account)
        unsigned = chain.create_unsigned_transaction(
            nonce=nonce, gas_price=0, gas=VIEW_GAS, to=to, value=0, data=data
        )
        spoofed = SpoofTransaction(unsigned, from_=account)
        message = state.get_transaction_executor().build_evm_message(spoofed)
        snapshot = state.snapshot()
        context = state.get_transaction_context(spoofed)
        computation = state.computation_class.apply_message(state, message, context)
        state.revert(snapshot)
        return computation


@dataclass(slots=True)
class Deployed:
    """One contract on an Evm."""

    evm: Evm
    artifact: Artifact
    address: bytes
    deployment: Mined = field(init=False)

    def view(self, name: str, *arguments: object) -> Any:
        """The result of a view (a tuple if there are several), or RevertedError."""
        computation = self.evm.call(self.address, self.artifact.encode_call(name, *arguments))
        self._raise_revert(computation)
        values = self.artifact.decode_result(name, computation.output)
        return values[0] if len(values) == 1 else values

    def send(self, name: str, *arguments: object, sender: int = 0) -> Mined:
        """Mine a transaction that calls a function, or RevertedError."""
        return self.transact(self.artifact.encode_call(name, *arguments), sender=sender)

    def transact(self, data: bytes, *, sender: int) -> Mined:
        """Mine a transaction with this data; without an address yet it deploys."""
        receipt, computation, time = self.evm.transact(self.address, data, sender=sender)
        self._raise_revert(computation)
        self.address = self.address or computation.msg.storage_address
        return Mined(int(receipt.gas_used), time, [self._decode(log) for log in receipt.logs])

    @property
    def checksum_address(self) -> str:
        """The contract's address as text."""
        return str(to_checksum_address(self.address))

    def code(self) -> bytes:
        """The code that the chain holds for the contract."""
        return bytes(self.evm.backend.chain.get_vm().state.get_code(self.address))

    def _decode(self, log: Any) -> tuple[str, dict[str, Any]]:
        event = Event(tuple(topic.to_bytes(32, "big") for topic in log.topics), log.data)
        names = [name for kind, name in self.artifact.abi if kind == "event"]
        name = next(name for name in names if self.artifact.topic(name) == event.topics[0])
        return name, self.artifact.decode_event(name, event)  # type: ignore[arg-type]

    def _raise_revert(self, computation: Any) -> None:
        if computation.is_success:
            return
        named = self.artifact.decode_error(bytes(computation.output))
        if named is None:
            raise RevertedError(type(computation.error).__name__, {"data": bytes(computation.output)})
        raise RevertedError(*named)


@cache
def artifact(name: str) -> Artifact:
    """A committed contract, or the test harness compiled now; a folder of mutants may stand in for both."""
    folder = os.environ.get("CONTRACT_ARTIFACTS")
    if folder:
        return parse_artifact(json.loads(Path(folder, f"{name}.json").read_text("utf-8")))
    if name in DEPLOYED:
        return load_artifact(name)
    compiled = compile_sources(read_sources(_HARNESS))[name]
    code = {part: compiled["evm"][part]["object"] for part in ("bytecode", "deployedBytecode")}
    return parse_artifact({"contractName": name, "abi": compiled["abi"], **code})
