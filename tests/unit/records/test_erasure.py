"""The kind `erasure/v1`: private targets, a public reason from a short list, nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ledger_service.errors import InvalidPayloadError
from ledger_service.records.erasure import ERASURE, EXAMPLE_ERASURE, REASONS, parse_erasure, read_targets

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("reason", REASONS)
def test_targets_are_private_and_the_reason_is_public(reason: str) -> None:
    """Every reason of the list is taken; targets and the end of backups are private; nobody is its subject."""
    parsed = parse_erasure({**EXAMPLE_ERASURE, "reason": reason}, NOW)
    assert parsed.public == {"reason": reason}
    assert set(parsed.private) == set(ERASURE.schema.private)
    assert (parsed.subject, parsed.reference) == (None, None)
    assert len(read_targets(parsed.private)) == 1
    assert ERASURE.subject_of(EXAMPLE_ERASURE) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": "Ann Smith asked"}, "reason"),
        ({"targets": []}, "targets"),
        ({"targets": [{"log": "l", "index": -1, "leaf": "AA"}]}, "targets"),
        ({"unrecoverable": "tomorrow"}, "unrecoverable"),
        ({"subject": "ann"}, "subject"),
    ],
)
def test_free_text_and_malformed_targets_are_refused(changes: dict[str, Any], field: str) -> None:
    """A reason in words of one's own, no target, a malformed one or a name is refused at its place."""
    with pytest.raises(InvalidPayloadError) as caught:
        parse_erasure({**EXAMPLE_ERASURE, **changes}, NOW)
    problems: Any = caught.value.details["fields"]
    assert [each["field"] for each in problems] == [field]
