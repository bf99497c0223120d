"""The methods: what each answers, and that eth-tester, which reads the same chain in its own way, says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_tester.backends.pyevm.main import PyEVMBackend

from ledger_service.chain.embedded.miner import Miner
from ledger_service.chain.embedded.pool import PendingPool
from ledger_service.chain.embedded.rpc import RpcMethods
from ledger_service.chain.embedded.store import CommittedReads
from ledger_service.errors import RpcError
from tests.support.embedded_chain import GAS_PRICE, PROBE, PROBE_CREATION, REFUSED, Sender

if TYPE_CHECKING:
    from tests.support.embedded_chain import ChainBench

NOBODY = "0x" + "99" * 20
NO_HASH = "0x" + "77" * 32
# Whether a block comes with whole transactions.
WHOLE, SHORT = True, False


class Rpc:
    """The methods of a bench, with a miner that makes a block when told."""

    def __init__(self, bench: ChainBench) -> None:
        """Answer from the chain of `bench`."""
        pool = PendingPool(bench.chain)
        self.miner = Miner(bench.chain, pool, bench.clock)
        self.methods = RpcMethods(bench.chain, pool, self.miner)

    def __call__(self, method: str, *given: object) -> Any:
        """The result of a method."""
        return self.methods.answer(method, given)

    def refused(self, method: str, *given: object) -> RpcError:
        """The error of a method."""
        with pytest.raises(RpcError) as caught:
            self(method, *given)
        return caught.value


class OtherReader(PyEVMBackend):  # type: ignore[misc]
    """eth-tester, opened on our file for reading."""

    def __init__(self, bench: ChainBench) -> None:
        """Read the file of `bench`."""
        self.chain = bench.chain.evm(CommittedReads(bench.file))
        self.account_keys = ()


@pytest.fixture
def rpc(bench: ChainBench) -> Rpc:
    """The methods on a new chain."""
    return Rpc(bench)


def hexed(value: object) -> Any:
    """A value of eth-tester's as JSON-RPC writes it."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [hexed(each) for each in value]
    return value


def test_identity(bench: ChainBench, rpc: Rpc) -> None:
    """The node says which chain it is in both ways that clients ask, and that it holds no accounts."""
    identity = bench.chain.identity
    assert rpc("eth_chainId") == hex(identity.chain_id)
    assert rpc("net_version") == str(identity.chain_id)
    assert rpc("eth_getBlockByNumber", "earliest", SHORT)["hash"] == "0x" + identity.genesis_hash.hex()
    assert rpc("web3_clientVersion").startswith("audit-ledger/")
    assert (rpc("eth_accounts"), rpc("eth_syncing"), rpc("eth_maxPriorityFeePerGas")) == ([], False, "0x0")


@pytest.mark.parametrize(
    "method",
    ["eth_sendTransaction", "eth_sign", "evm_mine", "evm_snapshot", "evm_increaseTime", "anvil_setBalance",
     "hardhat_reset", "debug_setHead", "personal_unlockAccount", "miner_stop", "", "__init__"],
)  # fmt: skip
def test_nothing_signs_or_turns_back(rpc: Rpc, method: str) -> None:
    """No method signs for anybody, sets the time or the state, or removes a block."""
    error = rpc.refused(method)
    assert (error.number, error.text) == (-32601, f"the method {method} does not exist/is not available")


def test_blocks_agree_with_eth_tester(bench: ChainBench, rpc: Rpc) -> None:
    """Every field of every block that eth-tester shows, we show with the same value."""
    probe = bench.deploy_probe()
    bench.mine(*(bench.sender.sign(to=probe, data=bytes([n])) for n in range(3)))
    bench.mine(bench.sender.sign(to=probe))
    tester = OtherReader(bench)
    names = {"number": "number", "hash": "hash", "parent_hash": "parentHash", "state_root": "stateRoot",
             "transactions_root": "transactionsRoot", "receipts_root": "receiptsRoot", "gas_used": "gasUsed",
             "gas_limit": "gasLimit", "timestamp": "timestamp", "transactions": "transactions", "size": "size",
             "base_fee_per_gas": "baseFeePerGas", "nonce": "nonce", "sha3_uncles": "sha3Uncles",
             "mix_hash": "mixHash", "difficulty": "difficulty", "withdrawals_root": "withdrawalsRoot",
             "requests_hash": "requestsHash", "parent_beacon_block_root": "parentBeaconBlockRoot"}  # fmt: skip
    for number in range(4):
        theirs = tester.get_block_by_number(number, full_transaction=False)
        ours = rpc("eth_getBlockByNumber", hex(number), SHORT)
        assert {name: ours[name] for name in names.values()} == {
            ours_name: hexed(theirs[name]) for name, ours_name in names.items()
        }
        assert int(ours["logsBloom"], 16) == theirs["logs_bloom"]
        assert rpc("eth_getBlockByHash", ours["hash"], SHORT) == ours


