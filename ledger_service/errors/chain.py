"""The chain, which may be slow, stale or another."""

from __future__ import annotations

from ledger_service.errors.tree import LedgerError


class ChainError(LedgerError):
    """Base of what the chain can do to us. Recording and proving go on without it."""

    code = "chain_error"
    message = "The chain could not do what was asked."


class ChainUnavailableError(ChainError):
    """A node that cannot be reached, answers too late, or answers with something that is not an answer."""

    code = "chain_unavailable"
    message = "The chain's node does not answer."


class ChainRefusedError(ChainError):
    """A JSON-RPC error object: the node understood the request and refuses it."""

    code = "chain_refused"
    message = "The chain's node refuses the request."


class BlockGoneError(ChainError):
    """A block that the chain has dropped while we were reading at it. Reading again at the new head is right."""

    code = "block_gone"
    message = "The block that was being read is no longer part of the chain."


class ChainReplacedError(ChainError):
    """Another chain at the address where ours was: other chain id, genesis, or deployment block."""

    code = "chain_replaced"
    message = "The node serves another chain than the one that was pinned. Anchoring has stopped."


class ContractReplacedError(ChainReplacedError):
    """Other code, or none, at the address of the pinned contract."""

    code = "contract_replaced"
    message = "The contract's code is not the code that was pinned. Anchoring has stopped."


class ContractRevertedError(ChainError):
    """A call that the contract refuses; `details` hold the custom error's name and arguments."""

    code = "contract_reverted"
    message = "The contract refuses the call."


class ChainAheadError(ChainError):
    """A chain whose newest block lies in the future, so that an anchor's time would be a lie."""

    code = "chain_ahead"
    message = "The chain's clock is ahead of ours. Nothing is anchored until it agrees."


class RollbackDetectedError(ChainError):
    """A database that is older than what the chain, or the guard file, has already seen of it."""

    code = "rollback_detected"
    message = "The database is older than what was already anchored. It must not sign."


class ChainFileError(ChainError):
    """A file of the embedded chain that is damaged, or is not the file of the chain that was asked for."""

    code = "bad_chain_file"
    message = "The embedded chain's file cannot be used."


class ChainFileInUseError(ChainError):
    """A second process that opens the file of a running embedded chain."""

    code = "chain_file_in_use"
    message = "Another process owns the embedded chain's file."


class RpcError(ChainError):
    """A JSON-RPC error object that the embedded chain answers with: number, words and, for a revert, its bytes."""

    code = "rpc_error"
    message = "The embedded chain refuses the request."

    def __init__(self, number: int, message: str, *, data: bytes | None = None) -> None:
        """Answer with this error number (JSON-RPC 2.0 section 5.1), words and revert data."""
        super().__init__(message, number=number)
        self.number = number
        self.data = data
