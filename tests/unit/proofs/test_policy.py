"""Trust policies and what they demand of a checkpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import CouldNotCheckError, MalformedError, PolicyError, SignatureError
from ledger_service.proofs.note import (
    ALG_COSIGNATURE,
    ALG_ED25519,
    ALG_MLDSA44,
    Note,
    Signature,
    format_note,
    format_vkey,
    make_vkey,
    parse_note,
)
from ledger_service.proofs.policy import Group, Policy, Witness, check_policy, format_policy, parse_policy
from tests.support.evidence_factory import EvidenceFactory, derive, join_policies

ONE, TWO = EvidenceFactory("one", records=4), EvidenceFactory("two", records=4)
NOTE = parse_note(ONE.note(4))
LOG = format_vkey(ONE.log_vkey)
WITNESSES = [make_vkey(f"w{n}.example", alg=ALG_COSIGNATURE, public_key=derive("w", n)) for n in range(6)]
VKEYS = [format_vkey(key) for key in WITNESSES]


def text(*lines: str) -> bytes:
    """A policy file of these lines."""
    return "".join(f"{line}\n" for line in lines).encode()


def with_lines(*lines: Signature) -> bytes:
    """The checkpoint with other signature lines."""
    return format_note(replace(NOTE, signatures=lines))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy with Ed25519 logs, both kinds of witness, and nested groups."""
    logs = [
        make_vkey(f"l{n}", alg=ALG_ED25519, public_key=derive("l", n)) for n in range(draw(st.integers(0, 3)))
    ]
    names = draw(
        st.lists(st.from_regex(r"[A-Za-z\u00e9\ud800]{1,5}", fullmatch=True), unique=True, max_size=6)
    )
    names = [name for name in names if name != "none"]
    witnesses = tuple(Witness(name, WITNESSES[place]) for place, name in enumerate(names))
    free, groups = [witness.name for witness in witnesses], []
    for number in range(draw(st.integers(0, 3))):
        members = tuple(draw(st.lists(st.sampled_from(free), min_size=1, unique=True))) if free else ()
        if members:
            groups.append(Group(f"group-{number}", draw(st.integers(1, len(members))), members))
            free = [name for name in free if name not in members] + [groups[-1].name]
    every = [*names, *(group.name for group in groups), "none"]
    return Policy(tuple(logs), witnesses, tuple(groups), draw(st.sampled_from(every)))


@given(policies().filter(lambda policy: "\ud800" not in str(policy)))
def test_round_trip(policy: Policy) -> None:
    """Every policy is read back from its file."""
    assert parse_policy(format_policy(policy)) == policy


def test_layout_of_the_specification() -> None:
    """Comments, blanks, tabs, URLs, any order of logs and witnesses, and nested groups as in tlog-policy."""
    policy = parse_policy(
        text(
            "# a comment", "", "  \t ", f"\tlog {LOG}  https://log.example/ ", f"witness X1 {VKEYS[0]} https://w.example",
            f"witness X2\t{VKEYS[1]}", "   # another", f"witness X3 {VKEYS[2]}",
            "group X-witnesses 2 X1 X2 X3",
            f"witness Y1 {VKEYS[3]}", "group Y-witnesses any Y1", "group X-and-Y all X-witnesses Y-witnesses",
            "quorum X-and-Y",
        )
    )  # fmt: skip
    assert policy.logs == (ONE.log_vkey,)
    assert [witness.name for witness in policy.witnesses] == ["X1", "X2", "X3", "Y1"]
    assert policy.groups == (
        Group("X-witnesses", 2, ("X1", "X2", "X3")),
        Group("Y-witnesses", 1, ("Y1",)),
        Group("X-and-Y", 2, ("X-witnesses", "Y-witnesses")),
    )
    assert policy.quorum == "X-and-Y"


def test_names_are_octets() -> None:
    """Names that are not UTF-8, or look alike, stay apart."""
    data = text(f"witness K {VKEYS[0]}", f"witness \u212a {VKEYS[1]}", "group g all K \u212a", "quorum g")
    data += b"# \xff\xfe\n"
    assert parse_policy(data).groups[0].members == ("K", "\u212a")
    raw = b"witness \xe9 " + VKEYS[0].encode() + b"\nquorum \xe9\n"
    assert parse_policy(format_policy(parse_policy(raw))) == parse_policy(raw)