def test_receipts_agree_with_eth_tester(bench: ChainBench, rpc: Rpc) -> None:
    """Every receipt, log and transaction that eth-tester finds by walking, we find by index with the same values."""
    probe = bench.deploy_probe()
    raws = [bench.sender.sign(to=probe, data=bytes([n])) for n in range(3)] + [bench.sender.sign(to=probe)]
    raws.append(bench.sender.sign(to=probe, data=b"legacy", type=0, gasPrice=GAS_PRICE))
    made = bench.mine(*raws)
    deployed = bench.made[0].included
    tester = OtherReader(bench)
    for tx_hash in (*deployed, *made.included):
        theirs = tester.get_transaction_receipt(tx_hash)
        ours = rpc("eth_getTransactionReceipt", hexed(tx_hash))
        for name, our_name in {
            "transaction_hash": "transactionHash", "transaction_index": "transactionIndex",
            "block_number": "blockNumber", "block_hash": "blockHash", "cumulative_gas_used": "cumulativeGasUsed",
            "gas_used": "gasUsed", "status": "status", "effective_gas_price": "effectiveGasPrice", "type": "type",
        }.items():  # fmt: skip
            assert ours[our_name] == hexed(theirs[name]), our_name
        assert [log["data"] for log in ours["logs"]] == [hexed(log["data"]) for log in theirs["logs"]]
        assert [log["topics"] for log in ours["logs"]] == [hexed(log["topics"]) for log in theirs["logs"]]
        transaction = rpc("eth_getTransactionByHash", hexed(tx_hash))
        shown = tester.get_transaction_by_hash(tx_hash)
        for name, our_name in {"hash": "hash", "nonce": "nonce", "value": "value", "gas": "gas", "data": "input",
                               "block_number": "blockNumber", "r": "r", "s": "s"}.items():  # fmt: skip
            assert transaction[our_name] == hexed(shown[name]), our_name
        assert transaction["from"].lower() == hexed(shown["from"])
    ours = rpc("eth_getTransactionReceipt", hexed(deployed[0]))
    assert bytes.fromhex(ours["contractAddress"][2:]) == probe


def test_receipts_of_a_block_are_its_receipts(bench: ChainBench, rpc: Rpc) -> None:
    """All receipts of a block at once are those that are found one by one, and logs are numbered through the block."""
    probe = bench.deploy_probe()
    made = bench.mine(*(bench.sender.sign(to=probe, data=bytes([n])) for n in range(3)))
    single = [rpc("eth_getTransactionReceipt", hexed(each)) for each in made.included]
    assert rpc("eth_getBlockReceipts", "latest") == single
    assert [each["logs"][0]["logIndex"] for each in single] == ["0x0", "0x1", "0x2"]
    assert rpc("eth_getLogs", {"fromBlock": "0x2", "toBlock": "latest"}) == [
        each["logs"][0] for each in single
    ]
    assert rpc("eth_getLogs", {"blockHash": single[0]["blockHash"]}) == [each["logs"][0] for each in single]


def test_what_does_not_exist_is_null(rpc: Rpc) -> None:
    """Unknown blocks, transactions and receipts are null, not errors; a state at an unknown block is an error."""
    assert rpc("eth_getBlockByNumber", "0x99", SHORT) is None
    assert rpc("eth_getBlockByHash", NO_HASH, SHORT) is None
    assert rpc("eth_getBlockReceipts", "0x99") is None
    assert rpc("eth_getTransactionByHash", NO_HASH) is None
    assert rpc("eth_getTransactionReceipt", NO_HASH) is None
    assert rpc.refused("eth_getBalance", NOBODY, "0x99").text == "header not found"
    assert rpc.refused("eth_call", {}, {"blockHash": NO_HASH}).text == "header for hash not found"
    assert rpc.refused("eth_getLogs", {"blockHash": NO_HASH}).text == "unknown block"


