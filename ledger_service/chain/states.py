"""What a record can be, numbered as in the contracts."""

from __future__ import annotations

from enum import IntEnum


class RecordState(IntEnum):
    """What a record is; the log's word for it is the name in lower case."""

    ACTIVE = 0
    SUSPENDED = 1
    REVOKED = 2
    REFUNDED = 3
    SUPERSEDED = 4
    WITHDRAWN = 5
