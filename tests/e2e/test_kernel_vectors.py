"""The browser's kernel gives the stated result for every shared vector, in a real browser."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.note import parse_vkey
from tests.support.browser_kernel import RefusedError
from tests.unit.proofs.test_rfc6962_vectors import FOLDER, files
from tests.unit.proofs.vectors import malformed_texts, read_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.browser_kernel import BrowserKernel

CANONICAL = read_vectors("canonical")
RECORD = read_vectors("record")
CHECKPOINT = read_vectors("checkpoint")
EIP712 = read_vectors("eip712_checkpoint")
EVIDENCE = read_vectors("evidence")
KINDS = read_vectors("kinds")
TREE = read_vectors("merkle")
TILES = read_vectors("tile_paths")


def refused(kernel: BrowserKernel, noun: str, question: object) -> str:
    """The code with which the kernel refuses a question that it must refuse."""
    with pytest.raises(RefusedError) as caught:
        kernel.ask(noun, question)
    return caught.value.code


def test_canonical_texts(kernel: BrowserKernel) -> None:
    """Canonical texts encode to themselves, values to their one text, and what is invalid is refused."""
    for text in CANONICAL["texts"]:
        assert kernel.ask("canonical", text.encode().hex()) == text
    for case in CANONICAL["sorted"]:
        assert kernel.ask("encoded", case["value"]) == case["text"]
    for case in CANONICAL["invalid"]:
        data = case.get("hex") or case["text"].encode("utf-8", "surrogatepass").hex()
        assert refused(kernel, "canonical", data) == "malformed", case["why"]


def test_depth(kernel: BrowserKernel) -> None:
    """Thirty-two containers are read, thirty-three refused, and ten thousand refused as well, not overflowed."""
    for depth, fits in ((32, True), (33, False), (10_000, False)):
        text = "[" * depth + "]" * depth
        if fits:
            assert kernel.ask("canonical", text.encode().hex()) == text
        else:
            assert refused(kernel, "canonical", text.encode().hex()) == "malformed"


def test_lone_surrogates_are_not_encoded(kernel: BrowserKernel) -> None:
    """A string that UTF-8 cannot hold has no canonical form, as value or within one."""
    value = kernel.page.evaluate("() => ask('encoded', ['\\ud800', ['a\\udc00'], { a: '\\udc00\\ud800' }])")
    assert [answer["code"] for answer in value] == ["malformed"] * 3


def test_times(kernel: BrowserKernel) -> None:
    """A time has one form, and each other that people write is refused."""
    for moment in (
        "2026-11-22T01:02:03Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2024-02-29T00:00:00Z",
    ):
        assert kernel.ask("time", moment) == moment
    for text in read_vectors("malformed")["times"]:
        assert refused(kernel, "time", text) == "malformed", text


@pytest.mark.parametrize("noun", ["checkpoint", "tlog_proof", "acceptance"])
def test_malformed_texts(kernel: BrowserKernel, noun: str) -> None:
    """The valid text is read; each of its malformed forms is refused."""
    kernel.ask(noun, read_vectors("malformed")[noun]["valid"])
    for why, text in malformed_texts(noun):
        assert refused(kernel, noun, text) == "malformed", why


def test_record(kernel: BrowserKernel) -> None:
    """A purchase has the stated schema hash, commitment, leaf and claim digest; each field opens it alone."""
    schema, opening = RECORD["schema"], {**RECORD["opening"], "schema": RECORD["schema"]["text"]}
    assert kernel.ask("schema", schema["text"]) == schema
    assert kernel.ask("commitment", opening) == RECORD["commitment"]
    assert kernel.ask("entry", RECORD["entry"]["text"]) == {
        **RECORD["entry"],
        "claim_digest": RECORD["claim_digest"],
    }
    where = {name: opening[name] for name in ("schema", "log", "id")}
    for name, items in RECORD["disclosed"].items():
        assert kernel.ask("disclosed", {**opening, "names": [name]}) == items
        question = {**where, "items": items, "commitment": RECORD["commitment"]}
        values = opening["values"]
        assert kernel.ask("opened", question) == {name: values[name] for name in [name] if name in values}
        assert refused(kernel, "opened", {**question, "id": "A" * 22}) == "commitment_mismatch"
        assert refused(kernel, "opened", {**question, "items": items[1:]}) == "commitment_mismatch"


@pytest.mark.parametrize("case", KINDS["kinds"], ids=lambda case: case["kind"])
def test_kinds(kernel: BrowserKernel, case: dict[str, Any]) -> None:
    """Each kind's example has the stated schema hash, commitment and entry."""
    assert kernel.ask("schema", case["schema"]["text"]) == case["schema"]
    if case["commitment"] is not None:
        claim = json.loads(case["entry"]["text"])["claim"]
        where = {"schema": case["schema"]["text"], "log": claim["log"], "id": claim["id"]}
        assert kernel.ask("commitment", {**case["opening"], **where}) == case["commitment"]
    entry = kernel.ask("entry", case["entry"]["text"])
    assert {name: entry[name] for name in case["entry"]} == case["entry"]


