"""The field commitment: what opens it, and everything that must not."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.errors import CommitmentError, MalformedError
from ledger_service.proofs.canonical import decode_base64url, encode, encode_base64url
from ledger_service.proofs.fields import check_fields, commit_fields, disclose_fields
from ledger_service.proofs.merkle import leaf_hash, node_hash, tree_root_of
from ledger_service.proofs.schema import Schema, parse_schema
from tests.unit.proofs.strategies import hashes, present_values, schemas
from tests.unit.proofs.vectors import read_vectors

if TYPE_CHECKING:
    from ledger_service.proofs.canonical import JsonValue

SALT = bytes(range(32))
SCHEMA = Schema("sample/v1", ("alpha", "beta", "delta", "gamma"), ())
VALUES: dict[str, Any] = {"alpha": 1, "beta": "two", "gamma": [3]}
WHERE = {"log": "ledger.example/logs/a", "id": "A" * 22}
COMMITMENT = commit_fields(VALUES, salt=SALT, schema=SCHEMA, **WHERE)


def items(*names: str) -> list[Any]:
    """The items of evidence that shows `names`."""
    return disclose_fields(VALUES, salt=SALT, schema=SCHEMA, names=names)


def check(shown: Any, *, schema: Schema = SCHEMA, **where: Any) -> dict[str, JsonValue]:
    """Check items against the commitment."""
    return check_fields(shown, commitment=COMMITMENT, schema=schema, **(WHERE | where))


def test_formula_step_by_step() -> None:
    """The commitment is the formula of design section 5, computed here once more with other tools."""
    leaves = []
    for name in SCHEMA.private:
        salt = hmac.digest(SALT, b"audit-ledger/field/v1\x00" + name.encode(), "sha256")
        leaves.append(leaf_hash(encode([encode_base64url(salt), name, VALUES.get(name)])))
    root = node_hash(node_hash(leaves[0], leaves[1]), node_hash(leaves[2], leaves[3]))
    schema_hash = encode_base64url(SCHEMA.hash)
    parts = ["audit-ledger/commitment/v1", WHERE["log"], SCHEMA.kind, WHERE["id"], schema_hash]
    data = encode([*parts, list(SCHEMA.private), encode_base64url(root)])
    assert sha256(b"\x02" + data).digest() == COMMITMENT


def test_vector() -> None:
    """A purchase has the stored commitment, and each field alone opens it."""
    vector = read_vectors("record")
    schema, opening = parse_schema(vector["schema"]["text"].encode()), vector["opening"]
    where = {"log": opening["log"], "id": opening["id"]}
    salt, commitment = bytes.fromhex(opening["salt"]), bytes.fromhex(vector["commitment"])
    assert commit_fields(opening["values"], salt=salt, schema=schema, **where) == commitment
    for name, shown in vector["disclosed"].items():
        assert disclose_fields(opening["values"], salt=salt, schema=schema, names=[name]) == shown
        expected = {name: opening["values"][name]} if name in opening["values"] else {}
        assert check_fields(shown, commitment=commitment, schema=schema, **where) == expected


@given(st.data(), hashes, schemas(private=True))
def test_any_subset_opens(data: st.DataObject, salt: bytes, schema: Schema) -> None:
    """Any subset of the fields can be shown; absent fields are shown as absent."""
    values = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(schema.private, present_values)))
    names = data.draw(st.sets(st.sampled_from(schema.private)))
    commitment = commit_fields(values, salt=salt, schema=schema, **WHERE)
    shown = disclose_fields(values, salt=salt, schema=schema, names=names)
    expected = {name: values[name] for name in names if name in values}
    assert check_fields(shown, commitment=commitment, schema=schema, **WHERE) == expected


def test_absence_can_be_shown() -> None:
    """That a record lacks a field can be shown like a value, and is not a value."""
    shown = items("delta")
    assert shown[2][2] is None
    assert check(shown) == {}


@pytest.mark.parametrize("value", [0, False, "", [], {}])
def test_empty_values_are_not_absent(value: JsonValue) -> None:
    """Zero, false and empty values are present fields."""
    commitment = commit_fields(VALUES | {"delta": value}, salt=SALT, schema=SCHEMA, **WHERE)
    assert commitment != COMMITMENT


def test_hidden_leaf_cannot_be_an_inner_node() -> None:
    """An inner node passed as one hidden leaf, so that fields collapse, is refused."""
    left, right = items("alpha")[2:], items()[:2]
    collapsed = encode_base64url(node_hash(*(decode_base64url(item) for item in left)))
    head = encode_base64url(node_hash(*(decode_base64url(item) for item in right)))
    for shown in ([*right, collapsed], [head, collapsed], [head, *left]):
        with pytest.raises(CommitmentError):
            check(shown)


def test_collapsed_schema_does_not_help() -> None:
    """The number and names of the fields are hashed: a shorter schema over inner nodes does not open."""
    leaves = [decode_base64url(item) for item in items()]
    shorter = Schema(SCHEMA.kind, ("alpha", "beta"), ())
    inner = [
        encode_base64url(node_hash(leaves[0], leaves[1])),
        encode_base64url(node_hash(leaves[2], leaves[3])),
    ]
    assert tree_root_of([decode_base64url(item) for item in inner]) == tree_root_of(leaves)
    with pytest.raises(CommitmentError):
        check(inner, schema=shorter)


@pytest.mark.parametrize("place", range(4))
def test_missing_field(place: int) -> None:
    """Evidence that leaves out a field is refused, wherever the field stood."""
    shown = items("alpha", "beta", "delta", "gamma")
    del shown[place]
    with pytest.raises(CommitmentError):
        check(shown)


@pytest.mark.parametrize("place", range(4))
def test_doubled_field(place: int) -> None:
    """Evidence that states a field twice is refused, added or in place of another."""
    shown = items("alpha", "beta", "delta", "gamma")
    with pytest.raises(CommitmentError):
        check([*shown[:place], shown[place], *shown[place:]])
    with pytest.raises(CommitmentError):
        check([*shown[:place], shown[place - 1], *shown[place + 1 :]])


def test_renamed_field() -> None:
    """A value shown under another field's name is refused."""
    shown = items("alpha", "beta")
    shown[0][1], shown[1][1] = "beta", "alpha"
    with pytest.raises(CommitmentError):
        check(shown)


