"""What nodes say to a transaction, in the words of five of them."""

from __future__ import annotations

import pytest

from ledger_service.chain.mempool import Sending, classify_refusal


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("already known", Sending.KNOWN),
        ("transaction already imported", Sending.KNOWN),
        ("Known transaction", Sending.KNOWN),
        ("AlreadyKnown", Sending.KNOWN),
        ("nonce too low", Sending.NONCE_USED),
        ("nonce too low: next nonce 8, tx nonce 7", Sending.NONCE_USED),
        ("NONCE_TOO_LOW", Sending.NONCE_USED),
        ("OldNonce, Current nonce: 8, nonce of rejected tx: 7", Sending.NONCE_USED),
        ("replacement transaction underpriced", Sending.UNDERPRICED),
        ("TRANSACTION_REPLACEMENT_UNDERPRICED", Sending.UNDERPRICED),
        ("could not replace existing tx", Sending.UNDERPRICED),
        ("ReplacementNotAllowed", Sending.UNDERPRICED),
        ("max fee per gas less than block base fee: maxFeePerGas: 1, baseFee: 7", Sending.FEE_TOO_LOW),
        ("transaction underpriced: gas tip cap 0, minimum needed 1", Sending.FEE_TOO_LOW),
        ("Gas price below configured minimum gas price", Sending.FEE_TOO_LOW),
        ("FeeTooLow, MaxFeePerGas too low", Sending.FEE_TOO_LOW),
        ("insufficient funds for gas * price + value: balance 0, tx cost 42000", Sending.NO_FUNDS),
        ("Insufficient funds for gas * price + value", Sending.NO_FUNDS),
        ("Upfront cost exceeds account balance", Sending.NO_FUNDS),
        ("InsufficientFunds, Account balance: 0", Sending.NO_FUNDS),
        ("exceeds block gas limit", Sending.GAS_LIMIT),
        ("intrinsic gas too low", Sending.GAS_LIMIT),
        ("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", Sending.GAS_LIMIT),
        ("invalid chain id for signer", Sending.WRONG_CHAIN),
        ("invalid sender", Sending.WRONG_CHAIN),
        ("WRONG_CHAIN_ID", Sending.WRONG_CHAIN),
        ("rlp: element is larger than containing list", Sending.MALFORMED),
        ("failed to decode signed transaction", Sending.MALFORMED),
        ("the moon is full", Sending.REFUSED),
        ("", Sending.REFUSED),
    ],
)  # fmt: skip
def test_a_refusal_is_classified_by_its_words(words: str, kind: Sending) -> None:
    """Geth, Besu, Nethermind, Erigon and Anvil have no codes for this, only words."""
    assert classify_refusal(words) is kind
