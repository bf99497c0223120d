"""Compile contracts/ with the pinned compiler into committed artifacts; ``--check`` only compares.

Nobody needs a compiler to run the service. py-solc-x drives ``scripts/solc``, which wraps the npm package,
because native compilers cannot be downloaded everywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

import solcx

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "ledger_service" / "chain" / "artifacts"
SOLC_VERSION = "0.8.37"
DEPLOYED = {n: f"contracts/src/{n}.sol" for n in ("PurchaseLedger", "CertificateRegistry", "DataNotary")}
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",  # runs on every chain since Dencun; py-evm's newest is Prague
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 10_000},  # `publish` runs for years, deployment once
    "metadata": {"bytecodeHash": "ipfs"},
}
IMPORT = re.compile(r'^import\s[^"]*"([^"]+)";', re.MULTILINE)


def read_sources(*paths: str) -> dict[str, str]:
    """Text of these sources and all that they import, by their path from the root or below node_modules."""
    sources: dict[str, str] = {}
    wanted = list(paths)
    while wanted:
        path = wanted.pop()
        if path not in sources:
            folder = ROOT if path.startswith("contracts/") else ROOT / "node_modules"
            sources[path] = (folder / path).read_text("utf-8")
            for target in IMPORT.findall(sources[path]):
                relative = target.startswith(".")
                wanted.append(posixpath.normpath(f"{path}/../{target}") if relative else target)
    return sources


def compiler_input(sources: dict[str, str]) -> dict[str, Any]:
    """The compiler's JSON input for these sources."""
    content = {path: {"content": text} for path, text in sorted(sources.items())}
    outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    settings = {**SETTINGS, "outputSelection": {"*": {"*": outputs}}}
    return {"language": "Solidity", "sources": content, "settings": settings}


def compile_sources(sources: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The compiler's output by contract name; a warning is an error."""
    solc = ROOT / "scripts" / "solc"
    version = solcx.wrapper.get_solc_version(solc).base_version
    if version != SOLC_VERSION:
        raise RuntimeError(f"solc {SOLC_VERSION} is pinned, but node_modules holds {version}: run `npm ci`")
    output = solcx.compile_standard(compiler_input(sources), solc_binary=solc)
    if output.get("errors"):
        raise RuntimeError("\n".join(error["formattedMessage"] for error in output["errors"]))
    return {name: contract for file in output["contracts"].values() for name, contract in file.items()}


def build_artifact(name: str) -> str:
    """Text of a contract's artifact."""
    sources = read_sources(DEPLOYED[name])
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
    return json.dumps(artifact, indent=1) + "\n"


def main() -> None:
    """Write the artifacts, or compare them with the committed ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if an artifact is out of date")
    check = parser.parse_args().check
    for name in DEPLOYED:
        file = ARTIFACTS / f"{name}.json"
        text = build_artifact(name)
        if not check:
            file.write_text(text, "utf-8")
            print(file.relative_to(ROOT))
        elif text != file.read_text("utf-8"):
            sys.exit(f"{file.relative_to(ROOT)} is out of date: run scripts/compile_contracts.py")


if __name__ == "__main__":
    main()
