"""Fees that are raised are raised enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger_service.chain.account import Fees
from ledger_service.chain.sending import highest_fees, raise_fees

WEI = st.integers(0, 10**18)
FEES = st.builds(Fees, WEI, st.none() | WEI)


@given(FEES)
def test_a_raise_satisfies_every_pool(fees: Fees) -> None:
    """Both fees rise by a tenth at least, as Geth asks, and by one wei where a tenth is nothing."""
    raised = raise_fees(fees, permille=1125)
    assert raised.max_fee_wei * 10 >= fees.max_fee_wei * 11
    assert raised.max_fee_wei > fees.max_fee_wei
    if fees.priority_fee_wei is None:
        assert raised.priority_fee_wei is None
    else:
        assert raised.priority_fee_wei is not None
        assert raised.priority_fee_wei * 10 >= fees.priority_fee_wei * 11
        assert raised.priority_fee_wei > fees.priority_fee_wei


@given(FEES, FEES)
def test_the_highest_fees_are_at_least_both(one: Fees, other: Fees) -> None:
    """Neither fee falls, the type stays, and the tip is never above the whole."""
    both = highest_fees(one, other)
    assert both.max_fee_wei >= max(one.max_fee_wei, other.max_fee_wei)
    assert (both.priority_fee_wei is None) is (one.priority_fee_wei is None)
    assert both.max_fee_wei >= (both.priority_fee_wei or 0) >= (one.priority_fee_wei or 0)