def test_swapped_places() -> None:
    """Fields in another order than the schema's are refused."""
    shown = items("alpha", "beta")
    with pytest.raises(CommitmentError):
        check([shown[1], shown[0], *shown[2:]])


@pytest.mark.parametrize("where", [{"id": "B" * 22}, {"log": "ledger.example/logs/b"}])
def test_opening_moved_to_another_entry(where: dict[str, Any]) -> None:
    """An opening of one entry does not open the same fields under another id or log."""
    with pytest.raises(CommitmentError):
        check(items("alpha"), **where)


def test_opening_moved_to_another_kind() -> None:
    """An opening does not fit a kind of another name whose fields are the same."""
    with pytest.raises(CommitmentError):
        check(items("alpha"), schema=Schema("other/v1", SCHEMA.private, ()))


def test_names_come_from_the_schema() -> None:
    """Names that the evidence states are compared with the schema's, never taken from it."""
    renamed = Schema(SCHEMA.kind, ("alpha", "beta", "delta", "omega"), ())
    shown = items("gamma")
    with pytest.raises(CommitmentError):
        check(shown, schema=renamed)
    shown[3][1] = "omega"
    with pytest.raises(CommitmentError):
        check(shown, schema=renamed)


def test_schema_with_other_public_fields() -> None:
    """The schema's hash is in the commitment: the same private names under another schema do not open."""
    with pytest.raises(CommitmentError):
        check(items(), schema=Schema(SCHEMA.kind, SCHEMA.private, ("zeta",)))


@pytest.mark.parametrize("change", [{"alpha": 2}, {"beta": "Two"}, {"gamma": [3, 3]}, {"delta": 0}])
def test_changed_value(change: dict[str, JsonValue]) -> None:
    """A changed value is refused."""
    shown = items(*SCHEMA.private)
    for place, name in enumerate(SCHEMA.private):
        shown[place][2] = change.get(name, shown[place][2])
    with pytest.raises(CommitmentError):
        check(shown)


@given(st.integers(0, 3), st.integers(0, 255))
def test_flipped_bit_of_a_hidden_leaf(place: int, bit: int) -> None:
    """One flipped bit in a hidden leaf is refused."""
    shown = items()
    flipped = int.from_bytes(decode_base64url(shown[place])) ^ (1 << bit)
    shown[place] = encode_base64url(flipped.to_bytes(32))
    with pytest.raises(CommitmentError):
        check(shown)


@pytest.mark.parametrize(
    "item",
    [
        None, 7, True, "", "AAAA", "A" * 44, "A" * 42 + "=", [], ["A" * 43, "alpha"], [None, "alpha", 1],
        ["A" * 43, "alpha", 1, 2], ["A" * 42, "alpha", 1], ["A" * 43, 1, 1], ["A" * 43, "alpha", 1.5],
        {"name": "alpha"}, ("A" * 43, "alpha", 1),
    ],
    ids=repr,
)  # fmt: skip
def test_malformed_item(item: object) -> None:
    """An item that is neither a leaf hash nor [salt, name, value] is refused without another error."""
    with pytest.raises(CommitmentError):
        check([item, *items()[1:]])


@pytest.mark.parametrize(
    "values",
    [{"alpha": None}, {"omega": 1}, {"alpha": 1, "omega": None}, {"alpha": 1.5}, {"alpha": {"A": 1}}],
)
def test_values_that_cannot_be_committed(values: dict[str, Any]) -> None:
    """Null, unknown fields and values without canonical form are refused."""
    with pytest.raises(MalformedError):
        commit_fields(values, salt=SALT, schema=SCHEMA, **WHERE)


def test_a_value_too_deep_to_be_shown_is_not_committed() -> None:
    """Nothing is committed that evidence could not carry within the bound of canonical JSON."""
    deep: JsonValue = 1
    for _ in range(25):
        deep = [deep]
    with pytest.raises(MalformedError):
        commit_fields({"alpha": deep}, salt=SALT, schema=SCHEMA, **WHERE)


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_salt_has_32_bytes(salt: bytes) -> None:
    """A record salt of another length is refused."""
    with pytest.raises(MalformedError):
        commit_fields(VALUES, salt=salt, schema=SCHEMA, **WHERE)


def test_kind_without_private_fields_has_no_commitment() -> None:
    """There is nothing to commit to without private fields."""
    bare = Schema("bare/v1", (), ("a",))
    with pytest.raises(MalformedError):
        commit_fields({}, salt=SALT, schema=bare, **WHERE)
    with pytest.raises(CommitmentError):
        check_fields([], commitment=COMMITMENT, schema=bare, **WHERE)


def test_only_known_fields_can_be_disclosed() -> None:
    """Asking to show a field that the schema lacks is refused, so that a typing error shows nothing less."""
    with pytest.raises(MalformedError):
        items("alpha", "omega")


def test_salts_of_fields_differ() -> None:
    """A shown field's salt says nothing about the salts of hidden fields: each is a MAC of its own."""
    salts = {item[0] for item in items(*SCHEMA.private)}
    assert len(salts) == len(SCHEMA.private)
    assert encode_base64url(SALT) not in salts
