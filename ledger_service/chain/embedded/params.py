"""Parses what a JSON-RPC request asks for, as strictly as Geth: what is not exactly in the format is -32602."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from eth_typing import Address

from ledger_service.chain.embedded.execution import NOBODY, Call
from ledger_service.chain.embedded.logs import MAX_TOPICS
from ledger_service.errors import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

INVALID: Final = -32602
MAX_CHOICES: Final = 1_000
MAX_ACCESS_LIST: Final = 1_000
MAX_PERCENTILES: Final = 100
HIGHEST_PERCENTILE: Final = 100
TAGS: Final = frozenset({"latest", "safe", "finalized", "pending", "earliest"})

BlockName: TypeAlias = int | bytes | Literal["latest", "safe", "finalized", "pending", "earliest"]

_HASH_TEXT: Final = len("0x") + 64
_Octets = TypeVar("_Octets", bound=bytes)
_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA = re.compile(r"0x([0-9a-fA-F]{2})*")
_CALL_FIELDS: Final = frozenset(
    {"from", "to", "gas", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas", "value", "data", "input", "accessList",
     "nonce", "type", "chainId"}
)  # fmt: skip


def refuse(words: str) -> RpcError:
    """Return the error for parameters that are wrong."""
    return RpcError(INVALID, words)


def parse_quantity(value: object, *, what: str) -> int:
    """Return a number written as 0x and hexadecimal digits without leading zeros."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise refuse(f"{what} is not a quantity: 0x and hexadecimal digits without leading zeros")
    return int(value, 16)


def parse_data(value: object, *, what: str, size: int | None = None) -> bytes:
    """Return bytes written as 0x and pairs of hexadecimal digits."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise refuse(f"{what} is not data: 0x and pairs of hexadecimal digits")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise refuse(f"{what} has {len(data)} bytes instead of {size}")
    return data


def parse_hash(value: object) -> bytes:
    """Return a 32-byte hash."""
    return parse_data(value, what="hash", size=32)


def parse_address(value: object) -> Address:
    """Return a 20-byte address."""
    return Address(parse_data(value, what="address", size=20))


def parse_flag(value: object) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise refuse("the flag is not true or false")
    return value


def parse_slot(value: object) -> int:
    """Return a storage slot, given as a quantity or as 32 bytes."""
    if isinstance(value, str) and len(value) == _HASH_TEXT:
        return int.from_bytes(parse_data(value, what="slot", size=32), "big")
    return parse_quantity(value, what="slot")


def parse_block_name(value: object) -> BlockName:
    """Return a block's number, its hash (alone, as in Geth, or as EIP-1898 has it) or a tag."""
    if isinstance(value, dict):
        fields = dict(value)
        parse_flag(fields.pop("requireCanonical", False))
        if fields.keys() == {"blockHash"}:
            return parse_hash(fields["blockHash"])
        if fields.keys() == {"blockNumber"}:
            return parse_block_name(fields["blockNumber"])
        raise refuse("the block is named by blockHash or by blockNumber")
    if isinstance(value, str) and len(value) == _HASH_TEXT:
        return parse_hash(value)
    if isinstance(value, str) and value in TAGS:
        return value  # type: ignore[return-value]  # mypy does not narrow by membership
    return parse_quantity(value, what="block number")


def parse_call(value: object) -> Call:
    """Return the call of eth_call and eth_estimateGas. A field that we would have to ignore is refused."""
    fields = _object(value, what="call", allowed=_CALL_FIELDS)
    data = fields.get("input", fields.get("data", "0x"))
    if "input" in fields and "data" in fields and fields["input"] != fields["data"]:
        raise refuse('both "data" and "input" are set and not equal')
    if "gasPrice" in fields and ("maxFeePerGas" in fields or "maxPriorityFeePerGas" in fields):
        raise refuse("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")

    def number(name: str, default: int) -> int:
        return parse_quantity(fields[name], what=name) if name in fields else default

    price = number("gasPrice", 0)
    max_fee = number("maxFeePerGas", price)
    tip = number("maxPriorityFeePerGas", min(price, max_fee))
    if tip > max_fee > 0:
        raise refuse("max priority fee per gas higher than max fee per gas")
    return Call(
        sender=parse_address(fields["from"]) if "from" in fields else NOBODY,
        to=parse_address(fields["to"]) if "to" in fields else b"",
        gas=number("gas", 0) or None,
        max_fee_wei=max_fee,
        tip_wei=min(tip, max_fee),
        value_wei=number("value", 0),
        data=parse_data(data, what="data"),
        access_list=tuple(
            _access(item) for item in _list(fields.get("accessList", []), most=MAX_ACCESS_LIST)
        ),
    )


def parse_log_filter(value: object) -> dict[str, Any]:
    """Return the parsed fields of an eth_getLogs filter: block, first, last, addresses, topics."""
    allowed = frozenset({"fromBlock", "toBlock", "blockHash", "address", "topics"})
    fields = _object(value, what="filter", allowed=allowed)
    if "blockHash" in fields and ("fromBlock" in fields or "toBlock" in fields):
        raise refuse("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
    topics = _list(fields.get("topics", []), most=MAX_TOPICS)
    return {
        "block": parse_hash(fields["blockHash"]) if "blockHash" in fields else None,
        "first": parse_block_name(fields.get("fromBlock", "latest")),
        "last": parse_block_name(fields.get("toBlock", "latest")),
        "addresses": _choices(fields.get("address"), parse_address),
        "topics": tuple(_choices(choice, parse_hash) for choice in topics),
    }


def parse_percentiles(value: object) -> tuple[float, ...]:
    """Return the percentiles of eth_feeHistory: ascending numbers from 0 to 100."""
    found = _list(value, most=MAX_PERCENTILES)
    for each in found:
        if isinstance(each, bool) or not isinstance(each, int | float) or not 0 <= each <= HIGHEST_PERCENTILE:
            raise refuse("percentiles are numbers from 0 to 100")
    if found != sorted(found):
        raise refuse("percentiles are not ascending")
    return tuple(float(each) for each in found)


def _choices(value: object, parse: Callable[[object], _Octets]) -> tuple[_Octets, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(parse(each) for each in _list(value, most=MAX_CHOICES))
    return (parse(value),)


def _access(value: object) -> tuple[Address, tuple[int, ...]]:
    fields = _object(value, what="access list item", allowed=frozenset({"address", "storageKeys"}))
    keys = _list(fields.get("storageKeys", []), most=MAX_ACCESS_LIST)
    return parse_address(fields.get("address")), tuple(int.from_bytes(parse_hash(key), "big") for key in keys)


def _object(value: object, *, what: str, allowed: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise refuse(f"the {what} is not an object")
    unknown = value.keys() - allowed
    if unknown:
        raise refuse(f"the {what} has fields that this node does not know: {', '.join(sorted(unknown))}")
    # A null field is an absent one: Geth and every client treat it so.
    return {name: item for name, item in value.items() if item is not None}


def _list(value: object, *, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise refuse("a list is expected")
    if len(value) > most:
        raise refuse(f"a list has {len(value)} items; at most {most} are allowed")
    return value
