"""Runs a call without a transaction: what eth_call and eth_estimateGas answer.

As in Geth, a call sees the block it is made at, pays nothing unless it names a price, and its sender needs no nonce,
no signature and, without a value, no money.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from eth.exceptions import InsufficientFunds, OutOfGas, Revert, VMError
from eth.vm.spoof import SpoofTransaction
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from ledger_service.errors import RpcError

if TYPE_CHECKING:
    from eth.abc import BlockHeaderAPI, ComputationAPI

    from ledger_service.chain.embedded.chain import EmbeddedChain

NOBODY: Final = Address(b"\x00" * 20)
REVERTED: Final = 3
FAILED: Final = -32000
CALL_STIPEND: Final = 2_300
# The search for a gas limit ends when what is left of it is this part of the limit, as in Geth.
ESTIMATE_ERROR: Final = 0.015
_ERROR_STRING: Final = bytes.fromhex("08c379a0")


@dataclass(frozen=True, slots=True)
class Call:
    """What is called. `to` is empty for the creation of a contract; `gas` of None means as much as a block has."""

    sender: Address = NOBODY
    to: bytes = b""
    gas: int | None = None
    max_fee_wei: int = 0
    tip_wei: int = 0
    value_wei: int = 0
    data: bytes = b""
    access_list: tuple[tuple[Address, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call did. `error` is None if it succeeded."""

    output: bytes
    gas_used: int
    error: VMError | None


def call(chain: EmbeddedChain, request: Call, header: BlockHeaderAPI) -> bytes:
    """Return the output of a call in the state after the block of `header`.

    Raises RpcError: number 3 with the revert data for a revert, -32000 for any other failure.
    """
    outcome = run(chain, request, header)
    raise_failure(outcome)
    return outcome.output


def estimate_gas(chain: EmbeddedChain, request: Call, header: BlockHeaderAPI) -> int:
    """Return a gas limit with which the call succeeds, at most ESTIMATE_ERROR above the least.

    Raises RpcError as `call` does when it fails with all the gas that it may have.
    """
    highest = _affordable_gas(chain, request, header)
    outcome = run(chain, replace(request, gas=highest), header)
    raise_failure(outcome)
    if _succeeds(chain, replace(request, gas=outcome.gas_used), header):
        return outcome.gas_used
    lowest = outcome.gas_used
    # A call often needs a little more than it uses: refunds come at the end, and 1/64 stays behind at each call.
    guess = (outcome.gas_used + CALL_STIPEND) * 64 // 63
    while lowest + 1 < highest and (highest - lowest) / highest >= ESTIMATE_ERROR:
        middle = guess if lowest < guess < highest else (lowest + highest) // 2
        guess = 0
        if _succeeds(chain, replace(request, gas=middle), header):
            highest = middle
        else:
            lowest = middle
    return highest


def run(chain: EmbeddedChain, request: Call, header: BlockHeaderAPI) -> Outcome:
    """Execute a call and throw its changes away. Raises RpcError when it cannot even begin."""
    machine: Any = chain.machine(header)
    if request.max_fee_wei == 0:
        header = header.copy(base_fee_per_gas=0)
    elif request.max_fee_wei < base_fee(header):
        raise RpcError(
            FAILED,
            f"max fee per gas less than block base fee: maxFeePerGas: {request.max_fee_wei},"
            f" baseFee: {base_fee(header)}",
        )
    state = machine.build_state(machine.chaindb.db, header, machine.chain_context, machine.previous_hashes)
    gas = header.gas_limit if request.gas is None else min(request.gas, header.gas_limit)
    transaction = _unsigned(chain, request, gas=gas, nonce=state.get_nonce(request.sender))
    if gas < transaction.intrinsic_gas:
        raise RpcError(FAILED, f"intrinsic gas too low: have {gas}, want {transaction.intrinsic_gas}")
    if state.get_balance(request.sender) < request.value_wei + gas * request.max_fee_wei:
        raise RpcError(
            FAILED, f"insufficient funds for gas * price + value: address 0x{request.sender.hex()}"
        )
    executor = state.get_transaction_executor()
    try:
        message = executor.build_evm_message(transaction)
        computation: ComputationAPI = executor.build_computation(message, transaction)
        executor.finalize_computation(transaction, computation)
    except (VMError, ValidationError) as error:
        raise RpcError(FAILED, str(error)) from error
    used = machine.finalize_gas_used(transaction, computation)
    return Outcome(computation.output, used, computation.error if computation.is_error else None)


def raise_failure(outcome: Outcome) -> None:
    """Raise the RpcError that Geth would answer with, unless the call succeeded."""
    error = outcome.error
    if error is None:
        return
    if isinstance(error, Revert):
        reason = _reason(outcome.output)
        words = f"execution reverted: {reason}" if reason else "execution reverted"
        raise RpcError(REVERTED, words, data=outcome.output)
    if isinstance(error, OutOfGas):
        raise RpcError(FAILED, "out of gas")
    if isinstance(error, InsufficientFunds):
        raise RpcError(FAILED, "insufficient balance for transfer")
    raise RpcError(FAILED, f"{type(error).__name__}: {error}")


def base_fee(header: BlockHeaderAPI) -> int:
    """Return the wei that a block burns per gas. Every block of this chain has one."""
    assert header.base_fee_per_gas is not None
    return header.base_fee_per_gas


def _unsigned(chain: EmbeddedChain, request: Call, *, gas: int, nonce: int) -> Any:
    transaction = chain.vm_class.get_transaction_builder().new_unsigned_dynamic_fee_transaction(
        chain_id=chain.identity.chain_id,
        nonce=nonce,
        max_priority_fee_per_gas=request.tip_wei,
        max_fee_per_gas=request.max_fee_wei,
        gas=gas,
        to=request.to,
        value=request.value_wei,
        data=request.data,
        access_list=request.access_list,
    )
    return SpoofTransaction(transaction, from_=request.sender)


def _affordable_gas(chain: EmbeddedChain, request: Call, header: BlockHeaderAPI) -> int:
    gas = int(header.gas_limit) if request.gas is None else min(request.gas, header.gas_limit)
    if request.max_fee_wei:
        spare = chain.state(header).get_balance(request.sender) - request.value_wei
        gas = min(gas, max(spare, 0) // request.max_fee_wei)
    return gas


def _succeeds(chain: EmbeddedChain, request: Call, header: BlockHeaderAPI) -> bool:
    try:
        return run(chain, request, header).error is None
    except RpcError:
        return False


def _reason(output: bytes) -> str:
    """Return the text of a revert with Error(string), or nothing for a custom error."""
    if output[:4] != _ERROR_STRING:
        return ""
    try:
        (reason,) = decode(["string"], output[4:])
    except (DecodingError, UnicodeDecodeError):
        return ""
    return str(reason)