def test_a_transaction_s_whole_way(bench: ChainBench, rpc: Rpc) -> None:
    """Sent, a transaction is pending without a place; mined, it has one, and only then a receipt."""
    bench.clock.advance(1)
    raw = bench.sender.sign(data=PROBE_CREATION)
    tx_hash = rpc("eth_sendRawTransaction", hexed(raw))
    sender = hexed(bench.sender.address)
    waiting = rpc("eth_getTransactionByHash", tx_hash)
    assert (waiting["blockHash"], waiting["blockNumber"], waiting["transactionIndex"]) == (None, None, None)
    assert rpc("eth_getTransactionReceipt", tx_hash) is None
    assert (
        rpc("eth_getTransactionCount", sender, "latest"),
        rpc("eth_getTransactionCount", sender, "pending"),
    ) == (
        "0x0",
        "0x1",
    )
    assert rpc.refused("eth_sendRawTransaction", hexed(raw)).text == "already known"
    assert rpc.miner.produce() is not None
    assert rpc("eth_getTransactionReceipt", tx_hash)["status"] == "0x1"
    assert rpc("eth_getTransactionByHash", tx_hash)["blockNumber"] == "0x1"
    assert rpc("eth_getTransactionCount", sender) == "0x1"
    assert rpc("eth_getBlockByNumber", "latest", WHOLE)["transactions"] == [
        rpc("eth_getTransactionByHash", tx_hash)
    ]


def test_states_are_kept(bench: ChainBench, rpc: Rpc) -> None:
    """Balance, code, nonce and storage are answered for any block, not only the newest."""
    probe = hexed(bench.deploy_probe())
    bench.mine(bench.sender.sign(to=bytes.fromhex(NOBODY[2:]), value=5))
    bench.mine(bench.sender.sign(to=bytes.fromhex(probe[2:]), data=b"x"))
    assert [rpc("eth_getBalance", NOBODY, block) for block in ("0x1", "0x2", "latest")] == [
        "0x0",
        "0x5",
        "0x5",
    ]
    assert (rpc("eth_getCode", probe, "0x0"), rpc("eth_getCode", probe)) == ("0x", hexed(PROBE))
    zero, one = "0x" + "00" * 32, "0x" + "00" * 31 + "01"
    assert [rpc("eth_getStorageAt", probe, "0x3", block) for block in ("0x2", "0x3", "safe")] == [
        zero,
        one,
        one,
    ]
    counts = [rpc("eth_getTransactionCount", hexed(bench.sender.address), hex(n)) for n in range(4)]
    assert counts == ["0x0", "0x1", "0x2", "0x3"]
    head = rpc("eth_getBlockByNumber", "finalized", SHORT)
    assert rpc("eth_getBalance", NOBODY, {"blockHash": head["hash"], "requireCanonical": True}) == "0x5"


def test_calls_reach_the_caller_whole(bench: ChainBench, rpc: Rpc) -> None:
    """A call's output, its custom error and its gas come back as Geth would send them."""
    probe = hexed(bench.deploy_probe())
    assert rpc("eth_call", {"to": probe, "input": "0x01"}, "latest") == "0x" + f"{42:064x}"
    error = rpc.refused("eth_call", {"to": probe})
    assert (error.number, error.data) == (3, REFUSED + (42).to_bytes(32, "big"))
    assert rpc.refused("eth_estimateGas", {"to": probe}).data == error.data
    assert 40_000 < int(rpc("eth_estimateGas", {"to": probe, "data": "0x01"}), 16) < 60_000
    # In block 0 the contract did not exist.
    assert rpc("eth_call", {"to": probe, "input": "0x01"}, "0x0") == "0x"


def test_the_pending_block_has_no_hash_yet(bench: ChainBench, rpc: Rpc) -> None:
    """The pending block follows the newest, and what is not known of it is null."""
    bench.deploy_probe()
    pending, latest = (rpc("eth_getBlockByNumber", name, SHORT) for name in ("pending", "latest"))
    assert pending["parentHash"] == latest["hash"]
    assert (pending["number"], pending["hash"], pending["nonce"]) == ("0x2", None, None)


