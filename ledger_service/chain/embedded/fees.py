"""What past blocks cost: eth_feeHistory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ledger_service.chain.embedded.formats import quantity, tip

if TYPE_CHECKING:
    from eth.abc import BlockHeaderAPI

    from ledger_service.chain.embedded.chain import EmbeddedChain

MAX_BLOCKS: Final = 1_024
_PERCENT: Final = 100


def fee_history(
    chain: EmbeddedChain, *, newest: BlockHeaderAPI, count: int, percentiles: tuple[float, ...]
) -> dict[str, Any]:
    """Return the base fees of up to `count` blocks to `newest` and of the one after, and what the tips were."""
    count = min(count, newest.block_number + 1, MAX_BLOCKS)
    if count == 0:
        return {"oldestBlock": "0x0", "gasUsedRatio": []}
    oldest = newest.block_number - count + 1
    headers: list[Any] = []
    for number in range(oldest, newest.block_number + 1):
        header = chain.header_at(number)
        assert header is not None
        headers.append(header)
    following: Any = chain.header_after(newest)
    history: dict[str, Any] = {
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": [quantity(each.base_fee_per_gas) for each in [*headers, following]],
        "gasUsedRatio": [each.gas_used / each.gas_limit for each in headers],
        "baseFeePerBlobGas": ["0x1"] * (count + 1),
        "blobGasUsedRatio": [0.0] * count,
    }
    if percentiles:
        history["reward"] = [
            [quantity(each) for each in _tips(chain, header, percentiles)] for header in headers
        ]
    return history


def _tips(chain: EmbeddedChain, header: BlockHeaderAPI, percentiles: tuple[float, ...]) -> list[int]:
    """Return the tip at each percentile of the block's gas, transactions sorted by tip."""
    paid = sorted((tip(each.mined.transaction, header), each.gas_used) for each in chain.receipts(header))
    if not paid:
        return [0] * len(percentiles)
    found: list[int] = []
    place, gas = 0, paid[0][1]
    for percentile in percentiles:
        threshold = header.gas_used * percentile / _PERCENT
        while gas < threshold and place + 1 < len(paid):
            place += 1
            gas += paid[place][1]
        found.append(paid[place][0])
    return found
