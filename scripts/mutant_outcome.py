"""What the contract tests say to a faulty contract: compile it, and run them against it in this process.

Compiled without the IR pipeline, which takes half the time and executes the same source.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.compile_contracts import DEPLOYED, ROOT, compiler_input, read_sources
from tests.contracts import conftest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.contract_mutants import Mutant

CONTRACTS = {**DEPLOYED, "Rfc9162Harness": "contracts/test/Rfc9162Harness.sol"}
PROOF_SUITES = ("rfc9162_sweep", "rfc9162", "sha256", "publish")
SUITES = ("publish", "open", "rotate", "retire", "status", "sha256")
LOADED_ONCE = conftest  # and the EVM with it, in the process from which each mutant's is forked
ORIGINAL = read_sources(*CONTRACTS.values())


def compile_mutants(mutants: Iterable[Mutant], folder: Path) -> Iterator[str]:
    """Compile each mutant into a numbered folder; gives its outcome, empty while the tests have not spoken."""
    with subprocess.Popen(
        [ROOT / "scripts" / "solc", "--standard-json", "--lines"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as solc:
        original = _compile(solc, ORIGINAL)
        for number, mutant in enumerate(mutants):
            contracts = _compile(solc, {**ORIGINAL, mutant.path: mutant.apply(ORIGINAL[mutant.path])})
            (folder / str(number)).mkdir()
            for name, artifact in contracts.items():
                (folder / str(number) / f"{name}.json").write_text(json.dumps(artifact), "utf-8")
            yield "not compiled" if not contracts else "same code" if contracts == original else ""
        assert solc.stdin is not None
        solc.stdin.close()


def judge(case: tuple[Mutant, Path], *, seed: int) -> str:
    """Whether the tests notice that the contracts in a folder are none of ours; runs in a process of its own."""
    mutant, folder = case
    suites = PROOF_SUITES if mutant.path.endswith("/Rfc9162.sol") else SUITES
    os.environ.update(CONTRACT_ARTIFACTS=str(folder), CONTRACT_SWEEP="9")
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "timeout=120", "--seed", str(seed)]
    with Path(os.devnull).open("w") as silence, contextlib.redirect_stdout(silence):
        for name in suites:  # one after the other, since most are noticed by the first
            answer = pytest.main([*options, f"tests/contracts/test_{name}.py"])
            if answer == pytest.ExitCode.TESTS_FAILED:
                return "killed"
            if answer != pytest.ExitCode.OK:
                raise RuntimeError(f"the tests of {name} did not run: {answer!r}")
    return "survived"


def _compile(solc: subprocess.Popen[str], sources: dict[str, str]) -> dict[str, Any]:
    """The artifacts of both contracts, or nothing."""
    request = compiler_input(sources)
    request["settings"] |= {"viaIR": False, "metadata": {"appendCBOR": False}}
    assert solc.stdin is not None
    assert solc.stdout is not None
    print(json.dumps(request), file=solc.stdin, flush=True)
    output = json.loads(solc.stdout.readline())
    if any(error["severity"] == "error" for error in output.get("errors", [])):
        return {}
    artifacts = {}
    for name, path in CONTRACTS.items():
        contract = output["contracts"][path][name]
        code = {part: contract["evm"][part]["object"] for part in ("bytecode", "deployedBytecode")}
        artifacts[name] = {"contractName": name, "abi": contract["abi"], **code}
    return artifacts
