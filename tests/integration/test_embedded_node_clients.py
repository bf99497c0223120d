"""The chain as clients that we did not write see it: web3.py, ethers and cast, on one log in a PurchaseLedger."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rlp
from eth.db.trie import make_trie_root_and_nodes
from eth_account import Account
from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError

from ledger_service.chain.embedded.genesis import load_funded_key
from ledger_service.chain.embedded.supervisor import EmbeddedNode
from ledger_service.proofs.merkle import leaf_hash, tree_root_of
from tests.support.anchored_log import ENTRIES, AnchoredLog, anchor_log
from tests.support.anvil import foundry_program
from tests.support.json_rpc import JsonRpc

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ARTIFACT = json.loads(
    (ROOT / "ledger_service/chain/artifacts/PurchaseLedger.json").read_text(encoding="utf-8")
)
NO_LEAF = "0x" + "00" * 32


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bytes]]:
    """A running node's URL and the key that owns its money."""
    path = tmp_path_factory.mktemp("clients") / "chain.sqlite"
    with EmbeddedNode(path) as node:
        yield node.url, load_funded_key(path.with_suffix(".key")).to_bytes()


@pytest.fixture(scope="module")
def log(secret: tuple[str, bytes]) -> AnchoredLog:
    """A log with one accepted head."""
    url, key = secret
    return anchor_log(url, key)


@pytest.fixture
def web3(log: AnchoredLog) -> Web3:
    """web3.py on the node."""
    return Web3(HTTPProvider(log.url))


def cast(log: AnchoredLog, *arguments: str, succeeds: bool = True) -> str:
    """What cast says."""
    done = subprocess.run(
        [str(foundry_program("cast")), *arguments, "--rpc-url", log.url],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode == 0) == succeeds, done.stderr
    return (done.stdout if succeeds else done.stderr).strip()


def contract_of(web3: Web3, log: AnchoredLog) -> Any:
    """web3.py's view of the contract."""
    return web3.eth.contract(address=Web3.to_checksum_address(log.contract), abi=ARTIFACT["abi"])


def test_web3_reads_blocks_receipts_and_logs(web3: Web3, log: AnchoredLog) -> None:
    """web3.py finds the publishing transaction, its block and its event, each naming the others."""
    receipt = web3.eth.get_transaction_receipt(log.publish_tx)  # type: ignore[arg-type]
    block: Any = web3.eth.get_block(receipt["blockNumber"], full_transactions=True)
    (event,) = contract_of(web3, log).events.HeadAccepted().get_logs(from_block=0)
    assert block["hash"].to_0x_hex() == log.publish_block == receipt["blockHash"].to_0x_hex()
    assert [each["hash"].to_0x_hex() for each in block["transactions"]] == [log.publish_tx]
    assert (event["args"]["size"], f"0x{event['args']['root'].hex()}") == (log.size, log.root)
    assert event["transactionHash"].to_0x_hex() == log.publish_tx
    assert (web3.eth.chain_id, web3.is_connected()) == (log.chain_id, True)
    assert list(web3.eth.accounts) == []


def test_web3_verifies_inclusion(web3: Web3, log: AnchoredLog) -> None:
    """Called with the proof `verifyInclusion` succeeds; with another leaf web3.py shows the contract's error."""
    contract = contract_of(web3, log)
    assert contract.functions.verifyInclusion(log.log_id, log.head, log.entry).call() == []
    wrong = (log.index, NO_LEAF, log.path)
    with pytest.raises(ContractCustomError) as caught:
        contract.functions.verifyInclusion(log.log_id, log.head, wrong).call()
    assert caught.value.data is not None
    assert str(caught.value.data).startswith(_selector("RootMismatch(uint64,bytes32,bytes32)"))


def test_web3_prices_signs_and_sends(web3: Web3, log: AnchoredLog, secret: tuple[str, bytes]) -> None:
    """web3.py fills in fees, gas and nonce from the node, and its transaction is mined."""
    account = Account.from_key(secret[1])
    fields = {"from": account.address, "to": log.contract, "value": 0, "data": "0x", "gas": 21_000}
    nonce = web3.eth.get_transaction_count(account.address, "pending")
    transfer = {**fields, "to": "0x" + "02" * 20, "value": 9, "nonce": nonce, "chainId": web3.eth.chain_id}
    transfer |= {"maxFeePerGas": 2 * web3.eth.gas_price, "maxPriorityFeePerGas": web3.eth.max_priority_fee}
    assert web3.eth.estimate_gas({"from": account.address, "to": transfer["to"], "value": 9}) == 21_000  # type: ignore[typeddict-item]
    tx_hash = web3.eth.send_raw_transaction(account.sign_transaction(transfer).raw_transaction)
    assert web3.eth.wait_for_transaction_receipt(tx_hash, timeout=60)["status"] == 1
    history = web3.eth.fee_history(2, "latest", [50.0])
    assert (len(history["baseFeePerGas"]), len(history["reward"])) == (3, 2)