def test_trees(kernel: BrowserKernel) -> None:
    """Roots and proofs of the stated trees are what is stated, and a proof fits no other place."""
    roots = {each["size"]: each["root"] for each in TREE["roots"]}
    for size, root in roots.items():
        assert kernel.ask("root", size) == root
    cases = TREE["inclusion"]
    leaves = kernel.ask_all("leaf", [case["index"] for case in cases])
    inclusion = [
        {**case, "leaf": leaf["answer"], "root": roots[case["size"]]}
        for case, leaf in zip(cases, leaves, strict=True)
    ]
    moved = [{**each, "index": (each["index"] + 1) % (each["size"] + 1)} for each in inclusion]
    longer = [{**each, "proof": [*each["proof"], each["root"]]} for each in inclusion]
    assert codes(kernel, "inclusion", inclusion) == {None}
    assert codes(kernel, "inclusion", moved) == codes(kernel, "inclusion", longer) == {"not_included"}
    consistency = [
        {**case, "first_root": roots[case["first"]], "second_root": roots[case["second"]]}
        for case in TREE["consistency"]
    ]
    longer = [{**each, "proof": [*each["proof"], each["second_root"]]} for each in consistency]
    assert codes(kernel, "consistency", consistency) == {None}
    assert codes(kernel, "consistency", longer) == {"not_consistent"}


def codes(kernel: BrowserKernel, noun: str, questions: Sequence[object]) -> set[str | None]:
    """The codes with which questions are refused; None where one is not."""
    return {answer.get("code") for answer in kernel.ask_all(noun, questions)}


