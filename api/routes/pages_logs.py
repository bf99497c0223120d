"""Pages of logs: which there are, how each grew, and that each size continues the one before."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import request

from api.parsing import parse_number
from api.service import service
from api.web.rendering import check_language, page
from ledger_service.errors import LedgerError, UnknownCheckpointError
from ledger_service.log.directory import log_of_number
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.note import ALG_ED25519, ALG_EIP712, ALG_MLDSA44, format_vkey
from ledger_service.verification.anchors import newest_anchor
from ledger_service.verification.growth import newest_anchors, read_backlog, read_growth, sample_anchors
from ledger_service.verification.trust_documents import fingerprint, trusted_anchors

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Response

    from ledger_service.log.directory import LogRow
    from ledger_service.log.eras import KeyEra
    from ledger_service.log.reader import PublishedCheckpoint
    from ledger_service.proofs.evidence import Anchor

blueprint = APIBlueprint("pages_logs", __name__, enable_openapi=False)
blueprint.before_request(check_language)

_LISTED: Final = 12
_ALGORITHMS: Final = {
    ALG_ED25519: "Ed25519",
    ALG_MLDSA44: "ML-DSA-44",
    ALG_EIP712: "secp256k1 (EIP-712)",
}


@dataclass(frozen=True, slots=True)
class LogSummary:
    """A log as a list shows it."""

    log: LogRow
    name: str
    size: int
    checkpoint: PublishedCheckpoint | None
    anchor: Anchor | None


@dataclass(frozen=True, slots=True)
class ReplacedKeys:
    """Keys that signed a log until `ended`, when others took over."""

    era: KeyEra
    ended: datetime
    keys: list[tuple[str, str]]


@blueprint.get("/logs")
def all_logs() -> Response:
    """List the logs."""
    return page("logs.html", logs=[summarize(log) for log in service().logs.logs()])


@blueprint.get("/logs/<org>/<collection>")
def one_log(org: str, collection: str) -> Response:
    """Show one log: growth, anchors, keys, trust."""
    here = service()
    log = here.public_log(org, collection)
    documents = here.trust_documents(org, collection)
    with here.database.read() as conn:
        growth, anchors = read_growth(conn, log.id), sample_anchors(conn, log.id)
        newest = newest_anchors(conn, log.id, most=_LISTED)
        backlog = read_backlog(conn, log.id)
        contracts = trusted_anchors(conn, log.id)
        eras = log_of_number(conn, log.id).eras
    return page(
        "log.html",
        summary=summarize(log),
        growth=growth,
        backlog=backlog,
        newest=newest,
        contracts=contracts,
        keys=_named_keys(eras[-1]),
        replaced=[
            ReplacedKeys(era, after.began, _named_keys(era)) for era, after in itertools.pairwise(eras)
        ][::-1],
        fingerprints={
            "policy": fingerprint(documents.policy),
            "trust": fingerprint(documents.trust),
        },
        series={
            "growth": [[point.time, point.size] for point in growth],
            "anchors": [[point.time, point.size, point.lag_s] for point in anchors],
        },
        consistency=_consistency(log),
    )


def _named_keys(era: KeyEra) -> list[tuple[str, str]]:
    return [(_ALGORITHMS[key.alg], format_vkey(key)) for key in era.vkeys]


def summarize(log: LogRow) -> LogSummary:
    """What a list shows of a log."""
    here = service()
    with here.logs.view_number(log.id) as view:
        size = view.size
        try:
            checkpoint = view.checkpoint()
        except UnknownCheckpointError:
            checkpoint = None
    with here.database.read() as conn:
        anchor = newest_anchor(conn, log.id)
    return LogSummary(log, here.organizations.find(log.org).name, size, checkpoint, anchor)


def _consistency(log: LogRow) -> dict[str, object] | None:
    """What the server says about two sizes that were asked for; None when none were."""
    asked = request.args.get("from"), request.args.get("to")
    if asked == (None, None):
        return None
    told: dict[str, object] = {"from": asked[0], "to": asked[1]}
    try:
        first, second = (
            parse_number(size, name=name) for size, name in zip(asked, ("from", "to"), strict=True)
        )
        with service().logs.view_number(log.id) as view:
            proof = view.prove_consistency(first, second)
            roots = [encode_base64url(view.root_at(size)) for size in (first, second)]
    except LedgerError as error:
        return {**told, "problem": error.text}
    return {**told, "proof": len(proof), "roots": roots}
