"""The trust file: what a verifier believes beforehand, beside the policy (design sections 5 and 9).

It must come from somewhere other than the server under audit. Canonical JSON, like all our formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import JsonValue, decode, encode
from ledger_service.proofs.entry import ORGANIZATION, ORIGIN
from ledger_service.proofs.note import VerifierKey, format_vkey, parse_vkey
from ledger_service.proofs.shapes import hex_of, integer_of, list_of, object_of, text_of
from ledger_service.proofs.types import Origin, TreeSize

TRUST_VERSION: Final = "audit-ledger/trust/v1"
DEFAULT_REQUIRED: Final = (1, 2, 3, 4, 5, 7)
DEFAULT_MAX_STATUS_AGE_S: Final = 86_400
DEFAULT_ACCEPTED_TOLERANCE_S: Final = 300

_ISSUER_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_LOG_MEMBERS = ("origin", "org", "issuer_name", "status_keys", "acceptance_keys", "head_keys", "anchors")
_ANCHOR_MEMBERS = ("chain_id", "genesis_hash", "contract", "code_hash", "log_id", "self_anchored")
_MAX_SECONDS = 100 * 366 * 86_400
_LAST_STEP = 8


@dataclass(frozen=True, slots=True)
class HeadKey:
    """A key that signs heads from size `from_size` to `to_size`, both included (None: to this day)."""

    key: VerifierKey
    from_size: TreeSize
    to_size: TreeSize | None


@dataclass(frozen=True, slots=True)
class TrustedAnchor:
    """A log in a contract on a pinned chain. `self_anchored`: the operator runs that chain."""

    chain_id: int
    genesis_hash: bytes
    contract: bytes
    code_hash: bytes
    log_id: bytes
    self_anchored: bool


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """Whose log this is, and which keys and contracts speak for it."""

    origin: Origin
    org: str
    issuer_name: str
    status_keys: tuple[VerifierKey, ...] = ()
    acceptance_keys: tuple[VerifierKey, ...] = ()
    head_keys: tuple[HeadKey, ...] = ()
    anchors: tuple[TrustedAnchor, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """The logs a verifier knows, how old a status may be, and which steps of the verdict are required."""

    logs: tuple[TrustedLog, ...]
    max_status_age_s: int = DEFAULT_MAX_STATUS_AGE_S
    accepted_tolerance_s: int = DEFAULT_ACCEPTED_TOLERANCE_S
    required: tuple[int, ...] = DEFAULT_REQUIRED

    def find_log(self, origin: str) -> TrustedLog | None:
        """Return what is known about a log, or None."""
        return next((log for log in self.logs if log.origin == origin), None)


def format_trust(trust: Trust) -> bytes:
    """Return the trust file; raises MalformedError when it would not parse."""
    data = encode(
        {
            "v": TRUST_VERSION,
            "logs": [_log_json(log) for log in trust.logs],
            "max_status_age_s": trust.max_status_age_s,
            "accepted_tolerance_s": trust.accepted_tolerance_s,
            "required": list(trust.required),
        }
    )
    parse_trust(data)
    return data


def parse_trust(data: bytes) -> Trust:
    """Return the trust that `format_trust` writes as `data`; raises MalformedError."""
    names = ("v", "logs", "max_status_age_s", "accepted_tolerance_s", "required")
    members = object_of(decode(data), names, what="The trust file")
    if members["v"] != TRUST_VERSION:
        raise MalformedError("The trust file is of an unknown version.")
    required = [
        integer_of(step, what="A step", at_least=1, at_most=_LAST_STEP)
        for step in list_of(members["required"], what="required")
    ]
    logs = tuple(_parse_log(log) for log in list_of(members["logs"], what="logs"))
    if sorted(set(required)) != required or len({log.origin for log in logs}) != len(logs):
        raise MalformedError("The trust file repeats a log, or its required steps are not in order.")
    return Trust(
        logs=logs,
        max_status_age_s=integer_of(
            members["max_status_age_s"], what="max_status_age_s", at_most=_MAX_SECONDS
        ),
        accepted_tolerance_s=integer_of(
            members["accepted_tolerance_s"], what="accepted_tolerance_s", at_most=_MAX_SECONDS
        ),
        required=tuple(required),
    )


def _log_json(log: TrustedLog) -> JsonValue:
    return {
        "origin": log.origin,
        "org": log.org,
        "issuer_name": log.issuer_name,
        "status_keys": [format_vkey(key) for key in log.status_keys],
        "acceptance_keys": [format_vkey(key) for key in log.acceptance_keys],
        "head_keys": [
            {"vkey": format_vkey(head.key), "from_size": head.from_size, "to_size": head.to_size}
            for head in log.head_keys
        ],
        "anchors": [
            {
                "chain_id": anchor.chain_id,
                "genesis_hash": "0x" + anchor.genesis_hash.hex(),
                "contract": "0x" + anchor.contract.hex(),
                "code_hash": "0x" + anchor.code_hash.hex(),
                "log_id": "0x" + anchor.log_id.hex(),
                "self_anchored": anchor.self_anchored,
            }
            for anchor in log.anchors
        ],
    }


def _parse_log(value: JsonValue) -> TrustedLog:
    members = object_of(value, _LOG_MEMBERS, what="A trusted log")
    return TrustedLog(
        origin=Origin(text_of(members["origin"], what="origin", pattern=ORIGIN)),
        org=text_of(members["org"], what="org", pattern=ORGANIZATION),
        issuer_name=text_of(members["issuer_name"], what="issuer_name", pattern=_ISSUER_NAME),
        status_keys=_parse_keys(members["status_keys"]),
        acceptance_keys=_parse_keys(members["acceptance_keys"]),
        head_keys=tuple(_parse_head_key(item) for item in list_of(members["head_keys"], what="head_keys")),
        anchors=tuple(_parse_anchor(item) for item in list_of(members["anchors"], what="anchors")),
    )


def _parse_keys(value: JsonValue) -> tuple[VerifierKey, ...]:
    return tuple(parse_vkey(text_of(item, what="A key")) for item in list_of(value, what="Keys"))


def _parse_head_key(value: JsonValue) -> HeadKey:
    members = object_of(value, ("vkey", "from_size", "to_size"), what="A head key")
    start = integer_of(members["from_size"], what="from_size")
    end = members["to_size"]
    return HeadKey(
        key=parse_vkey(text_of(members["vkey"], what="vkey")),
        from_size=TreeSize(start),
        to_size=None if end is None else TreeSize(integer_of(end, what="to_size", at_least=start)),
    )


def _parse_anchor(value: JsonValue) -> TrustedAnchor:
    members = object_of(value, _ANCHOR_MEMBERS, what="A trusted anchor")
    self_anchored = members["self_anchored"]
    if not isinstance(self_anchored, bool):
        raise MalformedError("self_anchored is not a boolean.")
    return TrustedAnchor(
        chain_id=integer_of(members["chain_id"], what="chain_id", at_least=1),
        genesis_hash=hex_of(members["genesis_hash"], what="genesis_hash", size=32),
        contract=hex_of(members["contract"], what="contract", size=20),
        code_hash=hex_of(members["code_hash"], what="code_hash", size=32),
        log_id=hex_of(members["log_id"], what="log_id", size=32),
        self_anchored=self_anchored,
    )
