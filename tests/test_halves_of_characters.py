"""Strings with half a character, as broken decoders leave them: refused where they come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.io import from_sequences, from_wide

HALF = "a\ud800b"
TABLE = {
    "who": ["a", "b"],
    "when": ["2026-01-01", "2026-01-02"],
    "what": ["x", "y"],
    "more": [1, 2],
}
KEYS = {"customer": "who", "timestamp": "when", "touchpoint": "what", "attributes": ["more"]}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("column", ["who", "what", "more"])
@pytest.mark.parametrize("kind", [list, lambda cells: pd.Series(cells, dtype=object)])
def test_a_table_with_half_a_character_is_refused(column, kind):
    with pytest.raises(InvalidValue, match="surrogates"):
        cx.InteractionLog.from_frame(TABLE | {column: kind([HALF, "b"])}, **KEYS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cx.Interaction(customer=HALF, touchpoint="x", timestamp=NOW),
        lambda: cx.Interaction(customer="a", touchpoint=HALF, timestamp=NOW),
        lambda: cx.JourneyBlueprint(HALF, ["x"]),
        lambda: cx.JourneyBlueprint("x", [HALF]),
        lambda: cx.JourneyBlueprint("x", ["x"], persona=HALF),
        lambda: cx.Journeys.from_paths([[HALF]], converted=[1]),
        lambda: from_wide({"who": [HALF], "a": ["2026-01-01"]}, customer="who", steps={"a": "x"}),
        lambda: from_sequences(
            {"who": ["a"], "s": [HALF]}, customer="who", states={"s": "2026-01-01"}
        ),
    ],
    ids=range(8),
)
def test_half_a_character_is_refused(make):
    with pytest.raises(InvalidValue, match="surrogates"):
        make()


@pytest.mark.parametrize(
    "wrong",
    [{"customer": None}, {"customer": ["who"]}, {"timestamp_format": 3}, {"touchpoint": {}}],
    ids=range(4),
)
def test_what_names_no_column_or_format_is_refused(wrong):
    with pytest.raises(InvalidValue):
        cx.InteractionLog.from_frame(TABLE, **(KEYS | wrong))


@pytest.mark.parametrize("steps", [3, None, "a", ["a"]])
def test_steps_and_states_of_other_kinds_are_refused(steps):
    frame = {"who": ["k"], "a": ["2026-01-01"]}
    with pytest.raises(InvalidValue, match="steps"):
        from_wide(frame, customer="who", steps=steps)
    if not isinstance(steps, list):
        with pytest.raises(InvalidValue, match="states"):
            from_sequences(
                frame, customer="who", states=steps, start="2026-01-01", step=timedelta(days=1)
            )


@pytest.mark.parametrize("lifecycle", [3, {3: 4}, [None]])
def test_a_lifecycle_of_another_kind_is_refused(tmp_path, lifecycle):
    (tmp_path / "log.xes").write_text("<log/>")
    with pytest.raises(InvalidValue, match="lifecycle"):
        cx.read_xes(tmp_path / "log.xes", lifecycle=lifecycle)
