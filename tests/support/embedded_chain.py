"""The embedded chain for tests: a clock that moves when told to, accounts that sign, and a small contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from eth_account import Account
from eth_keys.datatypes import PrivateKey

from ledger_service.chain.account import contract_address
from ledger_service.chain.embedded.chain import EmbeddedChain
from ledger_service.chain.embedded.genesis import create_chain
from ledger_service.chain.embedded.production import Produced, produce_block
from ledger_service.chain.embedded.store import ChainFile

if TYPE_CHECKING:
    from pathlib import Path

START: Final = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SECRET: Final = bytes.fromhex("11" * 32)
GAS: Final = 200_000
GAS_PRICE: Final = 2 * 10**9

# Called with data, it logs the data under the topics 1 and the caller, stores 1 in the slot of the block's number and
# returns 42. Called without data, it reverts with the error Refused(uint256) and the value 42.
#   CALLDATASIZE PUSH1 17 JUMPI
#   PUSH4 selector PUSH1 e0 SHL PUSH0 MSTORE PUSH1 2a PUSH1 4 MSTORE PUSH1 24 PUSH0 REVERT
#   JUMPDEST CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY CALLER PUSH1 1 CALLDATASIZE PUSH0 LOG2
#   PUSH1 1 NUMBER SSTORE PUSH1 2a PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
REFUSED: Final = bytes.fromhex("590a5151")
PROBE: Final = bytes.fromhex(
    "3660175763590a515160e01b5f52602a60045260245ffd5b365f5f37336001365fa260014355602a5f5260205ff3"
)
PROBE_CREATION: Final = bytes.fromhex(f"60{len(PROBE):02x}600a5f3960{len(PROBE):02x}5ff3") + PROBE


@dataclass
class SettableClock:
    """A clock that stands still until it is told the time."""

    time: datetime = START

    def now(self) -> datetime:
        """What it was told."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Move on, or back."""
        self.time += timedelta(seconds=seconds)


@dataclass
class Sender:
    """One account, which counts its own nonces and signs for one chain."""

    chain_id: int
    secret: bytes = SECRET
    nonce: int = 0

    @property
    def address(self) -> bytes:
        """The account's 20 bytes."""
        return PrivateKey(self.secret).public_key.to_canonical_address()

    def sign(self, *, to: bytes = b"", data: bytes = b"", **changes: Any) -> bytes:
        """A raw transaction with the next nonce, or with other fields where `changes` say so."""
        fields: dict[str, Any] = {
            "type": 2, "chainId": self.chain_id, "nonce": self.nonce, "gas": GAS, "to": to, "value": 0, "data": data,
            "maxFeePerGas": GAS_PRICE, "maxPriorityFeePerGas": 0,
        }  # fmt: skip
        fields |= changes
        if "gasPrice" in fields:
            fields = {k: v for k, v in fields.items() if k not in {"maxFeePerGas", "maxPriorityFeePerGas"}}
        if fields["type"] == 0:
            del fields["type"]
        self.nonce = fields["nonce"] + 1
        return bytes(Account.from_key(self.secret).sign_transaction(fields).raw_transaction)


@dataclass
class ChainBench:
    """A chain without miner and server: blocks are made by hand."""

    file: ChainFile
    chain: EmbeddedChain
    clock: SettableClock
    sender: Sender
    made: list[Produced] = field(default_factory=list)

    @classmethod
    def create(cls, path: Path, *, chain_id: int | None = None) -> Self:
        """A new chain that gives its money to SECRET's address."""
        clock = SettableClock()
        file = ChainFile.open(path)
        funded = PrivateKey(SECRET).public_key.to_canonical_address()
        identity = create_chain(file, funded=funded, now=clock.now(), chain_id=chain_id)
        return cls(file, EmbeddedChain(file), clock, Sender(identity.chain_id))

    def decode(self, raw: bytes) -> Any:
        """py-evm's transaction."""
        return self.chain.vm_class.get_transaction_builder().decode(raw)

    def mine(self, *raws: bytes) -> Produced:
        """One block a second later with these transactions."""
        self.clock.advance(1)
        transactions = [self.decode(raw) for raw in raws]
        produced = produce_block(self.chain, transactions, timestamp=int(self.clock.now().timestamp()))
        self.made.append(produced)
        return produced

    def deploy_probe(self) -> bytes:
        """The address of a new PROBE."""
        (tx_hash,) = self.mine(self.sender.sign(data=PROBE_CREATION)).included
        found = self.chain.receipt(tx_hash)
        assert found is not None
        assert found.receipt.state_root == b"\x01"
        return contract_address(self.sender.address, found.mined.transaction.nonce)
