"""What the page of a record shows: its verdict, how far it has come, its proof drawn, and how to check it oneself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from flask import request

from api.service import service
from api.web.languages import gettext as _
from api.web.words import format_when
from ledger_service.errors import BadRequestError, NotSequencedError
from ledger_service.proofs.audit_path import draw_path
from ledger_service.proofs.checkpoint import parse_checkpoint
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.note import parse_note
from ledger_service.proofs.verdict import people_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.proofs.audit_path import PathStep
    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.checkpoint import Checkpoint
    from ledger_service.proofs.evidence import Evidence
    from ledger_service.proofs.verdict import Verdict
    from ledger_service.verification.archive import RecordState
    from ledger_service.verification.relatives import Relatives

_HOST: Final = re.compile(
    r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9a-f:]{2,45}\](?::[0-9]{1,5})?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A record's evidence, taken apart for the eye. `people` is the answer in one of three words."""

    evidence: Evidence
    verdict: Verdict
    people: str
    checkpoint: Checkpoint
    path: tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Everything that the page shows. `proof` is None until the record is published."""

    state: RecordState
    collection: str
    issuer: str
    public: Mapping[str, JsonValue]
    relatives: Relatives
    proof: Proof | None
    pending: str | None
    commands: tuple[str, ...]


def read_record_page(record_id: str, *, evidence: bytes | None = None) -> RecordPage:
    """What there is to show of a record, by `evidence` or what anyone may have of it; raises NotFoundError."""
    here = service()
    state = here.archive.state(record_id)
    org, collection = place_of(state.log)
    return RecordPage(
        state=state,
        collection=collection,
        issuer=here.organizations.find(org).name,
        public=parse_entry(state.entry).claim.public,
        relatives=here.archive.relatives(record_id),
        proof=_proof(record_id, evidence),
        pending=_pending(state),
        commands=_commands(state.id, org, collection),
    )


def place_of(origin: str) -> tuple[str, str]:
    """Organization and collection, which end a log's origin."""
    org, collection = origin.split("/")[-2:]
    return org, collection


def site() -> str:
    """How the reader reached us, such as https://ledger.example; raises BadRequestError for a strange name."""
    if not _HOST.fullmatch(request.host):
        raise BadRequestError("The request names no host.")
    return f"{request.scheme}://{request.host}"


def _proof(record_id: str, document: bytes | None) -> Proof | None:
    here = service()
    try:
        document = document or here.archive.evidence(record_id)
    except NotSequencedError:
        return None
    verdict = here.judge.judge(document)
    evidence = parse_evidence(document)
    checkpoint = parse_checkpoint(parse_note(evidence.proof.checkpoint).text)
    path = draw_path(
        leaf_hash(evidence.entry),
        index=evidence.proof.index,
        size=checkpoint.size,
        proof=evidence.proof.hashes,
    )
    return Proof(evidence, verdict, people_words(verdict.result), checkpoint, path)


def _pending(state: RecordState) -> str | None:
    """What the record still waits for, and until when; None when nothing is left to wait for."""
    here = service()
    settings = here.settings
    if state.stage in {"accepted", "sequenced"}:
        promised = state.accepted + timedelta(seconds=settings.max_accept_delay_s)
        return _("Waits for its place in the log, which is promised by %(time)s.") % {
            "time": format_when(promised)
        }
    if state.stage == "published":
        trouble = None if here.keeper is None else here.keeper.chain_trouble
        if here.keeper is None or trouble is not None:
            return _(
                "In the log and proven. Waits for its anchor: the chain does not answer at present, so no time can be"
                " given; anchoring goes on by itself when it does."
            )
        expected = here.clock.now() + timedelta(seconds=settings.anchor_every_s + 2 * settings.chain_poll_s)
        return _("In the log and proven. Waits for its anchor on the chain, expected by %(time)s.") % {
            "time": format_when(expected)
        }
    if state.stage == "anchored":
        return _("Anchored. Waits until %(number)s blocks hold the anchor; then it is final.") % {
            "number": settings.needed_confirmations
        }
    return None


def _commands(record_id: str, org: str, collection: str) -> tuple[str, ...]:
    base = site()
    log = f"{base}/v1/logs/{org}/{collection}"
    return (
        f"curl -sS --fail -o evidence.json {base}/v1/records/{record_id}/evidence",
        f"curl -sS --fail -o policy.txt {log}/policy \\\n  -o trust.json {log}/trust",
        "python -m ledger_service.proofs evidence.json --policy policy.txt --trust trust.json",
    )
