"""The kinds of an installation agree with each other and with their logs."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ledger_service.proofs.canonical import encode
from ledger_service.proofs.status import ACTIVE, STATES
from ledger_service.records.preparation import encode_values
from ledger_service.wiring.kinds import KINDS, LOG_KINDS

if TYPE_CHECKING:
    from ledger_service.records.kinds import Kind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALL = KINDS.all()


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_logs_are_opened_for_their_kinds(kind: Kind) -> None:
    """The logs of a kind's collection name it in their opening, and openings list kinds in order."""
    for collection in [kind.collection] if kind.collection else LOG_KINDS:
        assert kind.name in LOG_KINDS[collection]
        assert list(LOG_KINDS[collection]) == sorted(LOG_KINDS[collection])


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_examples_are_taken_as_their_schemas_say(kind: Kind) -> None:
    """An example is valid, has no field outside its schema, and its sealed form is canonical."""
    parsed = kind.parse(kind.example, NOW)
    assert kind.schema.kind == kind.name
    assert set(parsed.private) <= set(kind.schema.private)
    assert set(parsed.public) <= set(kind.schema.public)
    assert encode_values(parsed) == encode(parsed.private)
    assert kind.subject_of(kind.example) == parsed.subject


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_kinds_travel_between_processes(kind: Kind) -> None:
    """A kind arrives in another process as the same kind."""
    assert pickle.loads(pickle.dumps(kind)) == kind


def test_words_in_urls_are_each_kind_s_own() -> None:
    """No two kinds are recorded under the same word."""
    words = [kind.word for kind in ALL if kind.word is not None]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_states_and_reasons_are_those_of_statements(kind: Kind) -> None:
    """Every state that a status can take is one that statements know, and each begins as active."""
    steps = {state for step in kind.changes for state in step}
    assert steps <= set(STATES)
    assert not steps or ACTIVE in {before for before, _ in kind.changes}
