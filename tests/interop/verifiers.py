"""Verifiers that nobody here wrote, behind one manner of speaking: return, or raise RefusedError.

| package | registry | checks |
|---|---|---|
| proofbundle | PyPI | checkpoint, ML-DSA-44 cosignature, tlog-proof |
| tlog-scales | PyPI | checkpoint, ML-DSA-44 cosignature, tiles, inclusion and consistency |
| pymerkle | PyPI | root |
| @sigstore/verify | npm | checkpoint, inclusion |
| @noble/post-quantum | npm | ML-DSA-44 |
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_HERE = Path(__file__).parent


class RefusedError(Exception):
    """Somebody else's verifier did not accept."""


def _module(name: str) -> Any:
    """A package without types of its own."""
    return importlib.import_module(name)


def check_checkpoint_with_proofbundle(note: str, vkey: str) -> None:
    """Ed25519 line of a checkpoint."""
    module = _module("proofbundle.checkpoint")
    try:
        verdict = module.verify_checkpoint(note, vkey)
    except _module("proofbundle.errors").ProofBundleError as error:
        raise RefusedError(str(error)) from error
    if not verdict["ok"]:
        raise RefusedError(str(verdict))


def check_cosignature_with_proofbundle(note: str, vkey: str) -> int:
    """ML-DSA-44 line of a checkpoint; returns its timestamp."""
    module = _module("proofbundle.checkpoint")
    try:
        verdict = module.verify_cosignature(note, vkey)
    except _module("proofbundle.errors").ProofBundleError as error:
        raise RefusedError(str(error)) from error
    if not verdict["ok"]:
        raise RefusedError(str(verdict))
    return int(verdict["timestamp"])


def check_proof_with_proofbundle(proof: str, entry: bytes, *, vkey: str, origin: str) -> int:
    """A tlog-proof of an entry; returns the index."""
    verdict = _module("proofbundle.tlogproof").verify_tlog_proof(proof, entry, vkey, expected_origin=origin)
    if not verdict["ok"]:
        raise RefusedError(str(verdict))
    return int(verdict["index"])


def check_line_with_tlog_scales(note: str, vkey: str) -> None:
    """The line of a checkpoint that belongs to the key, whatever its type."""
    try:
        checkpoint = _module("tlog_scales.tlog").Checkpoint.from_text(note)
        checkpoint.verify(_module("tlog_scales.signing").Vkey.from_string(vkey))
    except Exception as error:
        raise RefusedError(repr(error)) from error


class TlogScalesReader:
    """tlog-scales reading the tiles of a directory or of a server."""

    def __init__(self, location: str, *, vkey: str) -> None:
        """Fetch the checkpoint and check its line by `vkey`."""
        try:
            backend = _module("tlog_scales.backend").make_backend(location)
            self._reader = _module("tlog_scales.reader").TilesReader(backend)
            self._checkpoint = self._reader.get_checkpoint()
            self._checkpoint.verify(_module("tlog_scales.signing").Vkey.from_string(vkey))
        except Exception as error:
            raise RefusedError(repr(error)) from error

    @property
    def root(self) -> bytes:
        """The root in the checkpoint."""
        return bytes(self._checkpoint.root_hash)

    def check_root(self) -> None:
        """The tiles lead to the checkpoint's root."""
        if self._attempt(self._reader.calculate_root_hash) != self._checkpoint.root_hash:
            raise RefusedError("the tiles lead to another root")

    def check_entry(self, index: int) -> bytes:
        """The entry in the bundles, shown by the tiles to be in the tree."""
        entry = self._attempt(lambda: self._reader.get_entry(index))
        proof = self._attempt(lambda: self._reader.get_inclusion_proof(index, self._checkpoint.size))
        leaf = _module("tlog_scales.tiles").leaf_hash(entry)
        self._attempt(lambda: proof.check(leaf, self._checkpoint.root_hash))
        return bytes(entry)

    def check_growth(self, size: int, root: bytes) -> None:
        """The tree grew from that size and root without a change to what was there."""
        proof = self._attempt(lambda: self._reader.get_consistency_proof(size, self._checkpoint.size))
        self._attempt(lambda: proof.check(root, self._checkpoint.root_hash))

    @staticmethod
    def _attempt(action: Any) -> Any:
        try:
            return action()
        except Exception as error:
            raise RefusedError(repr(error)) from error


def check_consistency_with_tlog_scales(
    first: int, second: int, roots: tuple[bytes, bytes], proof: Sequence[bytes]
) -> None:
    """A consistency proof that we made."""
    module = _module("tlog_scales.tlog")
    try:
        module.ConsistencyProof(first, second, list(proof)).check(*roots)
    except Exception as error:
        raise RefusedError(repr(error)) from error


def root_by_pymerkle(entries: Sequence[bytes]) -> bytes:
    """The root over these entries."""
    tree = _module("pymerkle").InmemoryTree(algorithm="sha256")
    tree.append_entries(list(entries))
    return bytes(tree.get_root())


def judge_with_node(driver: str, tests: Sequence[dict[str, object]]) -> list[str]:
    """Run a driver of this folder over tests; one answer each: `accepted`, or `refused` with a reason."""
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("node is missing: Node.js 20.19 or newer runs the verifiers from npm")
    run = subprocess.run(
        [node, _HERE / driver],
        input=json.dumps(tests),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if run.returncode != 0:
        raise RuntimeError(f"{driver} failed (is node_modules there? `npm ci`): {run.stderr[-2000:]}")
    answers = json.loads(run.stdout)
    assert isinstance(answers, list)
    return [str(answer) for answer in answers]
