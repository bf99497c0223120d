"""Auditing erasures: whatever contents are missing, an erasure in the same log must name, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.records.erasure import read_targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.log.directory import LogRow
    from ledger_service.log.findings import AuditReport
    from ledger_service.proofs.canonical import JsonValue


class ErasureAudit:
    """What is missing in one log, and what its erasures say. `unread` counts erasures that were not opened."""

    __slots__ = ("_erased", "_log", "_missing", "_report", "unread")

    def __init__(self, log: LogRow, *, report: AuditReport) -> None:
        """Nothing is known yet."""
        self._log = log
        self._report = report
        self._missing: dict[int, tuple[str, bytes, bool]] = {}
        self._erased: dict[int, bytes] = {}
        self.unread = 0

    def note_missing(self, index: int, where: str, leaf: bytes, *, kept: bytes | None) -> None:
        """The contents of this entry cannot be opened by anyone; `kept` is what lies in the payload's place."""
        self._missing[index] = (where, leaf, kept is not None and any(kept))

    def note_erasure(self, fields: Mapping[str, JsonValue], where: str) -> None:
        """An erasure says that these contents were destroyed; raises MalformedError when it says nothing."""
        self._report.looked_at["erasures"] += 1
        for target in read_targets(fields):
            if target.log != self._log.origin:
                self._report.add("erasure_elsewhere", where, "the erasure names an entry of another log")
            else:
                self._erased[target.index] = target.leaf

    def finish(self) -> None:
        """Compare, when every entry was seen."""
        for index, (where, leaf, kept) in self._missing.items():
            if self._erased.get(index) == leaf:
                self._report.looked_at["payloads erased"] += 1
                if kept:
                    self._report.add("payload_kept", where, "the erased payload still lies there, sealed")
            elif self.unread:
                self._report.looked_at["payloads missing, erasures not opened"] += 1
            else:
                self._report.add(
                    "payload_missing", where, "payload, salt or key is gone, and no entry erased them"
                )
        for index in self._erased.keys() - self._missing.keys():
            where = f"{self._log.origin} entry {index}"
            self._report.add("payload_not_erased", where, "an erasure names it, and its contents are there")
