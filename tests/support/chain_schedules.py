"""Random schedules of everything that can happen to an anchorer on a real node, from one seed."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger_service.chain.account import Call, Fees
from ledger_service.errors import ChainError
from tests.support.anchoring import AnchoringRig
from tests.support.fault_proxy import Fault, FaultProxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.anvil import Anvil

CONFIRMATIONS: Final = 4
QUIET_BLOCKS: Final = 20
_METHODS: Final = (
    "eth_sendRawTransaction", "eth_getBlockByNumber", "eth_call", "eth_getLogs", "eth_getTransactionReceipt",
    "eth_getTransactionCount", "eth_estimateGas",
)  # fmt: skip


@dataclass
class Schedule:
    """One run. `deep` allows reorganizations below the confirmations, which dispute final anchors."""

    seed: int
    anvil: Anvil
    proxy: FaultProxy
    folder: Path
    deep: bool = False
    told: list[str] = field(default_factory=list)
    disputed: bool = False

    def __post_init__(self) -> None:
        """Draw from the seed alone."""
        self.rng = random.Random(self.seed)
        self.rig = AnchoringRig.create(
            self.proxy.url,
            self.folder,
            confirmations=CONFIRMATIONS,
            replace_after_blocks=self.rng.choice([2, 5]),
            timeout_s=5.0,
        )

    def run(self, events: int) -> None:
        """Let that many things happen, check after each, then wait for quiet and check all."""
        happenings = {
            "grow": (5, self._grow), "step": (12, self._step), "mine": (5, self._mine),
            "mining": (2, self._mining), "reorg": (3, self._reorganize), "drop": (2, self._drop),
            "fault": (3, self._fault), "restart": (1, self._restart), "spike": (1, self._spike),
            "stranger": (1, self._use_key_elsewhere),
        }  # fmt: skip
        names = list(happenings)
        for _ in range(events):
            (name,) = self.rng.choices(names, weights=[happenings[name][0] for name in names])
            self.told.append(name)
            happenings[name][1]()
        self._wait_for_quiet()
        self._check_end()
        self.rig.close()

    def _step(self) -> None:
        with suppress(ChainError):
            self.rig.step()
            self._check_standing()

    def _grow(self) -> None:
        self.rig.paper.grow(self.rng.randint(1, 40))

    def _mine(self) -> None:
        self.anvil.mine(self.rng.choice([1, 1, 2, 5]))

    def _mining(self) -> None:
        self.anvil.rpc.call("evm_setAutomine", self.rng.random() < 0.5)

    def _reorganize(self) -> None:
        most = self._height() if self.deep else min(CONFIRMATIONS - 1, self._height())
        # The chain's owner may do anything, but the deployment block is pinned once it is final.
        most = min(most, self._height() - self._deployed_at())
        if most < 1:
            return
        depth = self.rng.randint(1, most)
        self.told[-1] += f" {depth}"
        self.disputed |= depth >= CONFIRMATIONS
        self.anvil.reorganize(depth)

    def _drop(self) -> None:
        pending = self.anvil.rpc.call("eth_getBlockByNumber", "pending", False)["transactions"]  # noqa: FBT003
        for each in pending:
            if self.rng.random() < 0.7:
                self.anvil.rpc.call("anvil_dropTransaction", each)

    def _fault(self) -> None:
        faults = [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.GARBLE_ANSWER, Fault.FAIL_GATEWAY]
        self.proxy.fault(self.rng.choice(_METHODS), self.rng.choice(faults))

    def _restart(self) -> None:
        self.rig.close()
        self.rig = AnchoringRig(
            self.proxy.url,
            f"sqlite:///{self.folder / 'ledger.db'}",
            papers=self.rig.logs,
            confirmations=CONFIRMATIONS,
            replace_after_blocks=2,
            timeout_s=5.0,
        )

    def _spike(self) -> None:
        fee = self.rng.choice([1, 5, 50, 200]) * 10**9
        self.anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(fee))

    def _use_key_elsewhere(self) -> None:
        account = self.rig.account
        name = "0x" + account.address.hex()
        nonce = int(self.anvil.rpc.call("eth_getTransactionCount", name, "latest"), 16)
        fees = Fees(450 * 10**9, self.rng.choice([1, 30]) * 10**9)
        foreign = account.sign(Call(account.address, b""), chain_id=31337, nonce=nonce, gas=21_000, fees=fees)
        with suppress(RuntimeError):
            self.anvil.rpc.call("eth_sendRawTransaction", "0x" + foreign.raw.hex())

    def _height(self) -> int:
        return int(self.anvil.rpc.call("eth_blockNumber"), 16)

    def _deployed_at(self) -> int:
        chain = self.rig.pins.pinned()
        pin = None if chain is None else self.rig.pins.contract(chain, "PurchaseLedger")
        if pin is None or pin.deploy_block_hash is None or pin.deploy_block_number is None:
            return 0
        return pin.deploy_block_number

    def _check_standing(self) -> None:
        """Every sighting that stands is in the chain, and what is final is deep enough."""
        height = self._height()
        for each in self.rig.sightings():
            block = self.anvil.rpc.call("eth_getBlockByNumber", hex(each.block_number), False)  # noqa: FBT003
            assert block is not None, self._words()
            assert block["hash"] == "0x" + each.block_hash.hex(), self._words()
            if self.rig.stages()[each.size] == "final" and not self.disputed:
                assert height - each.block_number + 1 >= CONFIRMATIONS, self._words()

    def _wait_for_quiet(self) -> None:
        """With a calm chain the newest checkpoint is final within a bounded number of blocks."""
        self.proxy.calm()
        self.anvil.rpc.call("evm_setAutomine", True)  # noqa: FBT003
        self.anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        for _ in range(QUIET_BLOCKS):
            for _ in range(4):
                with suppress(ChainError):
                    self.rig.step()
            self.anvil.mine()
        self._step()
        newest = self.rig.paper.published
        assert self.rig.stages().get(newest) == "final", f"{self._words()} {self.rig.alarms()}"

    def _check_end(self) -> None:
        """The chain holds one growing history that is ours, and each anchor stands at most once."""
        heads = self.rig.heads_on_chain()
        assert [head.size for head in heads] == sorted({head.size for head in heads}), self._words()
        assert all(head.root == self.rig.paper.root(head.size) for head in heads), self._words()
        standing = [each.size for each in self.rig.sightings()]
        assert len(standing) == len(set(standing)), self._words()
        assert set(standing) <= {head.size for head in heads}, self._words()

    def _words(self) -> str:
        return f"seed {self.seed}, deep {self.deep}: {' · '.join(self.told)}"
