"""What a client has seen of each log: the largest checkpoint. A log that does not continue it was forked."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import decode_base64url, encode_base64url
from ledger_service.proofs.checkpoint import Checkpoint
from ledger_service.proofs.types import Origin, RootHash, TreeSize

if TYPE_CHECKING:
    from pathlib import Path

_VERSION: Final = "audit-ledger/seen/v1"


class SeenCheckpoints:
    """The largest checkpoint of each log, in a file if there is one: without, a restart forgets it."""

    def __init__(self, path: Path | None) -> None:
        """Read the file; raises MalformedError when it is no such file."""
        self._path = path
        self._lock = threading.Lock()
        self._seen: dict[str, Checkpoint] = {}
        if path is not None and path.exists():
            self._seen = _parse(path.read_bytes())

    def get(self, origin: str) -> Checkpoint | None:
        """The largest checkpoint of this log, or None at first."""
        with self._lock:
            return self._seen.get(origin)

    def put(self, checkpoint: Checkpoint) -> None:
        """Keep one that was checked, if it is larger than what is kept; durable on return but for a power loss."""
        with self._lock:
            seen = self._seen.get(checkpoint.origin)
            if seen is not None and seen.size >= checkpoint.size:
                return
            self._seen[checkpoint.origin] = checkpoint
            if self._path is None:
                return
            logs = {
                origin: {"size": each.size, "root": encode_base64url(each.root)}
                for origin, each in self._seen.items()
            }
            draft = self._path.with_name(self._path.name + ".draft")
            draft.write_text(json.dumps({"v": _VERSION, "logs": logs}) + "\n", encoding="ascii")
            draft.replace(self._path)


def _parse(data: bytes) -> dict[str, Checkpoint]:
    damaged = MalformedError("The file of seen checkpoints is damaged.")
    try:
        document = json.loads(data)
        version = document["v"]
        found = {
            origin: Checkpoint(
                Origin(origin), TreeSize(int(each["size"])), RootHash(decode_base64url(each["root"], size=32))
            )
            for origin, each in document["logs"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, MalformedError):
        raise damaged from None
    if version != _VERSION:
        raise damaged
    return found
