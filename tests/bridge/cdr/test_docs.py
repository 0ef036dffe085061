"""docs/cdr.md tells every field, every slug and the guard's numbers."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from bridge.cdr import guard
from bridge.cdr.models import Cdr
from bridge.cdr.outcome import OUTCOMES, PinResult
from bridge.cdr.q850 import CauseSource
from bridge.cdr.record import (
    CallerPresentation,
    Channel,
    Direction,
    EndBasis,
    HangupParty,
    NonbillableReason,
    NumberClass,
)

TEXT = (Path(__file__).parents[3] / "docs" / "cdr.md").read_text()
ROWS = dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", TEXT, re.MULTILINE))


def test_the_table_has_every_field_in_the_order_of_the_export() -> None:
    documented = [name for name in ROWS if name not in OUTCOMES]
    assert documented == [column.key for column in Cdr.__table__.columns]


def test_the_table_has_every_end_with_its_class() -> None:
    assert {name for name in ROWS if "-" in name or name in OUTCOMES} == set(OUTCOMES)
    for slug, known in OUTCOMES.items():
        assert ROWS[slug].startswith(f"`{known.disposition}` |"), slug


@pytest.mark.parametrize(("field", "values"), [
    ("direction", Direction), ("channel", Channel), ("caller_presentation", CallerPresentation),
    ("number_class", NumberClass), ("end_basis", EndBasis), ("cause_source", CauseSource),
    ("hangup_party", HangupParty), ("pin_result", PinResult), ("nonbillable_reason", NonbillableReason),
])
def test_every_value_of_a_field_is_told(field: str, values: type[StrEnum]) -> None:
    assert re.findall(r"`([\w-]+)`", ROWS[field].split(" | ")[0]) == [value.value for value in values]


def test_the_guards_numbers_are_those_of_the_code() -> None:
    for name, policy in (("caller's number on its trunk", guard.CALLER_POLICY),
                         ("trunk (source address)", guard.TRUNK_POLICY), ("account", guard.ACCOUNT_POLICY)):
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| {name} |"))
        pauses = [f"{policy.delay_first_s * 2**n:g}" for n in range(8)
                  if policy.delay_first_s * 2**n <= policy.delay_max_s]
        assert f"| {policy.free:g} wrong" in row
        assert f"| {', '.join(pauses)} s |" in row
        assert ("never" in row) == (policy.block_at is None)
        if policy.block_at is not None:
            assert f"from {policy.block_at:g} wrong" in row
