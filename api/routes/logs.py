"""Logs: what there is, and that each size continues the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint
from flask import request

from api.answers import BRIEFLY, bytes_answer, json_answer
from api.operations import Content, Parameter, operation
from api.parsing import parse_number
from api.service import service
from api.shapes import Consistency, LogList, LogState, TrustFile
from ledger_service.proofs.canonical import encode_base64url, format_time
from ledger_service.proofs.note import format_vkey
from ledger_service.verification.anchors import newest_anchor

if TYPE_CHECKING:
    from flask import Response

    from ledger_service.log.directory import LogRow
    from ledger_service.log.eras import KeyEra

blueprint = APIBlueprint("logs", __name__)
_TEXT: Final = "text/plain; charset=utf-8"


@blueprint.get("/v1/logs")
@operation(blueprint, "listLogs", tag="logs", answers={200: Content("Every log, oldest first.", LogList)})
def all_logs() -> Response:
    """List the logs with their sizes, keys and last anchors."""
    found = [_describe(log) for log in service().logs.logs()]
    return json_answer({"logs": found})


@blueprint.get("/v1/logs/<org>/<collection>")
@operation(blueprint, "logState", tag="logs", answers={200: Content("The log.", LogState)})
def log_state(org: str, collection: str) -> Response:
    """Tell a log's size, keys, contract and last anchor."""
    return json_answer(_describe(service().public_log(org, collection)))


@blueprint.get("/v1/logs/<org>/<collection>/consistency")
@operation(
    blueprint,
    "logConsistency",
    tag="logs",
    parameters=(
        Parameter("from", "The smaller size.", required=True, number=True),
        Parameter("to", "The larger size.", required=True, number=True),
    ),
    answers={200: Content("The proof with both roots.", Consistency)},
)
def consistency(org: str, collection: str) -> Response:
    """Prove that a log of one size is the beginning of the same log at a larger size (RFC 9162)."""
    first = parse_number(request.args.get("from"), name="from")
    second = parse_number(request.args.get("to"), name="to")
    log = service().public_log(org, collection)
    with service().logs.view_number(log.id) as view:
        proof = view.prove_consistency(first, second)
        roots = [view.root_at(size) for size in (first, second)]
    return json_answer(
        {
            "origin": log.origin,
            "first": {"size": first, "root": encode_base64url(roots[0])},
            "second": {"size": second, "root": encode_base64url(roots[1])},
            "proof": [encode_base64url(step) for step in proof],
        }
    )


@blueprint.get("/v1/logs/<org>/<collection>/policy")
@operation(
    blueprint, "logPolicy", tag="logs", answers={200: Content("C2SP tlog-policy.", media=("text/plain",))}
)
def policy(org: str, collection: str) -> Response:
    """Give the policy of a log. For trust, compare its fingerprint with one from elsewhere."""
    return bytes_answer(service().trust_documents(org, collection).policy, media=_TEXT, cache=BRIEFLY)


@blueprint.get("/v1/logs/<org>/<collection>/trust")
@operation(blueprint, "logTrust", tag="logs", answers={200: Content("The trust file.", TrustFile)})
def trust(org: str, collection: str) -> Response:
    """Give the trust file of a log. For trust, compare its fingerprint with one from elsewhere."""
    return bytes_answer(service().trust_documents(org, collection).trust, cache=BRIEFLY)


def _describe_era(era: KeyEra) -> dict[str, Any]:
    return {
        "vkeys": [format_vkey(key) for key in era.vkeys],
        "from_size": era.from_size,
        "to_size": era.to_size,
        "began": format_time(era.began),
        "leaked": era.leaked,
    }


def _describe(log: LogRow) -> dict[str, Any]:
    here = service()
    with here.logs.view_number(log.id) as view:
        size, root = view.size, view.root_at(view.size)
        eras = view.log.eras
    with here.database.look() as conn:
        anchor = newest_anchor(conn, log.id)
    return {
        "origin": log.origin,
        "org": log.org,
        "collection": log.collection,
        "kinds": list(log.kinds),
        "created": format_time(log.created),
        "size": size,
        "root": encode_base64url(root),
        "vkeys": [format_vkey(key) for key in eras[-1].vkeys],
        "keys": [_describe_era(era) for era in reversed(eras)],
        "anchor": None
        if anchor is None
        else {
            "chain_id": anchor.chain_id,
            "contract": f"0x{anchor.contract.hex()}",
            "log_id": f"0x{anchor.log_id.hex()}",
            "size": anchor.size,
            "root": encode_base64url(anchor.root),
            "time": format_time(anchor.time),
            "block_number": anchor.block.number,
            "tx_hash": f"0x{anchor.tx_hash.hex()}",
        },
    }