def question_of(vector: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A vector of the transparency-dev project as a question: a subtree is an inclusion that begins at `start`."""
    proof = [base64.b64decode(item).hex() for item in vector["proof"] or []]
    plain = {
        name: base64.b64decode(vector[name]).hex() for name in vector if name.startswith(("root", "leafH"))
    }
    if "size1" in vector:
        roots = {"first_root": plain["root1"], "second_root": plain["root2"]}
        return "consistency", {"first": vector["size1"], "second": vector["size2"], **roots, "proof": proof}
    start, end = vector.get("start", 0), vector.get("end", vector.get("treeSize"))
    place = {"index": str(vector["leafIdx"] - start), "size": str(end - start)}
    return "inclusion", {**place, "leaf": plain["leafHash"], "root": plain["root"], "proof": proof}


def is_misplaced(vector: dict[str, Any]) -> bool:
    """Whether a subtree begins where none of its size can: the caller's rule, not the path's."""
    start = vector.get("start", 0)
    return bool(start and vector["end"] > start and start % (1 << (vector["end"] - start - 1).bit_length()))


@pytest.mark.parametrize("kind", ["inclusion", "subtreeinclusion", "consistency"])
def test_proofs_of_the_transparency_dev_project(kernel: BrowserKernel, kind: str) -> None:
    """Each of the 400 vectors is accepted or refused as it says."""
    paths: list[Path] = files(kind)
    vectors = [json.loads(path.read_text("utf-8")) for path in paths]
    questions = [question_of(vector) for vector in vectors]
    # JSON of a test holds what fits a number; sizes beyond it come as text.
    answers = kernel.ask_all(
        questions[0][0], [json.loads(json.dumps(question), parse_int=str) for _, question in questions]
    )
    assert len(answers) == {"inclusion": 98, "subtreeinclusion": 204, "consistency": 98}[kind]
    for path, vector, answer in zip(paths, vectors, answers, strict=True):
        bad = "code" in answer or is_misplaced(vector)
        assert bad == vector["wantErr"], path.relative_to(FOLDER)


def test_checkpoint(kernel: BrowserKernel) -> None:
    """Keys, text, note and proof read as they are written; both signatures that the kernel can check verify."""
    for vkey in CHECKPOINT["vkeys"]:
        assert kernel.ask("vkey", vkey) == vkey
    assert kernel.ask("checkpoint", CHECKPOINT["text"])["text"] == CHECKPOINT["text"]
    assert kernel.ask("note", CHECKPOINT["note"]) == CHECKPOINT["note"]
    assert kernel.ask("tlog_proof", CHECKPOINT["tlog_proof"]) == CHECKPOINT["tlog_proof"]
    ed25519, mldsa, eip712 = CHECKPOINT["vkeys"]
    timestamp, message = CHECKPOINT["mldsa44"].values()
    name = parse_vkey(mldsa).name
    asked = {"name": name, "timestamp": str(timestamp), "checkpoint": CHECKPOINT["text"]}
    assert kernel.ask("cosigned", asked) == message
    assert kernel.ask("signature", {"note": CHECKPOINT["note"], "vkey": ed25519}) == "null"
    assert kernel.ask("signature", {"note": CHECKPOINT["note"], "vkey": mldsa}) == str(timestamp)
    assert refused(kernel, "signature", {"note": CHECKPOINT["note"], "vkey": eip712}) == "bad_signature"
    forged = CHECKPOINT["note"].replace("\n4\n", "\n5\n", 1)
    for vkey in (ed25519, mldsa):
        assert refused(kernel, "signature", {"note": forged, "vkey": vkey}) == "bad_signature"


def test_eip712_lines(kernel: BrowserKernel) -> None:
    """Keys and notes of the third line are read; without Keccak the line itself stays unchecked, never good."""
    for case in EIP712["cases"]:
        assert kernel.ask("vkey", case["vkey"]) == case["vkey"]
        assert kernel.ask("note", case["note"]) == case["note"]
        assert refused(kernel, "signature", {"note": case["note"], "vkey": case["vkey"]}) == "bad_signature"


def test_tile_paths(kernel: BrowserKernel) -> None:
    """Each path is that of its tile, and any other spelling names none."""
    for case in TILES["valid"]:
        assert kernel.ask("tile_path", case["path"]) == {**case, "index": str(case["index"])}
    for path in TILES["invalid"]:
        assert refused(kernel, "tile_path", path) == "malformed", path


def test_erasure(kernel: BrowserKernel) -> None:
    """The certificate of an erasure is signed by its logs' keys, and by no others."""
    erasure = read_vectors("erasure")
    question = {"data": erasure["certificate"], "vkeys": erasure["vkeys"]}
    assert kernel.ask("certificate", question)["records"] == 3
    assert refused(kernel, "certificate", {**question, "vkeys": erasure["vkeys"][1:]}) == "could_not_check"
    changed = erasure["certificate"].replace('"records":3', '"records":2')
    assert refused(kernel, "certificate", {**question, "data": changed}) == "bad_signature"


def test_evidence(kernel: BrowserKernel) -> None:
    """The stored evidence has the stated result."""
    assert kernel.ask("evidence", EVIDENCE["evidence"]) == EVIDENCE["evidence"]
    question = {name: EVIDENCE[name] for name in ("policy", "trust", "now")}
    question["evidence"] = base64.b64encode(EVIDENCE["evidence"].encode()).decode()
    assert json.loads(kernel.ask("verdict", question))["result"] == EVIDENCE["result"]
