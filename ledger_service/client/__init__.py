"""The Python client: records facts at a running ledger, and believes nothing that it cannot check."""

from ledger_service.client.ledger_client import LedgerClient, Recorded, RecordState, RowResult

__all__ = ["LedgerClient", "RecordState", "Recorded", "RowResult"]
