"""A compiled contract: its committed artifact, and what stands on the wire when one talks to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import (
    collapse_if_tuple,
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    get_abi_input_types,
    get_abi_output_types,
)
from eth_utils.crypto import keccak

from ledger_service.errors import ChainUnavailableError

if TYPE_CHECKING:
    from ledger_service.chain.client import Event


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract. `abi` is indexed as (type, name)."""

    name: str
    abi: dict[tuple[str, str], Any]
    init_code: bytes
    code_hash: bytes

    def encode_deployment(self, *arguments: object) -> bytes:
        """Return the data of the transaction that creates the contract."""
        return self.init_code + encode(get_abi_input_types(self.abi["constructor", ""]), arguments)

    def encode_call(self, function: str, *arguments: object) -> bytes:
        """Return the data of a call. Tuples stand for Solidity structs."""
        abi = self.abi["function", function]
        return function_abi_to_4byte_selector(abi) + encode(get_abi_input_types(abi), arguments)

    def decode_result(self, function: str, data: bytes) -> tuple[Any, ...]:
        """Return a call's results. Raises ChainUnavailableError when the bytes cannot be any."""
        return _decode(
            get_abi_output_types(self.abi["function", function]), data, what=f"result of {function}"
        )

    def decode_error(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return the name and the arguments of a custom error, or None if it is none of this contract's."""
        for (kind, name), abi in self.abi.items():
            if kind == "error" and function_abi_to_4byte_selector(abi) == data[:4]:
                values = _decode(
                    [collapse_if_tuple(item) for item in abi["inputs"]], data[4:], what=f"error {name}"
                )
                return name, {item["name"]: value for item, value in zip(abi["inputs"], values, strict=True)}
        return None

    def topic(self, event: str) -> bytes:
        """Return an event's first topic."""
        return event_abi_to_log_topic(self.abi["event", event])

    def decode_event(self, name: str, event: Event) -> dict[str, Any]:
        """Return an event's arguments by name; indexed ones that are not of fixed size stay hashes."""
        abi = self.abi["event", name]
        indexed = [item for item in abi["inputs"] if item["indexed"]]
        plain = [item for item in abi["inputs"] if not item["indexed"]]
        if len(event.topics) != len(indexed) + 1 or event.topics[0] != self.topic(name):
            raise ChainUnavailableError(f"The node's event is not {name}.")
        values = [
            _decode([collapse_if_tuple(item)], topic, what=f"event {name}")[0]
            for item, topic in zip(indexed, event.topics[1:], strict=True)
        ]
        values += _decode([collapse_if_tuple(item) for item in plain], event.data, what=f"event {name}")
        return {item["name"]: value for item, value in zip([*indexed, *plain], values, strict=True)}


def load_artifact(name: str) -> Artifact:
    """Return a committed artifact of `chain/artifacts/`, for example "PurchaseLedger"."""
    source = (
        resources.files("ledger_service.chain")
        .joinpath("artifacts", f"{name}.json")
        .read_text(encoding="utf-8")
    )
    return parse_artifact(json.loads(source))


def load_artifacts() -> tuple[Artifact, ...]:
    """Return every committed artifact, by name."""
    files = resources.files("ledger_service.chain").joinpath("artifacts").iterdir()
    names = sorted(file.name for file in files if file.name.endswith(".json"))
    return tuple(load_artifact(name.removesuffix(".json")) for name in names)


def parse_artifact(source: dict[str, Any]) -> Artifact:
    """Read an artifact as the compiler step writes it: contractName, abi, bytecode, deployedBytecode."""
    abi = {(item["type"], item.get("name", "")): item for item in source["abi"]}
    # Without a constructor in the source there is none in the ABI, and it takes nothing.
    abi.setdefault(("constructor", ""), {"type": "constructor", "inputs": []})
    return Artifact(
        name=source["contractName"],
        abi=abi,
        init_code=bytes.fromhex(source["bytecode"].removeprefix("0x")),
        code_hash=keccak(bytes.fromhex(source["deployedBytecode"].removeprefix("0x"))),
    )


def _decode(types: list[str], data: bytes, *, what: str) -> tuple[Any, ...]:
    try:
        return decode(types, data)
    except (DecodingError, OverflowError, ValueError) as error:
        raise ChainUnavailableError(f"The node's {what} is malformed.") from error
