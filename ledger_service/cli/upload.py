"""Sending a file of rows in parts, so that it can be cut off anywhere and continued.

Each part is a bulk request under a key of its own, made from the file's key and the part's number. Beside the
file stands how many rows are confirmed; what was confirmed is not sent again, and what was sent without being
confirmed is sent again under the same key, which records nothing twice.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ledger_service.errors import (
    LedgerError,
    NotReadyError,
    OutcomeUnknownError,
    OverloadedError,
    StoppedError,
    StorageBusyError,
    StorageUnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger_service.cli.remote import Remote
    from ledger_service.cli.row_file import Row, RowFile

PART_ROWS: Final = 20_000
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0
_VERSION: Final = "audit-ledger/upload/v1"
_NUMBERS: Final = ("confirmed", "recorded", "refused", "errors_bytes")
_GOOD: Final = range(200, 300)
_OURS: Final = range(400, 500)
# What a service that is away, starting, full or cut off says; the same rows are right a moment later.
_PASSING: Final = (
    NotReadyError,
    OverloadedError,
    OutcomeUnknownError,
    StoppedError,
    StorageBusyError,
    StorageUnavailableError,
)


class _CutOffError(Exception):
    """An answer that ended before every row had one."""


@dataclass(slots=True)
class Progress:
    """What is known of an upload; beside the file if `path` is given."""

    key: str
    target: str
    path: Path | None
    confirmed: int = 0
    recorded: int = 0
    refused: int = 0
    errors_bytes: int = 0

    @classmethod
    def load(cls, path: Path | None, *, key: str, target: str) -> Progress:
        """What stands beside the file, if it is about the same rows for the same collection.

        Raises UsageError when it cannot be read.
        """
        anew = cls(key, target, path)
        if path is None or not path.exists():
            return anew
        try:
            found = json.loads(path.read_bytes())
            numbers = {name: found[name] for name in _NUMBERS}
            about = (found["v"], found["key"], found["target"])
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path} is not the progress of an upload; remove it to begin anew.") from None
        return cls(key, target, path, **numbers) if about == (_VERSION, key, target) else anew

    def save(self) -> None:
        """Write it down, whole or not at all."""
        if self.path is None:
            return
        document = {name: getattr(self, name) for name in ("key", "target", *_NUMBERS)}
        draft = self.path.with_name(self.path.name + ".draft")
        draft.write_text(json.dumps({"v": _VERSION} | document) + "\n", encoding="ascii")
        draft.replace(self.path)

    def forget(self) -> None:
        """Remove it: everything is confirmed, and whoever sends it all again gets the original answers."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class Upload:
    """One file on its way to one collection."""

    remote: Remote
    path: str
    rows: RowFile
    progress: Progress
    errors: Path | None
    patience_s: float
    tell: Callable[[dict[str, Any]], None]
    pause: Callable[[float], None] = field(default=time.sleep)
    part_rows: int = PART_ROWS

    def run(self) -> None:
        """Send everything that is not confirmed; `tell` hears of each row, once its part is confirmed.

        Raises what the service refuses a whole request with, and NotReadyError after `patience_s` seconds
        without any progress.
        """
        if self.errors is not None and self.errors.exists():
            self._cut_errors(self.errors)
        rows = islice(self.rows.rows(), self.progress.confirmed, None)
        while part := list(islice(rows, self.part_rows)):
            self._confirm(part, self._send(part))
        self.progress.forget()

    def _cut_errors(self, errors: Path) -> None:
        """Leave in the file of errors only those of confirmed rows; an old file is replaced."""
        with errors.open("ab") as file:
            file.truncate(min(self.progress.errors_bytes, file.tell()))
        if self.progress.errors_bytes == 0:
            errors.unlink()

    def _send(self, part: list[Row]) -> list[dict[str, Any]]:
        """The answer to every row of a part, after as many tries as it takes."""
        deadline = time.monotonic() + self.patience_s
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return self._try(part)
            except (*_PASSING, _CutOffError, OSError, http.client.HTTPException) as error:
                if time.monotonic() >= deadline:
                    text = error.text if isinstance(error, LedgerError) else "The connection was cut."
                    raise NotReadyError(f"Giving up after {self.patience_s:g} s: {text}") from error
            self.pause(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _try(self, part: list[Row]) -> list[dict[str, Any]]:
        first = part[0].number
        headers = {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": f"{self.progress.key}/{first}",
        }
        answers: list[dict[str, Any]] = []
        try:
            for answer in self.remote.stream(self.path, _pieces(part), headers=headers):
                if answer["status"] not in _GOOD and answer["status"] not in _OURS:
                    # The service had to stop; the rows before this one are recorded.
                    raise _CutOffError
                answers.append(answer)
        except (ValueError, KeyError, TypeError) as error:
            raise _CutOffError from error
        if len(answers) != len(part):
            raise _CutOffError
        return answers

    def _confirm(self, part: list[Row], answers: list[dict[str, Any]]) -> None:
        refused: list[dict[str, Any]] = []
        for row, answer in zip(part, answers, strict=True):
            told = answer | {"row": row.number}
            if row.refusal is not None:
                told |= {"detail": row.refusal.text, "errors": row.refusal.details}
            if told["status"] in _GOOD:
                self.progress.recorded += 1
            else:
                told = {"line": row.line} | told
                refused.append(told)
            self.tell(told)
        if self.errors is not None and refused:
            with self.errors.open("ab") as file:
                file.writelines(json.dumps(each).encode() + b"\n" for each in refused)
                file.flush()
                os.fsync(file.fileno())
                self.progress.errors_bytes = file.tell()
        self.progress.refused += len(refused)
        self.progress.confirmed = part[-1].number
        self.progress.save()


def _pieces(part: list[Row]) -> Iterator[bytes]:
    for start in range(0, len(part), 200):
        yield b"".join(row.json + b"\n" for row in part[start : start + 200])