@pytest.mark.parametrize(
    "lines",
    [
        ["log " + LOG], [], ["quorum"], ["quorum a b"], ["quorum none", "quorum none"], ["quorum X"],
        ["quorum X", f"witness X {VKEYS[0]}"], ["unknown x", "quorum none"], ["log", "quorum none"],
        ["log x", "quorum none"], [f"log {LOG} a b", "quorum none"],
        [f"log {LOG}", f"log {LOG}", "quorum none"],
        [f"log {VKEYS[0]}", "quorum none"], [f"witness X {LOG}", "quorum none"],
        [f"witness none {VKEYS[0]}", "quorum none"],
        [f"witness X {VKEYS[0]}", f"witness X {VKEYS[1]}", "quorum none"],
        [f"witness X {VKEYS[0]}", f"witness Y {VKEYS[0]}", "quorum none"],
        [f"witness X {VKEYS[0]}", "group X any X", "quorum X"],
        [f"witness X {VKEYS[0]}", "group g any", "quorum X"],
        [f"witness X {VKEYS[0]}", "group g any X X", "quorum g"],
        ["group g any X", f"witness X {VKEYS[0]}", "quorum g"],
        [f"witness X {VKEYS[0]}", "group g any X", "group h any X", "quorum h"],
        [f"witness X {VKEYS[0]}", "group none any X", "quorum none"], ["group g any none", "quorum none"],
        [f"witness X {VKEYS[0]}", "group g any g", "quorum g"],
        *(
            [f"witness X {VKEYS[0]}", f"group g {threshold} X", "quorum g"]
            for threshold in ("0", "2", "01", "+1", "1_0", "-5", "most", "\u0661")
        ),
    ],
    ids=lambda lines: " | ".join(lines)[:60],
)  # fmt: skip
def test_other_files(lines: list[str]) -> None:
    """A file that defines a name twice, late or badly, or has not one quorum, is refused."""
    with pytest.raises(MalformedError):
        parse_policy(text(*lines))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"quorum none",
        b"quorum none\r\n",
        b"quorum\x0bnone\n",
        b"quorum none\x7f\n",
        b"#" * (1 << 20) + b"\n",
    ],
)
def test_other_bytes(data: bytes) -> None:
    """A file with control characters, without last newline, or too large is refused."""
    with pytest.raises(MalformedError):
        parse_policy(data)


@pytest.mark.parametrize("name", ["a b", "", "none", "a\n"])
def test_impossible_policies(name: str) -> None:
    """A policy that would not be read back is not written."""
    with pytest.raises(MalformedError):
        format_policy(Policy((), (Witness(name, WITNESSES[0]),), (), "none"))
    with pytest.raises(MalformedError):
        format_policy(Policy((), (), (), "none "))


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    """Any bytes are a policy or malformed."""
    try:
        parse_policy(data)
    except MalformedError:
        return


def test_checkpoint_signed_as_demanded() -> None:
    """A checkpoint with both signatures is returned with log key, times, and the lines left unchecked."""
    verified = check_policy(ONE.note(4), ONE.policy)
    assert verified.checkpoint.size == 4
    assert verified.log_key == ONE.log_vkey
    assert verified.cosigned == {"one-mldsa": int(ONE.time_of(4).timestamp())}
    assert [line.key_id for line in verified.unchecked_lines] == [ONE.eip712_vkey.key_id]


def test_several_logs() -> None:
    """A policy of several logs accepts each log's own checkpoints."""
    policy = join_policies([ONE, TWO])
    assert check_policy(ONE.note(4), policy).log_key == ONE.log_vkey
    assert check_policy(TWO.note(4), policy).log_key == TWO.log_vkey


def test_no_line_can_be_dropped() -> None:
    """Without the Ed25519 line nobody known signed; without the ML-DSA line the quorum fails."""
    ed25519, mldsa, eip712 = NOTE.signatures
    with pytest.raises(CouldNotCheckError):
        check_policy(with_lines(mldsa, eip712), ONE.policy)
    with pytest.raises(PolicyError):
        check_policy(with_lines(ed25519, eip712), ONE.policy)
    check_policy(with_lines(mldsa, ed25519), ONE.policy)


def test_unknown_log_could_not_be_checked() -> None:
    """A log that the policy does not name is neither good nor bad."""
    with pytest.raises(CouldNotCheckError):
        check_policy(TWO.note(4), ONE.policy)


def test_key_of_another_name() -> None:
    """A known key does not speak for an origin other than its name."""
    note = Note(NOTE.text.replace("/one/", "/two/"), NOTE.signatures)
    with pytest.raises(CouldNotCheckError):
        check_policy(format_note(note), ONE.policy)


@pytest.mark.parametrize("place", [0, 1])
def test_tampered_line_of_a_known_key(place: int) -> None:
    """A known key's line that does not verify refuses the note, even where it was not needed."""
    lines = list(NOTE.signatures)
    payload = lines[place].payload
    lines[place] = replace(lines[place], payload=payload[:-1] + bytes([payload[-1] ^ 1]))
    with pytest.raises(SignatureError):
        check_policy(with_lines(*lines), replace(ONE.policy, quorum="none"))


def test_tampered_line_of_an_unknown_key() -> None:
    """Unknown lines are ignored, as signed-note says."""
    noise = Signature("someone.example", b"abcd", b"noise")
    assert noise in check_policy(with_lines(*NOTE.signatures, noise), ONE.policy).unchecked_lines


def test_thresholds() -> None:
    """A group witnesses exactly when enough of its members do."""
    other = make_vkey("w.example", alg=ALG_MLDSA44, public_key=bytes(1312))
    witnesses = (*ONE.policy.witnesses, Witness("other", other))
    for threshold in (1, 2):
        group = Group("g", threshold, ("one-mldsa", "other"))
        policy = Policy(ONE.policy.logs, witnesses, (group,), "g")
        if threshold == 1:
            check_policy(ONE.note(4), policy)
        else:
            with pytest.raises(PolicyError):
                check_policy(ONE.note(4), policy)


def test_two_keys_of_one_log() -> None:
    """Either of two keys that the policy names for a log is enough, and any that signed must verify."""
    spare = make_vkey(ONE.origin, alg=ALG_ED25519, public_key=derive("spare"))
    policy = replace(ONE.policy, logs=(spare, ONE.log_vkey))
    assert check_policy(ONE.note(4), policy).log_key == ONE.log_vkey
    forged = Signature(spare.name, spare.key_id, bytes(64))
    with pytest.raises(SignatureError):
        check_policy(with_lines(*NOTE.signatures, forged), policy)
