"""Compile contracts/ with the pinned compiler into ledger_service/chain/artifacts (``--check``: compare only).

The artifacts are committed, so nobody needs a compiler to run the service. py-solc-x drives ``scripts/solc``, which
wraps the npm package, because native compilers cannot be downloaded everywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import solcx

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "ledger_service" / "chain" / "artifacts"
SOLC_VERSION = "0.8.37"
DEPLOYED = {"PurchaseLedger": "contracts/src/PurchaseLedger.sol"}
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",  # runs on every chain since Dencun; py-evm's newest is Prague
    "optimizer": {"enabled": True, "runs": 10_000},  # `publish` runs for years, deployment once
    "metadata": {"bytecodeHash": "ipfs"},
}
_IMPORT = re.compile(r'^import\s[^"]*"([^"]+)";', re.MULTILINE)

Contract = dict[str, Any]


def read_sources(*paths: str) -> dict[str, str]:
    """Text of these sources and all that they import, by their path from the root or below node_modules."""
    sources: dict[str, str] = {}
    open_paths = list(paths)
    while open_paths:
        path = open_paths.pop()
        if path in sources:
            continue
        file = ROOT / path if path.startswith("contracts/") else ROOT / "node_modules" / path
        sources[path] = file.read_text("utf-8")
        for target in _IMPORT.findall(sources[path]):
            if target.startswith("."):
                base = Path("/") / Path(path).parent
                open_paths.append(str((base / target).resolve().relative_to("/")))
            else:
                open_paths.append(target)
    return sources


def standard_input(sources: dict[str, str]) -> dict[str, Any]:
    """The compiler's JSON input for these sources."""
    outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    return {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sorted(sources.items())},
        "settings": {**SETTINGS, "outputSelection": {"*": {"*": outputs}}},
    }


def compile_sources(sources: dict[str, str]) -> dict[str, Contract]:
    """Compile, and give the compiler's output by contract name. A warning about our own source is an error."""
    solc = ROOT / "scripts" / "solc"
    version = solcx.wrapper.get_solc_version(solc)
    if str(version.base_version if hasattr(version, "base_version") else version) != SOLC_VERSION:
        raise SystemExit(f"solc {SOLC_VERSION} is pinned, but node_modules holds {version}: run `npm ci`")
    output = solcx.compile_standard(standard_input(sources), solc_binary=solc)
    warnings = [error["formattedMessage"] for error in output.get("errors", [])]
    if warnings:
        raise SystemExit("\n".join(warnings))
    return {name: contract for file in output["contracts"].values() for name, contract in file.items()}


def build_artifacts() -> dict[str, str]:
    """Text of each artifact by contract name."""
    artifacts = {}
    for name, path in DEPLOYED.items():
        sources = read_sources(path)
        contract = compile_sources(sources)[name]
        artifact = {
            "contractName": name,
            "abi": contract["abi"],
            "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
            "deployedBytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
            "sourceHashes": {p: hashlib.sha256(t.encode()).hexdigest() for p, t in sorted(sources.items())},
            "compiler": {"name": "solc", "version": SOLC_VERSION},
            "settings": SETTINGS,
        }
        artifacts[name] = json.dumps(artifact, indent=1) + "\n"
    return artifacts


def main() -> None:
    """Write the artifacts, or compare them with the committed ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if an artifact is out of date")
    check = parser.parse_args().check
    for name, text in build_artifacts().items():
        file = ARTIFACTS / f"{name}.json"
        if check and (not file.exists() or file.read_text("utf-8") != text):
            sys.exit(f"{file.relative_to(ROOT)} is out of date: run scripts/compile_contracts.py")
        if not check:
            ARTIFACTS.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            print(file.relative_to(ROOT), (len(json.loads(text)["deployedBytecode"]) - 2) // 2, "bytes of code")


if __name__ == "__main__":
    main()
