"""Errors: each has a stable code, a status, an exit code and its line in the documentation."""

from __future__ import annotations

import inspect
import json
from http import HTTPStatus

import pytest

from api.errors import STATUS_OF, all_errors, format_problem, problem_response, status_of
from ledger_service import errors
from ledger_service.cli.exits import EXIT_OF
from scripts.generate_error_doc import DOCUMENT, format_errors


def test_every_error_has_its_place_in_every_table() -> None:
    """No class of the tree lacks a status, an exit code, a message or a sentence of its own."""
    codes = [each.code for each in all_errors()]
    assert sorted(codes) == sorted(set(codes))
    assert set(codes) == set(STATUS_OF) == set(EXIT_OF)
    for each in all_errors():
        assert each.message.endswith("."), each
        assert inspect.getdoc(each), each
        assert HTTPStatus(STATUS_OF[each.code]) >= HTTPStatus.BAD_REQUEST


def test_the_documentation_lists_them_as_they_are() -> None:
    """docs/errors.md is what the generator would write now."""
    assert DOCUMENT.read_text(encoding="utf-8") == format_errors(), (
        "run: python -m scripts.generate_error_doc"
    )


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.code)
def test_a_problem_says_no_more_than_it_may(kind: type[errors.LedgerError]) -> None:
    """A problem has the five members of RFC 9457 and ours; a fault of ours keeps its details to itself."""
    error = errors.LedgerError.__new__(kind)
    errors.LedgerError.__init__(error, "Something exact.", secret="canary")
    problem = format_problem(error)
    assert {"type", "title", "status", "code", "detail"} <= problem.keys()
    assert problem["code"] == kind.code
    if status_of(error) >= 500:
        assert "canary" not in json.dumps(problem)
    if status_of(error) == 500:
        assert problem["detail"] == kind.message


def test_equal_errors_give_equal_bytes() -> None:
    """Nothing in a problem tells two requests apart."""
    first, second = (problem_response(errors.NotFoundError()) for _ in range(2))
    assert first.data == second.data
    assert first.headers == second.headers


def test_an_error_without_a_place_is_a_defect() -> None:
    """A code that no table has is answered as a fault of ours."""

    class StrayError(errors.LedgerError):
        """Not in the tree's file."""

        code = "stray"

    assert status_of(StrayError()) == 500
