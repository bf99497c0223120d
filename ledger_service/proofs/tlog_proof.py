"""Offline proofs of inclusion (C2SP tlog-proof): index, path and signed checkpoint in one text."""

from __future__ import annotations

from dataclasses import dataclass

from ledger_service.errors import MalformedError
from ledger_service.proofs.checkpoint import parse_checkpoint, parse_size
from ledger_service.proofs.note import decode_base64, encode_base64, parse_note
from ledger_service.proofs.types import LeafIndex

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 64


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A path for entry `index` and the note it leads to, verbatim. `extra` is authenticated by nothing."""

    index: LeafIndex
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def format_tlog_proof(proof: TlogProof) -> bytes:
    """Return the proof's text in UTF-8; raises MalformedError when it would not parse."""
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(f"extra {encode_base64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines += [encode_base64(step) for step in proof.hashes]
    data = "".join(f"{line}\n" for line in [*lines, ""]).encode() + proof.checkpoint
    if parse_tlog_proof(data) != proof:
        raise MalformedError("The proof cannot be written down.")
    return data


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Return the proof that `format_tlog_proof` writes as `data`; raises MalformedError."""
    head, separator, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("The head of the proof is not ASCII.") from None
    if not separator or lines.pop(0) != HEADER:
        raise MalformedError(f"The text is not a {HEADER}.")
    parse_checkpoint(parse_note(checkpoint).text)
    extra = decode_base64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index ") or len(lines) > MAX_PATH + 1:
        raise MalformedError("The proof has no index line, or a path of more than 64 hashes.")
    index = LeafIndex(parse_size(lines[0][6:]))
    return TlogProof(index, tuple(decode_base64(line, size=32) for line in lines[1:]), checkpoint, extra)
