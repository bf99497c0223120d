"""Verifiers by other people read a running ledger over HTTP and accept all of it, and nothing else."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from ledger_service.errors import LedgerError
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.proofs.note import parse_vkey
from tests.interop import verifiers
from tests.interop.sample_log import flip
from tests.interop.verifiers import RefusedError
from tests.support.http_ledger import HttpLedger, purchase

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = "logs/shop/purchases"
ORIGIN = f"ledger.test/{LOG}"
ROWS = 300


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """A running ledger with a few hundred purchases: more than one tile."""
    with HttpLedger(tmp_path_factory.mktemp("served")) as running:
        results = running.bulk((json.dumps(purchase(number)).encode() for number in range(ROWS)), name="bulk")
        assert len(results) == ROWS
        running.wait_stage(results[-1]["id"], "published", "anchored", "final")
        yield running


@pytest.fixture(scope="module")
def vkeys(ledger: HttpLedger) -> dict[str, str]:
    """The served verifier keys by what they are for."""
    lines = ledger.get(f"/{LOG}/vkeys").body.decode().splitlines()
    return dict(zip(("ed25519", "mldsa", "eip712"), lines, strict=True))


def test_served_checkpoint_is_accepted(ledger: HttpLedger, vkeys: dict[str, str]) -> None:
    """Both signature lines that C2SP defines are accepted by two verifiers each, and none after a changed bit."""
    note = ledger.get(f"/{LOG}/checkpoint").body
    text = note.decode()
    verifiers.check_checkpoint_with_proofbundle(text, vkeys["ed25519"])
    verifiers.check_line_with_tlog_scales(text, vkeys["ed25519"])
    assert verifiers.check_cosignature_with_proofbundle(text, vkeys["mldsa"]) > 0
    verifiers.check_line_with_tlog_scales(text, vkeys["mldsa"])
    size_at = len(ORIGIN) + 1
    tampered = flip(note, size_at).decode()
    for key in (vkeys["ed25519"], vkeys["mldsa"]):
        with pytest.raises(RefusedError):
            verifiers.check_line_with_tlog_scales(tampered, key)


def test_served_tiles_are_accepted(ledger: HttpLedger, vkeys: dict[str, str]) -> None:
    """A tile client that knows only the log's URL and a key finds the root and every entry; so does pymerkle."""
    reader = verifiers.TlogScalesReader(f"{ledger.url}/{LOG}", vkey=vkeys["ed25519"])
    reader.check_root()
    entries = [reader.check_entry(index) for index in range(ROWS + 1)]
    assert json.loads(entries[0])["claim"]["kind"] == "opening/v1"
    assert {json.loads(entry)["claim"]["kind"] for entry in entries[1:]} == {"purchase/v1"}
    assert verifiers.root_by_pymerkle(entries) == reader.root


def test_served_receipts_are_accepted(ledger: HttpLedger, vkeys: dict[str, str]) -> None:
    """The tlog-proof in a receipt proves its entry to two verifiers, and not the entry of another receipt."""
    replies = [ledger.record(purchase(f"one-{number}"), name=f"one-{number}") for number in range(3)]
    receipts = [reply.json for reply in replies]
    entries = [decode_base64url(receipt["entry"]) for receipt in receipts]
    cases = []
    for receipt, entry, other in zip(receipts, entries, entries[1:] + entries[:1], strict=True):
        proof = receipt["proof"]
        index = verifiers.check_proof_with_proofbundle(proof, entry, vkey=vkeys["ed25519"], origin=ORIGIN)
        with pytest.raises(RefusedError):
            verifiers.check_proof_with_proofbundle(proof, other, vkey=vkeys["ed25519"], origin=ORIGIN)
        head, _, checkpoint = proof.partition("\n\n")
        case = {
            "origin": ORIGIN,
            "publicKey": parse_vkey(vkeys["ed25519"]).public_key.hex(),
            "checkpoint": checkpoint,
            "index": index,
            "hashes": [decode_standard(line) for line in head.split("\n")[2:]],
        }
        cases += [{**case, "entry": entry.hex()}, {**case, "entry": other.hex()}]
    answers = verifiers.judge_with_node("verify_sigstore.mjs", cases)
    assert [answer == "accepted" for answer in answers] == [True, False] * len(receipts)


def decode_standard(line: str) -> str:
    """A hash of a tlog-proof, in hexadecimal."""
    return base64.b64decode(line, validate=True).hex()


def test_our_kernel_refuses_what_they_refuse(ledger: HttpLedger, vkeys: dict[str, str]) -> None:
    """A verifier key that was changed is refused by our parser as by theirs."""
    # Not the last character before the padding: two of its bits carry nothing, and lenient decoders skip them.
    key, place = vkeys["mldsa"], -8
    changed = key[:place] + ("A" if key[place] != "A" else "B") + key[place + 1 :]
    with pytest.raises(LedgerError):
        parse_vkey(changed)
    note = ledger.get(f"/{LOG}/checkpoint").body.decode()
    with pytest.raises(RefusedError):
        verifiers.check_cosignature_with_proofbundle(note, changed)
