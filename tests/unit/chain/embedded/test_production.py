"""Blocks: what goes in, what stays out, and that either all of a block is stored or none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded.checks import check_chain
from ledger_service.errors import InjectedFaultError
from ledger_service.storage import failpoints
from tests.support.embedded_chain import PROBE, Sender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.embedded_chain import ChainBench


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def test_transactions_share_a_block_in_their_order(bench: ChainBench) -> None:
    """Several transactions go into one block, in the order given, each with its own receipt."""
    probe = bench.deploy_probe()
    raws = [bench.sender.sign(to=probe, data=bytes([n])) for n in (3, 1, 2)]
    made = bench.mine(*raws)
    assert made.header is not None
    receipts = bench.chain.receipts(made.header)
    assert [each.receipt.logs[0].data for each in receipts] == [b"\x03", b"\x01", b"\x02"]
    assert [each.logs_before for each in receipts] == [0, 1, 2]
    assert sum(each.gas_used for each in receipts) == made.header.gas_used
    assert [bench.chain.receipt(each.mined.transaction.hash) for each in receipts] == list(receipts)


def test_deployed_code_is_what_was_sent(bench: ChainBench) -> None:
    """A contract's code after deployment is its runtime code, and stays so in later states."""
    probe = bench.deploy_probe()
    bench.mine(bench.sender.sign(to=probe, data=b"x"))
    assert bench.chain.state(bench.chain.head()).get_code(probe) == PROBE  # type: ignore[arg-type]


def test_a_transaction_that_cannot_run_does_not_hurt_its_neighbours(bench: ChainBench) -> None:
    """A transaction with a wrong nonce is refused with the reason; the others of the block are mined."""
    probe = bench.deploy_probe()
    good = bench.sender.sign(to=probe, data=b"good")
    stranger = Sender(bench.sender.chain_id, secret=b"\x22" * 32).sign(to=probe, data=b"poor")
    also_good = bench.sender.sign(to=probe, data=b"also good")
    made = bench.mine(good, stranger, also_good)
    assert len(made.included) == 2
    assert [tx_hash for tx_hash, _ in made.refused] == [bench.decode(stranger).hash]


def test_a_failing_transaction_is_mined_as_failed(bench: ChainBench) -> None:
    """A transaction that reverts stands in its block with status 0, no logs, and its gas paid."""
    probe = bench.deploy_probe()
    (tx_hash,) = bench.mine(bench.sender.sign(to=probe)).included
    found = bench.chain.receipt(tx_hash)
    assert found is not None
    assert (found.receipt.state_root, list(found.receipt.logs)) == (b"", [])
    assert 21_000 < found.gas_used < 200_000


def test_what_does_not_fit_waits(bench: ChainBench) -> None:
    """Transactions beyond the block's gas are left for the next block, with the same sender's later ones."""
    probe = bench.deploy_probe()
    limit = bench.chain.head().gas_limit
    first, second = (bench.sender.sign(to=probe, data=b"x", gas=limit) for _ in range(2))
    after = bench.sender.sign(to=probe, data=b"y")
    made = bench.mine(first, second, after)
    assert (made.included, made.refused) == ((bench.decode(first).hash,), ())
    assert len(bench.mine(second, after).included) == 2


def test_no_transactions_make_no_block(bench: ChainBench) -> None:
    """A block is never made empty, nor when everything in it was refused."""
    before = bench.chain.head().hash
    assert bench.mine().header is None
    assert bench.mine(bench.sender.sign(nonce=7)).header is None
    assert bench.chain.head().hash == before


def test_a_fee_below_the_base_fee_waits(bench: ChainBench) -> None:
    """A transaction that offers less than the block's base fee is neither mined nor refused."""
    made = bench.mine(bench.sender.sign(to=b"\x01" * 20, maxFeePerGas=1))
    assert (made.header, made.included, made.refused) == (None, (), ())


def test_a_defect_of_the_machine_costs_one_transaction(
    bench: ChainBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When py-evm itself breaks at a transaction, the block is begun again without it."""
    probe = bench.deploy_probe()
    good, bad = (bench.sender.sign(to=probe, data=data) for data in (b"good", b"bad"))
    real = bench.chain.vm_class.apply_transaction

    def breaking(self: object, header: object, transaction: object) -> object:
        if transaction.data == b"bad":  # type: ignore[attr-defined]
            raise ZeroDivisionError
        return real(self, header, transaction)

    monkeypatch.setattr(bench.chain.vm_class, "apply_transaction", breaking)
    made = bench.mine(good, bad)
    assert made.included == (bench.decode(good).hash,)
    assert made.refused == ((bench.decode(bad).hash, "the EVM could not execute it"),)


@pytest.mark.parametrize(("action", "stored"), [("fail", False), ("fail-done", True)])
def test_a_block_is_stored_whole_or_not_at_all(bench: ChainBench, action: str, *, stored: bool) -> None:
    """A failure at the commit leaves the old head or the new one, each with all it needs, and the chain goes on."""
    probe = bench.deploy_probe()
    before = bench.chain.head().block_number
    raw = bench.sender.sign(to=probe, data=b"x")
    failpoints.arm(f"chain.block={action}")
    with pytest.raises(InjectedFaultError):
        bench.mine(raw)
    assert bench.chain.head().block_number == before + stored
    assert (bench.chain.receipt(bench.decode(raw).hash) is not None) == stored
    if not stored:
        bench.mine(raw)
    bench.mine(bench.sender.sign(to=probe, data=b"y"))
    assert check_chain(bench.file).blocks == before + 3
