"""What the contract tests say to one faulty contract: compile it, and run them against it in this process.

Compiled without the IR pipeline, which takes half the time and executes the same source.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import solcx

from scripts import compile_contracts as compiler
from tests.contracts import conftest

if TYPE_CHECKING:
    from scripts.contract_mutants import Mutant

CONTRACTS = {
    "PurchaseLedger": "contracts/src/PurchaseLedger.sol",
    "Rfc9162Harness": "contracts/test/Rfc9162Harness.sol",
}
SUITES = ("publish", "retire", "status", "open", "rfc9162", "sha256", "rfc9162_sweep")
LOADED_ONCE = conftest  # and the EVM with it, in the process from which each mutant's is forked
ORIGINAL = compiler.read_sources(*CONTRACTS.values())


def build(sources: dict[str, str], folder: str) -> list[str]:
    """Compile into a folder of artifacts; gives each contract's code."""
    request = compiler.compiler_input(sources)
    request["settings"] |= {"viaIR": False, "metadata": {"appendCBOR": False}}
    output = solcx.compile_standard(request, solc_binary=compiler.ROOT / "scripts" / "solc")["contracts"]
    compiled = {name: contract for file in output.values() for name, contract in file.items()}
    for name in CONTRACTS:
        code = {part: compiled[name]["evm"][part]["object"] for part in ("bytecode", "deployedBytecode")}
        text = json.dumps({"contractName": name, "abi": compiled[name]["abi"], **code})
        Path(folder, f"{name}.json").write_text(text, "utf-8")
    return [compiled[name]["evm"]["bytecode"]["object"] for name in CONTRACTS]


def judge(mutant: Mutant, original: list[str], seed: int) -> str:
    """What became of a mutant; runs in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as silence:
        try:
            codes = build({**ORIGINAL, mutant.path: mutant.apply(ORIGINAL[mutant.path])}, folder)
        except solcx.exceptions.SolcError:
            return "not compiled"
        if codes == original:
            return "same code"
        os.environ.update(CONTRACT_ARTIFACTS=folder, CONTRACT_SWEEP="9")
        options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "timeout=120", "--seed", str(seed)]
        suites = [f"tests/contracts/test_{name}.py" for name in SUITES]
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
            return {0: "survived", 1: "killed"}[int(pytest.main([*options, *suites]))]
