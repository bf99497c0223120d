"""The kind `dataset/v1`: one version of a data set that an agency keeps, by the digest of its file.

The file itself never comes here. There is no data subject: the fields are sealed under the organization's
own key. The data set number is the reference under which the agency finds the record again.

Digests and size are private too, for the digest of a guessable file is as good as the file. Whoever
publishes the data anyway says `publish_digest: true`; then they stand in the entry under the names
`published_sha256`, `published_sm3` and `published_size_bytes`, for everybody, for ever, and among the
private fields they are absent. `row_root` is the RFC 9162 root over the file's rows and stays private.
Digests are 32 bytes in base64url.

A new version names the record of the one before in `supersedes`; that one becomes `superseded`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from ledger_service.proofs.canonical import MAX_INTEGER
from ledger_service.proofs.schema import Schema
from ledger_service.records.kinds import Effect, FieldProblem, Kind, ParsedRecord, Pointing, refuse
from ledger_service.records.payload_rules import (
    DIGEST,
    RECORD_ID,
    YES,
    FieldRule,
    check_fields,
    integer,
    matching,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger_service.proofs.canonical import JsonValue

LONGEST_WORD: Final = 64
LONGEST_TITLE: Final = 256
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII)

_RULES: Final[Mapping[str, FieldRule]] = {
    "dataset_number": word(LONGEST_WORD),
    "file_sha256": DIGEST,
    "file_sm3": DIGEST,
    "licence": word(LONGEST_WORD),
    "media_type": matching(_MEDIA_TYPE, "must be a media type in lower case such as text/csv"),
    "period": word(LONGEST_WORD),
    "row_root": DIGEST,
    "rows": integer(0, MAX_INTEGER),
    "size_bytes": integer(0, MAX_INTEGER),
    "source": word(LONGEST_TITLE),
    "title": word(LONGEST_TITLE),
}
_REQUIRED: Final = frozenset({"dataset_number", "file_sha256", "size_bytes", "title"})
_PUBLISH: Final = "publish_digest"
_SUPERSEDES: Final = "supersedes"
_STEERING: Final[Mapping[str, FieldRule]] = {_PUBLISH: YES, _SUPERSEDES: RECORD_ID}
_PUBLISHED: Final = {
    "file_sha256": "published_sha256",
    "file_sm3": "published_sm3",
    "size_bytes": "published_size_bytes",
}

SCHEMA: Final = Schema(
    kind="dataset/v1", private=tuple(sorted(_RULES)), public=tuple(sorted(_PUBLISHED.values()))
)

EXAMPLE_DATASET: Final[dict[str, Any]] = {
    "dataset_number": "air-quality-2026-q1",
    "title": "Hourly air quality, first quarter of 2026",
    "file_sha256": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "size_bytes": 1048576,
    "media_type": "text/csv",
    "source": "City Environment Office, station network",
    "period": "2026-01-01/2026-03-31",
    "rows": 51840,
    "licence": "CC-BY-4.0",
}
"""A payload that is valid, for documents and tests."""


def parse_dataset(payload: Mapping[str, object], now: datetime) -> ParsedRecord:
    """The fields of one data set; raises InvalidPayloadError that lists the problems and no values."""
    problems: list[FieldProblem] = check_fields(
        payload, rules={**_RULES, **_STEERING}, required=_REQUIRED, now=now
    )
    if "row_root" in payload and "rows" not in payload:
        problems.append({"field": "rows", "problem": "is missing beside row_root"})
    if problems:
        raise refuse(problems)
    fields = cast("Mapping[str, Any]", payload)
    published = _PUBLISHED if fields.get(_PUBLISH) else {}
    return ParsedRecord(
        private={name: value for name, value in fields.items() if name not in {*_STEERING, *published}},
        public={published[name]: value for name, value in fields.items() if name in published},
        subject=None,
        reference=fields["dataset_number"],
        points_at=fields.get(_SUPERSEDES),
    )


def effect_of_dataset(_: Mapping[str, JsonValue]) -> Effect:
    """The version that a new one names as its `previous` is superseded."""
    return Effect("superseded", "replaced")


def subject_of_dataset(_: Mapping[str, object]) -> None:
    """None: a data set is the organization's own."""


DATASET: Final = Kind(
    name="dataset/v1",
    collection="datasets",
    word="datasets",
    schema=SCHEMA,
    parse=parse_dataset,
    subject_of=subject_of_dataset,
    example=EXAMPLE_DATASET,
    changes=frozenset({("active", "superseded"), ("active", "withdrawn")}),
    pointing=Pointing(role="previous", effect=effect_of_dataset, kinds=frozenset({"dataset/v1"})),
)