def test_fees(bench: ChainBench, rpc: Rpc) -> None:
    """The fee history has the base fee of each block and of the next, and the tips at the asked percentiles."""
    probe = bench.deploy_probe()
    tips = (7, 1, 4)
    bench.mine(*(bench.sender.sign(to=probe, data=b"x", maxPriorityFeePerGas=tip) for tip in tips))
    history = rpc("eth_feeHistory", "0x5", "latest", [0, 50, 100])
    assert history["oldestBlock"] == "0x0"
    blocks = [rpc("eth_getBlockByNumber", hex(n), SHORT) for n in range(3)]
    assert history["baseFeePerGas"] == [each["baseFeePerGas"] for each in blocks] + [rpc("eth_gasPrice")]
    assert history["reward"] == [["0x0"] * 3, ["0x0"] * 3, ["0x1", "0x4", "0x7"]]
    assert history["gasUsedRatio"][2] == int(blocks[2]["gasUsed"], 16) / int(blocks[2]["gasLimit"], 16)
    assert "reward" not in rpc("eth_feeHistory", 1, "latest")
    assert rpc("eth_feeHistory", "0x0", "latest") == {"oldestBlock": "0x0", "gasUsedRatio": []}


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("eth_getBlockByNumber", ["latest"]), ("eth_getBlockByNumber", ["latest", False, 1]),
        ("eth_getBlockByNumber", ["latest", 1]), ("eth_getBalance", []), ("eth_getBalance", ["0x1"]),
        ("eth_getBalance", [NOBODY, "soon"]), ("eth_call", [{"state": {}}]), ("eth_call", [{}, "latest", {}]),
        ("eth_getLogs", [{"fromBlock": "0x5", "toBlock": "0x2"}]), ("eth_chainId", [1]),
        ("eth_feeHistory", [True, "latest"]),
        ("eth_getLogs", [{"fromBlock": {"blockHash": NO_HASH}}]), ("eth_sendRawTransaction", ["0xzz"]),
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(rpc: Rpc, method: str, given: list[object]) -> None:
    """Missing, surplus and malformed parameters are -32602."""
    bench_error = rpc.refused(method, *given)
    assert bench_error.number == -32602


def test_a_null_block_is_the_newest(rpc: Rpc) -> None:
    """Where a parameter may be left out, null stands for leaving it out."""
    assert rpc("eth_getBalance", NOBODY, None) == rpc("eth_getBalance", NOBODY)
    assert rpc("eth_call", {"to": NOBODY}, None) == "0x"


def test_a_chain_ahead_of_the_clock_takes_nothing(bench: ChainBench, rpc: Rpc) -> None:
    """When the clock was set back, a transaction is refused with the reason instead of taken."""
    bench.deploy_probe()
    bench.clock.advance(-30)
    error = rpc.refused("eth_sendRawTransaction", hexed(bench.sender.sign(to=b"\x01" * 20)))
    assert (error.number, error.text) == (-32000, "The newest block is 30.0 s ahead of the clock.")


def test_many_senders_are_told_apart(bench: ChainBench, rpc: Rpc) -> None:
    """The shown sender is the one whose key signed, for each kind of transaction."""
    others = [Sender(bench.sender.chain_id, secret=bytes([n]) * 32) for n in (0x21, 0x22, 0x23)]
    bench.mine(*(bench.sender.sign(to=each.address, value=10**18) for each in others))
    kinds: list[dict[str, Any]] = [{"type": 0, "gasPrice": GAS_PRICE}, {"type": 1, "gasPrice": GAS_PRICE}, {}]
    made = bench.mine(*(o.sign(to=b"\x01" * 20, **k) for o, k in zip(others, kinds, strict=True)))
    shown = [rpc("eth_getTransactionByHash", hexed(each)) for each in made.included]
    assert [each["from"].lower() for each in shown] == [hexed(other.address) for other in others]
    assert [each["type"] for each in shown] == ["0x0", "0x1", "0x2"]
    assert {each["chainId"] for each in shown} == {hex(bench.chain.identity.chain_id)}
