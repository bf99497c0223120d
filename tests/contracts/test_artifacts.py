"""The committed artifacts are what the sources compile to, and what stands on a chain."""

from __future__ import annotations

import json
import subprocess
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.abi import load_artifact
from scripts.compile_contracts import ARTIFACTS, DEPLOYED, ROOT, SETTINGS, SOLC_VERSION, build_artifact
from tests.contracts.logs import OPENER

if TYPE_CHECKING:
    from tests.contracts.evm import Evm

LARGEST_CODE = 24_576  # EIP-170


@pytest.mark.parametrize("name", DEPLOYED)
def test_artifact_is_fresh(name: str) -> None:
    """Compiling the sources again gives the committed artifact, byte for byte."""
    committed = (ARTIFACTS / f"{name}.json").read_text("utf-8")
    assert build_artifact(name) == committed


def test_every_artifact_has_a_source() -> None:
    """Nothing lies among the artifacts that no source makes."""
    assert {path.name for path in ARTIFACTS.iterdir()} - {"__init__.py"} == {
        f"{name}.json" for name in DEPLOYED
    }


@pytest.mark.parametrize("name", DEPLOYED)
def test_artifact_says_where_it_comes_from(name: str) -> None:
    """An artifact names its compiler, its settings and the hash of every source."""
    artifact = json.loads((ARTIFACTS / f"{name}.json").read_text("utf-8"))
    assert artifact["contractName"] == name
    assert artifact["compiler"] == {"name": "solc", "version": SOLC_VERSION}
    assert artifact["settings"] == SETTINGS
    sources = artifact["sourceHashes"]
    assert {path for path in sources if path.startswith("contracts/")} >= {
        DEPLOYED[name],
        "contracts/src/CheckpointLog.sol",
        "contracts/src/Rfc9162.sol",
    }
    assert any(path.startswith("@openzeppelin/contracts/") for path in sources)
    for path, digest in sources.items():
        folder = ROOT if path.startswith("contracts/") else ROOT / "node_modules"
        assert sha256((folder / path).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", DEPLOYED)
def test_code_on_a_chain_is_the_artifacts(evm: Evm, name: str) -> None:
    """The deployed code is the same on every chain, so its hash can be pinned in advance."""
    artifact = json.loads((ARTIFACTS / f"{name}.json").read_text("utf-8"))
    code = bytes.fromhex(artifact["deployedBytecode"].removeprefix("0x"))
    assert evm.deploy(load_artifact(name), [evm.account(OPENER)]).code() == code
    assert len(code) <= LARGEST_CODE


def test_kinds_differ_in_code_and_in_nothing_else() -> None:
    """Each kind has code of its own, so a pinned hash tells the kind; calls, events and errors are the same."""
    artifacts = [load_artifact(name) for name in DEPLOYED]
    assert len({each.code_hash for each in artifacts}) == len(DEPLOYED)
    assert all(each.abi == artifacts[0].abi for each in artifacts)


def test_compiler_wrapper_speaks_like_solc() -> None:
    """The wrapper answers `--version` and `--standard-json` as the native compiler does, and no more."""
    solc = ROOT / "scripts" / "solc"
    version = subprocess.run([solc, "--version"], capture_output=True, text=True, check=True)
    assert f"Version: {SOLC_VERSION}+" in version.stdout
    source = 'import "contracts/src/Rfc9162.sol"; contract C {}'
    request = {"language": "Solidity", "sources": {"c.sol": {"content": "pragma solidity ^0.8.30;" + source}}}
    answer = subprocess.run(
        [solc, "--standard-json"], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    assert set(json.loads(answer.stdout)["sources"]) == {"c.sol", "contracts/src/Rfc9162.sol"}
    assert subprocess.run([solc, "--bin"], capture_output=True, check=False).returncode == 1