def test_ethers_reads_verifies_and_sends(log: AnchoredLog, secret: tuple[str, bytes], tmp_path: Path) -> None:
    """With ethers one reads block, receipt, event and code, verifies inclusion, sees the custom error, and sends."""
    told = tmp_path / "log.json"
    told.write_text(json.dumps(asdict(log) | {"abi": ARTIFACT["abi"], "secret": f"0x{secret[1].hex()}"}))
    script = ROOT / "tests/integration/read_with_ethers.mjs"
    done = subprocess.run(["node", script, told], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("estimate").startswith(_selector("NotPublisher(bytes32,address,address)"))
    assert seen.pop("refusal") == {
        "code": "CALL_EXCEPTION", "name": "RootMismatch", "size": log.size,
        "data": _root_mismatch(log),
    }  # fmt: skip
    assert seen == {
        "chainId": str(log.chain_id), "blockHash": log.publish_block, "blockTransactions": [log.publish_tx],
        "receiptLogs": 1, "status": 1, "from": log.publisher, "included": True,
        "events": [{"size": log.size, "root": log.root, "block": log.publish_block}], "sentStatus": 1,
        "sentBlockIsLater": True, "feeHistory": 2, "code": True,
    }  # fmt: skip


def test_cast_reads_blocks_receipts_and_logs(log: AnchoredLog) -> None:
    """With cast one finds the same block, receipt and log, and the same hash from the block's own bytes."""
    assert cast(log, "chain-id") == str(log.chain_id)
    receipt = json.loads(cast(log, "receipt", log.publish_tx, "--json"))
    assert (receipt["blockHash"], receipt["status"]) == (log.publish_block, "0x1")
    block = json.loads(cast(log, "block", log.publish_block, "--json"))
    assert (block["hash"], block["transactions"]) == (log.publish_block, [log.publish_tx])
    header = cast(log, "block", log.publish_block, "--raw")
    assert keccak(bytes.fromhex(header[2:])).hex() == log.publish_block[2:]
    topic = f"0x{keccak(b'HeadAccepted(bytes32,uint64,bytes32,uint64,uint64)').hex()}"
    (entry,) = json.loads(cast(log, "logs", topic, "--address", log.contract, "--from-block", "0", "--json"))
    assert (entry["transactionHash"], entry["topics"][1]) == (log.publish_tx, log.log_id)
    assert cast(log, "tx", log.publish_tx, "from").lower() == log.publisher.lower()


def test_cast_verifies_inclusion(log: AnchoredLog) -> None:
    """With cast one calls `verifyInclusion` with success, and sees the custom error's bytes for another leaf."""
    function = "verifyInclusion(bytes32,(uint64,bytes32,uint64,uint64),(uint64,bytes32,bytes32[]))"
    head = f"({log.size},{log.root},{log.time},0)"

    def entry(leaf: str) -> str:
        return f"({log.index},{leaf},[{','.join(log.path)}])"

    assert cast(log, "call", log.contract, function, log.log_id, head, entry(log.leaf)) == "0x"
    said = cast(log, "call", log.contract, function, log.log_id, head, entry(NO_LEAF), succeeds=False)
    assert "execution reverted" in said
    assert _root_mismatch(log) in said


def test_receipts_prove_themselves(log: AnchoredLog) -> None:
    """The receipts of a block, encoded again from their JSON, have the root that the block's header names."""
    rpc = JsonRpc(log.url)
    block = rpc.call("eth_getBlockByHash", log.publish_block, False)  # noqa: FBT003
    encoded = []
    for receipt in rpc.call("eth_getBlockReceipts", log.publish_block):
        logs = [
            [_octets(e["address"]), [_octets(t) for t in e["topics"]], _octets(e["data"])]
            for e in receipt["logs"]
        ]
        fields = [
            _number(receipt["status"]),
            _number(receipt["cumulativeGasUsed"]),
            _octets(receipt["logsBloom"]),
            logs,
        ]
        encoded.append(_number(receipt["type"]) + rlp.encode(fields))
    items: Any = tuple(_Encoded(each) for each in encoded)
    assert f"0x{make_trie_root_and_nodes(items)[0].hex()}" == block["receiptsRoot"]


class _Encoded:
    """What py-evm's trie builder wants of an item."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def encode(self) -> bytes:
        """The bytes."""
        return self._octets


def _root_mismatch(log: AnchoredLog) -> str:
    """The bytes of the error RootMismatch for a leaf of zeros: size, root from the proof, accepted root."""
    leaves = [leaf_hash(each) for each in ENTRIES]
    leaves[log.index] = bytes(32)  # type: ignore[call-overload]
    computed = tree_root_of(leaves)
    selector = keccak(b"RootMismatch(uint64,bytes32,bytes32)")[:4]
    return f"0x{(selector + log.size.to_bytes(32, 'big') + bytes.fromhex(log.root[2:]) + computed).hex()}"


def _selector(error: str) -> str:
    return f"0x{keccak(error.encode())[:4].hex()}"


def _octets(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _number(text: str) -> bytes:
    value = int(text, 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
