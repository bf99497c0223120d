"""The drill for keys in other hands: rotate at once, and what the thief signs is believed by nobody.

SECURITY.md tells an operator the same steps.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.head_signer import Eip712Signer
from ledger_service.cli.command import run
from ledger_service.config import load_settings
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.log.signers import Ed25519Signer, MlDsa44Signer, sign_checkpoint
from ledger_service.proofs.checkpoint import Checkpoint, parse_checkpoint
from ledger_service.proofs.evidence import format_evidence, parse_evidence
from ledger_service.proofs.merkle import check_inclusion, extend_tiles, leaf_hash, prove_inclusion
from ledger_service.proofs.note import parse_note
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.tlog_proof import TlogProof
from ledger_service.proofs.trust import parse_trust
from ledger_service.proofs.types import LeafIndex, Origin, TreeSize
from ledger_service.verification.status import StatusSigner
from ledger_service.wiring.installation import chain_url, load_files
from tests.support.http_ledger import HttpLedger, purchase, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger_service.proofs.evidence import Evidence
    from ledger_service.vault.signing_keys import LogKeys

ORIGIN = Origin("ledger.test/logs/shop/purchases")


@dataclass(frozen=True)
class Thief:
    """Somebody with a copy of every key of the log."""

    keys: LogKeys

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """A checkpoint with all three lines in order."""
        signers = (
            Ed25519Signer(ORIGIN, self.keys.head_ed25519.ed25519()),
            MlDsa44Signer(ORIGIN, self.keys.head_ml_dsa_44.ml_dsa_44()),
            Eip712Signer(self.keys.head_secp256k1.secp256k1(), name=ORIGIN),
        )
        return sign_checkpoint(checkpoint, timestamp=int(time.time()), signers=signers)

    def sign_again(self, evidence: Evidence) -> Evidence:
        """The same evidence with a checkpoint and a status signed by the stolen keys."""
        checkpoint = parse_checkpoint(parse_note(evidence.proof.checkpoint).text)
        return self._with(evidence, replace(evidence.proof, checkpoint=self.sign(checkpoint)))

    def invent(self, evidence: Evidence, *, size: int) -> Evidence:
        """The evidence's entry in a history of the thief's own, of this size."""
        leaves: list[bytes] = [sha256(bytes([number])).digest() for number in range(size)]
        leaves[1] = leaf_hash(evidence.entry)
        tiles: dict[tuple[int, int], bytes] = {}

        class Tree:
            def read_tile(self, level: int, index: int, width: int) -> bytes:
                return tiles[level, index][: width * 32]

        changed, root = extend_tiles(Tree(), TreeSize(0), leaves)
        tiles |= changed
        hashes = prove_inclusion(Tree(), LeafIndex(1), TreeSize(size))
        check_inclusion(
            leaf_hash(evidence.entry), index=LeafIndex(1), size=TreeSize(size), root=root, proof=hashes
        )
        note = self.sign(Checkpoint(ORIGIN, TreeSize(size), root))
        return self._with(evidence, TlogProof(LeafIndex(1), hashes, note))

    def _with(self, evidence: Evidence, proof: TlogProof) -> Evidence:
        status = evidence.status
        assert status is not None
        pointer = replace(status.pointer, index=proof.index)
        first = replace(status.history[0], index=proof.index)
        told = replace(status, pointer=pointer, history=(first, *status.history[1:]))
        signer = StatusSigner(ORIGIN, self.keys.status.ed25519())
        return replace(evidence, proof=proof, anchors=(), status=signer.sign(told))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpLedger]:
    """A ledger that serves."""
    with HttpLedger(tmp_path_factory.mktemp("ledger")) as served:
        yield served


@pytest.fixture
def command(
    ledger: HttpLedger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run `audit-ledger` beside the server, in this process; its exit code must be the expected one."""
    for name, text in ledger.environment.items():
        if name.startswith("AUDIT_LEDGER_"):
            monkeypatch.setenv(name, text)

    def call(*arguments: str, expect: int = 0) -> str:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        assert code == expect, f"{arguments}: exit {code}\n{said.out}{said.err}"
        return said.out

    return call


def record(ledger: HttpLedger, name: str) -> str:
    """A new purchase whose anchor is final."""
    made = ledger.record(purchase(name), name=name).record
    ledger.wait_stage(made, "final")
    return made


def evidence_of(ledger: HttpLedger, record: str) -> bytes:
    """Evidence of a record as it is given now."""
    return ledger.get(f"/v1/records/{record}/evidence").body


def judged(ledger: HttpLedger, evidence: bytes) -> str:
    """The server's own verdict."""
    reply = ledger.ask("POST", "/v1/verify", evidence, Content_Type="application/json")
    return str(reply.json["result"])


@dataclass(frozen=True)
class Outsider:
    """Somebody with policy and trust file as they are exported now, who asks the chain's node or does not."""

    folder: Path
    command: Callable[..., str]
    node: str

    def judge(
        self, evidence: bytes, *, expect: int, ask_node: bool = False, collection: str = "purchases"
    ) -> Any:
        """The verdict of `verify`."""
        policy, trust, file = (self.folder / name for name in ("policy.txt", "trust.json", "evidence.json"))
        files = ("--policy", str(policy), "--trust", str(trust))
        self.command("trust", "export", "shop", "--collection", collection, *files)
        file.write_bytes(evidence)
        asked = ("--node", self.node) if ask_node else ()
        return json.loads(self.command("verify", str(file), *files, *asked, "--json", expect=expect))


