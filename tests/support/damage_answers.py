"""Everything that an installation answers about its records, and what a damaged copy of it answers instead."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from api.errors import status_of
from ledger_service.chain.abi import load_artifacts
from ledger_service.chain.client import Node
from ledger_service.chain.embedded.reading import read_chain
from ledger_service.chain.observer import NodeView
from ledger_service.config import load_settings
from ledger_service.errors import LedgerError
from ledger_service.log.tables import log_heads, logs
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.evidence import parse_evidence
from ledger_service.proofs.merkle import TILE_WIDTH
from ledger_service.records.tables import records
from ledger_service.verification.finder import Wanted
from ledger_service.verification.judge import IssuerKeys, Judge
from ledger_service.wiring import build
from ledger_service.wiring.installation import chain_file
from tests.support.small_ledger import SetClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ledger_service.log.directory import LogRow
    from ledger_service.log.reader import LogView
    from ledger_service.wiring import Service

Answers = dict[str, object]


@dataclass
class Asked:
    """What to ask: drawn from the undamaged ledger once. `faults` are answers that no API may give."""

    records: tuple[str, ...]
    logs: tuple[tuple[str, int], ...]
    key: str
    faults: list[str] = field(default_factory=list)


@contextmanager
def opened(environment: Mapping[str, str], *, now: datetime) -> Iterator[Service]:
    """The service of an installation at a fixed time; it reads only. Raises LedgerError."""
    with build(load_settings(environment), clock=SetClock(now), anchoring=False) as service:
        yield service


@contextmanager
def judging(service: Service) -> Iterator[Judge]:
    """The server's judge, who looks at the embedded chain as its file is; at none if that is unreadable."""

    def keys(log: LogRow) -> IssuerKeys:
        signer = service.signers.of(log.origin, log.era.number)
        name = service.organizations.find(log.org).name
        return IssuerKeys(name, (signer.status.vkey,), (signer.acceptance.vkey,))

    def judge(view: NodeView | None) -> Judge:
        return Judge(service.database, issuer_keys=keys, chain_view=view, clock=service.clock)

    with ExitStack() as stack:
        view = None
        with suppress(LedgerError):
            file = stack.enter_context(read_chain(chain_file(service.settings), clock=service.clock))
            view = NodeView(Node(file), artifacts=load_artifacts())
        yield judge(view)


def ask_what_to_ask(service: Service, key: str) -> Asked:
    """Every record and every log of an undamaged installation."""
    with service.database.read() as conn:
        rids = conn.execute(select(records.c.rid).order_by(records.c.id)).scalars().all()
        sizes = conn.execute(
            select(logs.c.origin, log_heads.c.size).join(log_heads, log_heads.c.log_id == logs.c.id)
        )
        found = tuple((row.origin, row.size) for row in sizes)
    return Asked(tuple(encode_base64url(rid) for rid in rids), found, key)


def evidence_answers(service: Service, asked: Asked) -> Answers:
    """The evidence of every record."""
    archive = service.archive
    return {f"evidence {each}": _said(asked, archive.evidence, each) for each in asked.records}


def other_answers(service: Service, asked: Asked) -> Answers:
    """State, receipt and payload of every record; every checkpoint, tile and bundle; lists, keys and webhooks."""
    found: Answers = {
        "caller": _said(asked, service.api_keys.authenticate, asked.key),
        "keys": _said(asked, service.api_keys.all),
        "organizations": _said(asked, service.organizations.all),
        "logs": _said(asked, service.logs.logs),
        "readiness": _said(asked, service.readiness),
    }
    for each in asked.records:
        found[f"state {each}"] = _said(asked, service.archive.state, each)
        found[f"receipt {each}"] = _said(asked, service.archive.receipt, each, org_id=1)
        found[f"payload {each}"] = _said(asked, service.archive.payload, each, org_id=1)
    for number in (0, 1, 7, 42):
        wanted = Wanted(("purchase/v1",), reference=str(number))
        found[f"order {number}"] = _said(asked, _listed, service, wanted)
    found["list"] = _said(asked, _listed, service, Wanted(tuple(kind.name for kind in service.kinds.all())))
    for origin, size in asked.logs:
        found[f"{origin} trust"] = _said(asked, service.judge.documents, origin)
        found[f"{origin} checkpoint"] = _said(asked, _seen, service, origin, lambda view: view.checkpoint())
        for first in range(0, size, TILE_WIDTH):
            at, width = first // TILE_WIDTH, min(TILE_WIDTH, size - first)
            tile = partial(_read_both, at=at, width=width)
            found[f"{origin} tile {at}"] = _said(asked, _seen, service, origin, tile)
        found[f"{origin} consistency"] = _said(
            asked, _seen, service, origin, lambda view, size=size: view.prove_consistency(size // 2, size)
        )
    return found


def _read_both(view: LogView, *, at: int, width: int) -> tuple[bytes, bytes]:
    return view.read_tile(0, at, width), view.bundle(at, width)


def _seen(service: Service, origin: str, look: Callable[[LogView], object]) -> object:
    with service.logs.view(origin) as view:
        return look(view)


def _listed(service: Service, wanted: Wanted) -> list[object]:
    found: list[object] = []
    cursor: str | None = None
    while True:
        page = service.finder.find(wanted, org_id=1, cursor=cursor, limit=500)
        found += page.records
        cursor = page.cursor
        if cursor is None:
            return found


def _said(asked: Asked, question: Callable[..., object], *arguments: Any, **options: Any) -> object:
    """What was answered: a value, or the code of a typed error. Anything else is a fault."""
    try:
        return question(*arguments, **options)
    except LedgerError as error:
        if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
            asked.faults.append(f"{question.__name__}{arguments}: 500 {error.code}")
        return ("error", error.code)
    except Exception as error:  # noqa: BLE001  it is what we look for
        asked.faults.append(f"{question.__name__}{arguments}: {type(error).__name__}: {error}")
        return ("fault", type(error).__name__)


def content_of(evidence: bytes) -> tuple[object, ...]:
    """What evidence says of its record, without what a later checkpoint changes: proof, anchors, as-of."""
    parsed = parse_evidence(evidence)
    status = parsed.status
    said = None if status is None else (status.pointer, status.history)
    return parsed.entry, parsed.schema, parsed.fields, said


def wrongly_valid(service: Service, original: Answers, answers: Answers) -> list[str]:
    """The records of which something else than before is served and judged valid."""
    differing = [
        (name, evidence)
        for name, evidence in answers.items()
        if isinstance(evidence, bytes) and not _says_the_same(evidence, original[name])
    ]
    if not differing:
        return []
    with judging(service) as judge:
        return [name for name, evidence in differing if judge.judge(evidence).result == "valid"]


def _says_the_same(evidence: bytes, before: object) -> bool:
    if evidence == before:
        return True
    try:
        return isinstance(before, bytes) and content_of(evidence) == content_of(before)
    except LedgerError:
        return False
