"""A paper of each kind that people record, and of a verification, in each language, with all that checks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.web.languages import LANGUAGES
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.trust import parse_trust
from tests.unit.api.conftest import signing_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from ledger_service.proofs.policy import Policy
    from ledger_service.proofs.trust import Trust

EXAMPLES: Final = {
    "purchases": EXAMPLE_PURCHASE,
    "completions": EXAMPLE_COMPLETION,
    "datasets": EXAMPLE_DATASET,
}


@dataclass(frozen=True, slots=True)
class SamplePaper:
    """A paper that shows all fields, and what its evidence is checked with."""

    word: str
    language: str
    pdf: bytes
    policy: Policy
    trust: Trust
    now: datetime


def draw_samples(folder: Path) -> Iterator[SamplePaper]:
    """Draw them on a ledger in `folder`."""
    folder.mkdir()
    with signing_desk(folder) as desk:
        service = desk.service
        for word, payload in EXAMPLES.items():
            record = desk.record(payload, name=word, word=word).headers["Record-Id"]
            documents = service.trust_documents("shop", word)
            policy, trust = parse_policy(documents.policy), parse_trust(documents.trust)
            for language in LANGUAGES:
                reply = desk.get(f"/v1/records/{record}/paper?fields=all&lang={language}", key=desk.key)
                assert reply.status_code == 200, reply.data
                now = service.clock.now()
                yield SamplePaper(word, language, reply.data, policy, trust, now)
        evidence = desk.get(f"/v1/records/{record}/evidence?fields=all", key=desk.key).data
        for language in LANGUAGES:
            asked = f"/v1/verify/report?format=pdf&lang={language}"
            reply = desk.client.post(asked, data=evidence, content_type="application/json")
            assert reply.status_code == 200, reply.data
            yield SamplePaper("report", language, reply.data, policy, trust, service.clock.now())