def test_stolen_keys_prove_nothing_after_the_drill(
    ledger: HttpLedger, command: Callable[..., str], tmp_path: Path
) -> None:
    """After `rotate-keys --leaked` true evidence stays genuine, and the thief's is not, on any side of the size."""
    first = record(ledger, "before-the-theft")
    early = evidence_of(ledger, first)
    thief = Thief(load_files(load_settings(ledger.environment)).log_keys(ORIGIN))
    outsider = Outsider(tmp_path, command, chain_url(load_settings(ledger.environment)))
    said = json.loads(command("log", "rotate-keys", "shop", "purchases", "--leaked", "--json"))
    size = said["from_size"]
    late = evidence_of(ledger, record(ledger, "after-the-theft"))

    # A status that the stolen key may have signed is believed no more; what is given now has a new one.
    assert judged(ledger, early) == "unknown"
    early = evidence_of(ledger, first)
    for evidence in (early, late):
        assert judged(ledger, evidence) == "valid"
        assert outsider.judge(evidence, ask_node=True, expect=0)["result"] == "valid"
    # Without a node nobody vouches for what the stolen keys could have signed as well.
    assert outsider.judge(early, expect=2)["result"] == "unknown"

    beyond = format_evidence(thief.sign_again(parse_evidence(late)))
    verdict = outsider.judge(beyond, expect=1)
    assert verdict["result"] == "invalid"
    assert "does not speak for its size" in verdict["reason"]
    invented = format_evidence(thief.invent(parse_evidence(early), size=size))
    assert outsider.judge(invented, ask_node=True, expect=2)["result"] == "unknown"
    for forged in (beyond, invented):
        assert judged(ledger, forged) in {"invalid", "unknown"}

    trust = parse_trust((tmp_path / "trust.json").read_bytes())
    (log,) = trust.logs
    assert [(each.from_size, each.to_size) for each in log.head_keys] == [(size, None)] * 3 + [(0, size)] * 3
    assert (len(log.status_keys), len(log.acceptance_keys), trust.required) == (1, 1, (1, 2, 3, 4, 5, 6, 7))
    policy = parse_policy((tmp_path / "policy.txt").read_bytes())
    assert (len(policy.logs), len(policy.witnesses)) == (2, 2)


def test_everybody_can_read_which_keys_signed_which_sizes(
    ledger: HttpLedger, command: Callable[..., str], tmp_path: Path
) -> None:
    """The keys of today come first, those that were replaced follow with their sizes; old evidence stays valid."""
    made = ledger.ask(
        "POST", "/v1/orgs/shop/completions", json.dumps(EXAMPLE_COMPLETION).encode(), key=ledger.key,
        Idempotency_Key="routine", Content_Type="application/json",
    )  # fmt: skip
    kept = ledger.get(f"/v1/records/{made.record}/evidence?fields=all", key=ledger.key).body
    before = ledger.get("/v1/logs/shop/completions").json
    assert [each["to_size"] for each in before["keys"]] == [None]
    said = json.loads(command("log", "rotate-keys", "shop", "completions", "--json"))
    log = ledger.get("/v1/logs/shop/completions").json
    new, old = log["keys"]
    assert new["vkeys"] == log["vkeys"] == said["vkeys"]
    assert (new["from_size"], new["to_size"], old["to_size"]) == (2, None, 2)
    assert old["vkeys"] == before["vkeys"]
    lines = ledger.get("/logs/shop/completions/vkeys").body.decode().splitlines()
    assert lines == [*new["vkeys"], "# sizes 0 to 2, replaced since", *old["vkeys"]]
    shown = json.loads(command("log", "keys", "shop", "completions", "--json"))
    assert [each["vkeys"] for each in shown] == [new["vkeys"], old["vkeys"]]
    assert "sizes 0 to 2" in command("log", "keys", "shop", "completions")
    trust = parse_trust(ledger.get("/v1/logs/shop/completions/trust").body)
    # Nobody else has the old keys, so what they said of statuses and acceptances is still believed.
    assert (len(trust.logs[0].status_keys), trust.required) == (2, (1, 2, 3, 4, 5, 7))
    outsider = Outsider(tmp_path, command, "")
    assert outsider.judge(kept, expect=0, collection="completions")["result"] == "valid"


def test_new_keys_can_be_made_before_they_sign(ledger: HttpLedger, command: Callable[..., str]) -> None:
    """`--make` and `--dry-run` change nothing that signs; what was made is what signs later."""
    before = ledger.get("/v1/logs/shop/datasets").json["vkeys"]
    asked = ("log", "rotate-keys", "shop", "datasets")
    assert "Would let keys 1 sign" in command(*asked, "--dry-run")
    assert "are made" in command(*asked, "--make")
    made = json.loads(command(*asked, "--make", "--json"))["vkeys"]
    assert ledger.get("/v1/logs/shop/datasets").json["vkeys"] == before
    assert "sign from size 1 on" in command(*asked)
    assert ledger.get("/v1/logs/shop/datasets").json["vkeys"] == made


def test_the_operator_hears_when_contracts_have_followed(
    ledger: HttpLedger, command: Callable[..., str]
) -> None:
    """Once the contracts obey the new keys, doctor finds nothing, nor does an audit of everything."""
    command("log", "rotate-keys", "shop", "purchases")

    def followed() -> bool | None:
        notes = ledger.get("/readyz").json["notes"]
        return None if any("new keys" in note for note in notes) else True

    until(followed)
    ledger.record(purchase("last"), name="last")
    found = {each["subject"]: each["state"] for each in json.loads(command("doctor", "--json"))}
    assert found["rotation"] == "good"
    command("audit")
