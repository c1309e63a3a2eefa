"""A DuckDB relation gives the log that its rows would give, whatever way its columns take."""

from __future__ import annotations

import duckdb
import numpy as np
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


def test_strings_as_timestamps_and_numbers_are_read_as_from_arrays():
    more = """select *, "at"::varchar as said, 7::smallint as n, 0.5::float as joy,
                     null::double as none from rows"""
    keys = KEYS | {"timestamp": "said", "seq": "n", "emotion": "joy", "score": "none"}
    with duckdb.connect() as connection:
        rows = connection.sql(ROWS)  # noqa: F841 - the query reads it
        relation = connection.sql(more)
        log = cx.InteractionLog.from_frame(relation, tz="Asia/Tokyo", **keys)
        arrays = {name: relation.fetchnumpy()[name] for name in ("who", "said", "what", "n", "joy")}
        keys.pop("score")
        expected = cx.InteractionLog.from_frame(arrays, tz="Asia/Tokyo", **keys)
        assert log.columns.time.tolist() == expected.columns.time.tolist()
        assert log.columns.seq.tolist() == [7, 7, 7]
        assert log.columns.numeric["emotion"].tolist() == [0.5, 0.5, 0.5]
        assert np.isnan(log.columns.numeric["score"]).all()


def test_rows_keep_their_order_over_many_batches():
    with duckdb.connect() as connection:
        relation = connection.sql(
            "select 'c' || i % 7 as who, timestamp '2026-01-01' as \"at\", 't' || i % 1009 as what "
            "from range(400_000) r(i)"
        )
        log = cx.InteractionLog.from_frame(relation, **KEYS)
    names = log.columns.coded["touchpoint"].values()
    of_customer = [[f"t{i % 1009}" for i in range(c, 400_000, 7)] for c in range(7)]
    assert names == [name for customer in of_customer for name in customer]


def test_a_relation_over_python_objects_is_read():
    pd = pytest.importorskip("pandas")
    times = pd.date_range("2026-01-01", periods=300_000, freq="s")
    frame = pd.DataFrame({"at": times, "what": np.array(["web", "ad", "shop"] * 100_000, object)})
    frame["who"] = "x" + (frame.index % 50).astype(str).astype(object)
    with duckdb.connect() as connection:
        log = cx.InteractionLog.from_frame(connection.from_df(frame), **KEYS)
    assert (len(log), log.touchpoints) == (300_000, ("ad", "shop", "web"))
