"""The usual design, measured: one transaction per record, on eth-tester with coincurve, through web3.py.

A contract keeps the record's hash and the block's time and logs an event, as such services do; a record
counts once its receipt was read. Nothing is validated, sealed or proven: the figure flatters the baseline.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings

RUNTIME = bytes.fromhex(
    "6020356000355542"  # storage[id] = hash; TIMESTAMP
    "6000356001015560"  # storage[id + 1] = time
    "203560005260003560206000a100"  # log1(topic = id, data = hash); STOP
)
# Return the runtime code that follows these twelve bytes.
INITCODE = bytes([0x60, len(RUNTIME), 0x60, 0x0C, 0x60, 0, 0x39, 0x60, len(RUNTIME), 0x60, 0, 0xF3]) + RUNTIME


def one_transaction_per_record(*, seconds: float) -> tuple[int, float]:
    """Send signed transactions for at least `seconds`; give back (records, seconds taken)."""
    warnings.simplefilter("ignore")  # eth-tester and py-evm use what newer libraries deprecate
    os.environ["ECC_BACKEND_CLASS"] = "eth_keys.backends.CoinCurveECCBackend"
    from eth_account import Account  # noqa: PLC0415 - the ECC backend is chosen before eth_keys is loaded
    from eth_tester import EthereumTester, PyEVMBackend  # noqa: PLC0415
    from web3 import EthereumTesterProvider, Web3  # noqa: PLC0415

    tester = EthereumTester(PyEVMBackend())
    web3 = Web3(EthereumTesterProvider(tester))
    account = Account.from_key(tester.backend.account_keys[0].to_bytes())
    fees = {"chainId": web3.eth.chain_id, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1, "gas": 200_000}

    def record(nonce: int, data: bytes, to: str | None) -> str | None:
        call = fees | {"nonce": nonce, "data": data, "value": 0} | ({"to": to} if to else {})
        sent = web3.eth.send_raw_transaction(account.sign_transaction(call).raw_transaction)
        receipt = web3.eth.wait_for_transaction_receipt(sent, poll_latency=0)
        if receipt["status"] != 1 or (to and len(receipt["logs"]) != 1):
            raise SystemExit("the baseline recorded nothing: the comparison would be worthless")
        return receipt["contractAddress"]

    contract = record(0, INITCODE, None)
    records, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < seconds:
        digest = hashlib.sha256(records.to_bytes(8, "big")).digest()
        record(1 + records, digest + digest[::-1], contract)
        records += 1
    return records, taken


if __name__ == "__main__":
    count, took = one_transaction_per_record(seconds=10)
    print(f"one transaction per record: {count / took:.1f} records/s ({count} in {took:.1f} s)")
