"""A DuckDB relation gives the log that its rows would give, whatever way its columns take."""

from __future__ import annotations

import duckdb
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidData

ROWS = """
select * from (values
  ('a', timestamp '2026-01-02 10:00', 'web', 'paid'),
  ('b', timestamp '2026-01-01 10:00', 'ad', null),
  ('a', timestamp '2026-01-01 10:00', 'ad', 'żółć and more than twelve bytes')
) t(who, "at", what, "odd ""name")
"""
KEYS = {"customer": "who", "timestamp": "at", "touchpoint": "what"}


@pytest.mark.parametrize(
    "change",
    ["*", '* replace ("at"::timestamptz as "at")', "* replace (what::enum('ad','web') as what)"],
)
def test_every_type_of_column_gives_the_same_log(change):
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        relation = connection.sql(f"select {change} from ({ROWS})")  # noqa: S608 - our own
        log = cx.InteractionLog.from_frame(relation, attributes=['odd "name'], **KEYS)
        assert log.customer_ids == ("a", "b")
        assert [i.touchpoint.name for i in log.interactions()] == ["ad", "web", "ad"]
        assert [i.timestamp.day for i in log.interactions()] == [1, 2, 1]
        assert log.attribute('odd "name').values() == [
            "żółć and more than twelve bytes",
            "paid",
            None,
        ]


@pytest.mark.parametrize("column", ["who", "at", "what"])
def test_missing_cells_are_refused_with_their_rows(column):
    with duckdb.connect() as connection:
        relation = connection.sql(f'select * replace (null as "{column}") from ({ROWS})')  # noqa: S608
        relation = connection.sql(f"({ROWS}) union all (from relation)")
        with pytest.raises(InvalidData, match="missing") as caught:
            cx.InteractionLog.from_frame(relation, **KEYS)
        assert list(caught.value.rows) == [3, 4, 5]
