"""The store: at every date what counting everything anew gives, whatever has happened before."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import (
    DataQualityWarning,
    InputFileError,
    InvalidData,
    InvalidValue,
    UnknownName,
)
from cxjourney.log import in_order_of_names
from cxjourney.sharded import _store

COLUMNS = {"customer": "who", "timestamp": "at", "touchpoint": "page"}
START = datetime(2026, 1, 1, tzinfo=UTC)
QUIET = pytest.mark.filterwarnings("ignore::cxjourney.exceptions.DataQualityWarning")
ANALYSES: dict[str, Any] = {
    "funnel": {"steps": ["web", "buy"], "within": timedelta(days=3)},
    "cohort_retention": {"unit": "week"},
    "handoff_loss": {},
    "shapley": {},
}
RULES: list[dict[str, Any]] = [
    {"goal": "buy", "inactivity": timedelta(days=5)},
    {"goal": "buy", "inactivity": timedelta(days=5), "after_goal": "discard"},
    {"goal": "buy", "inactivity": timedelta(days=5), "after_goal": "keep"},
    {"goal": "buy", "exit_touchpoints": "leave", "all_closed": True, "inactivity": "5d"},
    {"goal": "buy", "exit_touchpoints": "leave", "all_closed": True},
    {"goal": "buy", "exit_touchpoints": "leave"},
    {"inactivity": "5d"},
    {"goal": "buy", "inactivity": "5d", "journey": "case"},
    {"goal": "buy", "inactivity": "5d", "observed_from": "2026-01-03"},
    {"goal": "buy", "inactivity": "5d", "carry_channels": "2d"},
    {"goal": "buy", "inactivity": "5d", "grains": [("touchpoint", "channel"), "owner"]},
    {"goal": "buy", "inactivity": "5d", "grains": "channel"},
    {"goal": "buy", "inactivity": "5d", "analyses": ANALYSES},
]

Row = tuple[str, datetime, str, str | None, str | None, str, float | None]
NAMES = ("who", "at", "page", "via", "by", "case", "worth")
TYPES = (pa.string(), pa.timestamp("us", "UTC"), *[pa.string()] * 4, pa.float64())
FURTHER = {"channel": "via", "owner": "by", "value": "worth", "currency": "EUR"}


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - nothing is kept secret


def table_of(rows: list[Row]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[] for _ in NAMES]
    arrays = [pa.array(list(c), type=t) for c, t in zip(columns, TYPES, strict=True)]
    return pa.table(dict(zip(NAMES, arrays, strict=True)))


def whole(rows: list[Row], rules: dict[str, Any], until: Any = None) -> bytes:
    rules = {**FURTHER, **rules}
    reading = {"channel", "owner", "value", "currency", "journey", "observed_from"}
    named = {name: rules.pop(name) for name in reading & set(rules)}
    counted = {name: rules.pop(name) for name in ("grains", "analyses") if name in rules}
    log = cx.InteractionLog.from_frame(table_of(rows), **COLUMNS, **named, observed_until=until)
    planned = [*{"buy", "leave"} & {rules.get("goal"), rules.get("exit_touchpoints")}]
    log, _ = in_order_of_names(log)
    journeys = log.journeys(**rules, touchpoints=planned)
    return journeys.statistics(**counted).to_bytes()


def a_row(rng: random.Random, who: str, day: float) -> Row:
    page = rng.choice(
        ["web", "app", "mail", "buy", "leave", "web", "app", f"rare{rng.random():.2f}"]
    )
    return (
        who,
        START + timedelta(days=day, hours=rng.choice([0, 0.25, 1, 7.3])),
        page,
        rng.choice([None, "c1", "c2"]),
        rng.choice([None, "ann", "bob"]),
        f"case{rng.randrange(3)}",
        rng.choice([None, 1.25, -3.0]),
    )


def lives(rng: random.Random, customers: int, days: float) -> list[Row]:
    rows = []
    for i in range(customers):
        day = rng.uniform(0, days)
        for _ in range(rng.randrange(1, 8)):
            if day < days:
                rows.append(a_row(rng, f"c{i}", day))
            day += rng.choice([0, 0.01, 1, 3, 6, 11])
    return rows


def store_of(folder: Path, rules: dict[str, Any]) -> cx.sharded.Store:
    return cx.sharded.Store(folder, **COLUMNS, **{**FURTHER, **rules})


def relation_of(rows: list[Row], connection: Any) -> Any:
    return connection.from_arrow(table_of(rows))


@QUIET
@pytest.mark.parametrize("rules", RULES, ids=lambda r: "-".join(map(str, r.values()))[:50])
@example(seed=7866, customers=3)
@example(seed=268, customers=300)
@given(seed=st.integers(0, 2**32), customers=st.sampled_from([3, 90]))
@settings(max_examples=2)  # the first of which is always the simplest
def test_at_every_date_the_store_is_the_whole(rules, seed, customers):
    rng = dice(seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect() as connection,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(_store, "ROWS", rng.choice([150, 700, 10**6]))
        patch.setattr(os, "fsync", lambda _: None)  # nobody pulls the plug
        days = 20.0
        rows = [*lives(rng, customers, days), (*a_row(rng, "c0", 0)[:2], "buy", *[None] * 4)]
        rows += [(*rows[0][:2], "leave", None, None, "case0", None)]
        rows = [(*row[:5], row[5] or "case0", row[6]) for row in rows]
        store = store_of(Path(folder) / "store", rules)
        store.update(relation_of(rows, connection))
        assert store.statistics().to_bytes() == whole(rows, rules)
        for _ in range(rng.randrange(1, 5)):
            days += rng.choice([0.3, 1, 4, 9, 40])
            people = [f"c{i}" for i in range(customers + 5)]
            changed = set(rng.sample(people, rng.choice([0, 1, 5, customers // 3])))
            what, before = rng.random(), {row[0] for row in rows}
            if what < 0.15:  # rows go, the last ones perhaps
                rows = [row for row in rows if row[0] not in changed or rng.random() < 0.5]
            elif what < 0.25:
                last = max((row[1] for row in rows), default=START)
                changed |= {row[0] for row in rows if row[1] > last - timedelta(days=3)}
                rows = [row for row in rows if row[0] not in changed]
            else:  # new ones come, late ones among them
                rows = rows + [
                    a_row(rng, one, rng.choice([days, days, rng.uniform(0, days)]))
                    for one in sorted(changed)
                    for _ in range(rng.randrange(1, 3))
                ]
            until = rng.choice([None, None, START + timedelta(days=days + rng.uniform(-8, 3))])
            lacking = len(before - {row[0] for row in rows})
            everything = rng.random() < 0.1 and 2 * lacking <= len(before)
            named = {rules.get("goal"), rules.get("exit_touchpoints")} - {None}
            if everything and rows and not named <= {row[2] for row in rows}:
                with pytest.raises(cx.exceptions.UnknownName, match="is not in the table"):
                    store.update(relation_of(rows, connection), observed_until=until)
                everything = False
            store.update(
                relation_of(rows, connection),
                changed=None if everything and rows else sorted(changed),
                observed_until=until,
            )
            again = cx.sharded.Store(store._folder)
            if rows:
                assert again.statistics().to_bytes() == whole(rows, rules, until)


def some_rows(customers: int = 300) -> list[Row]:
    rng = dice(7)
    return [*lives(rng, customers, 20), (*a_row(rng, "c0", 0)[:2], "buy", *[None] * 4)]


BUY = RULES[0]


@QUIET
@pytest.mark.parametrize("most", [200, 10**6])
def test_erased_customers_never_were(tmp_path, monkeypatch, most):
    monkeypatch.setattr(_store, "ROWS", most)
    rows = some_rows()
    store = store_of(tmp_path / "store", BUY)
    store.update(duckdb.from_arrow(table_of(rows)))
    until = max(row[1] for row in rows)
    last = next(row[0] for row in rows if row[1] == until)
    asked = {last, *(f"c{i}" for i in range(0, 300, 3)), "nobody"}
    known = asked & {row[0] for row in rows}
    receipt = store.erase([*asked, last])
    assert (receipt.n_asked, receipt.n_erased) == (len(asked), len(known))
    assert receipt.observed_until == until  # as it was, though the last interaction is gone
    assert last not in repr(receipt)
    left = [row for row in rows if row[0] not in asked]
    assert store.statistics().to_bytes() == whole(left, BUY, until)
    for file in store._folder.glob("*.parquet"):
        ids = (
            pq.read_table(file).to_pydict().get("id") or pq.read_table(file)["customer"].to_pylist()
        )
        assert not asked & set(ids)
    # from then on they are what the source says: gone there, they stay gone
    store.update(duckdb.from_arrow(table_of(left)), changed=sorted(asked))
    assert store.statistics().to_bytes() == whole(left, BUY)
    store.update(duckdb.from_arrow(table_of(rows)), changed=[last])
    assert store.statistics().n_customers == len({row[0] for row in left}) + 1
    assert store.erase({row[0] for row in rows}).n_erased
    assert len(store.statistics()) == 0


KILLED = """
import os, signal, sys
import duckdb
import cxjourney as cx
from cxjourney.sharded import _store, _store_folder
if sys.argv[3] == "rename":
    def write_whole(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)
    _store_folder.write_whole = write_whole
else:
    total = _store.JourneyStatistics.total
    def killed(some):
        os.kill(os.getpid(), signal.SIGKILL)
    _store.JourneyStatistics.total = killed
cx.sharded.Store(sys.argv[1]).update(sys.argv[2], changed=["c1", "c2", "new"])
"""


@QUIET
@pytest.mark.parametrize("where", ["rename", "total"])
def test_a_killed_update_leaves_the_store_as_it_was(tmp_path, where):
    rows = some_rows()
    store = store_of(tmp_path / "store", BUY)
    store.update(duckdb.from_arrow(table_of(rows)))
    before = {file.name: file.read_bytes() for file in store._folder.iterdir()}
    statistics = store.statistics()
    more = [*rows, a_row(dice(1), "new", 30), a_row(dice(2), "c1", 30)]
    duckdb.from_arrow(table_of(more)).write_parquet(str(tmp_path / "more.parquet"))
    arguments = [str(store._folder), str(tmp_path / "more.parquet"), where]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    after = {file.name: file.read_bytes() for file in store._folder.iterdir()}
    assert len(after) > len(before)  # what it wrote lies about
    assert {name: after[name] for name in before if name != "lock"} == {
        name: data for name, data in before.items() if name != "lock"
    }
    assert store.statistics() == statistics
    # the lock went with the process; the next update removes what was left, and counts
    store.update(str(tmp_path / "more.parquet"), changed=["c1", "c2", "new"])
    assert store.statistics().to_bytes() == whole(more, BUY)
    assert len(list(store._folder.iterdir())) == len(before)


def test_two_updates_at_once_are_refused(tmp_path):
    rows = some_rows(20)
    store = store_of(tmp_path / "store", BUY)
    script = (
        "import sys\nfrom pathlib import Path\nfrom cxjourney.sharded import _store_folder\n"
        "with _store_folder.locked(Path(sys.argv[1])):\n    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store._folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(
            InvalidValue, match=rf"is being changed by another update \(process {other.pid}\): wait"
        ):
            store.update(duckdb.from_arrow(table_of(rows)))
        with pytest.raises(InvalidValue, match="one update at a time"):
            store.erase(["c1"])
        other.communicate(b"")
    with pytest.warns(DataQualityWarning):
        store.update(duckdb.from_arrow(table_of([*rows, *rows])))


@QUIET
def test_a_store_is_its_plan_and_nobody_elses_to_read(tmp_path):
    folder = tmp_path / "store"
    with pytest.raises(InvalidValue, match="folder must hold a store, or come with customer="):
        cx.sharded.Store(folder)
    store = store_of(folder, {**BUY, "grains": [("touchpoint", "channel"), "owner"]})
    with pytest.raises(InvalidValue, match="holds no statistics yet: call update"):
        store.statistics()
    assert store.erase(["c1"]).n_erased == 0
    assert cx.sharded.Store(folder)._counting == store._counting
    store_of(folder, {**BUY, "inactivity": "5d", "grains": [("touchpoint", "channel"), "owner"]})
    with pytest.raises(InvalidValue, match="plan must be that of the store, which has grains="):
        store_of(folder, BUY)
    with pytest.raises(InvalidValue, match=r"which has goal=\['buy'\]"):
        store_of(folder, {"inactivity": "5d", "grains": [("touchpoint", "channel"), "owner"]})
    with pytest.raises(InvalidValue, match="observed_until must be given to update"):
        store_of(tmp_path / "other", {**BUY, "observed_until": date(2026, 1, 1)})
    with pytest.raises(InvalidValue, match="since must be None: a store counts all journeys"):
        store_of(tmp_path / "other", {**BUY, "since": date(2026, 1, 1)})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(InvalidValue, match="folder must be a store, empty, or not there yet"):
        store_of(tmp_path / "full", BUY)
    rows = duckdb.from_arrow(table_of(some_rows()))
    store.update(rows, observed_until="2026-03-01")
    assert repr(store) == f"Store: until 2026-03-01, {folder}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert not list(tmp_path.glob("cxjourney-shards*"))


@QUIET
def test_what_is_wrong_leaves_the_store_as_it_was(tmp_path):
    store = store_of(tmp_path / "store", BUY)
    rows = table_of(some_rows())
    with pytest.raises(UnknownName, match="goal 'buy' is not in the table"):
        store.update(duckdb.from_arrow(table_of([row for row in some_rows() if row[2] != "buy"])))
    store.update(duckdb.from_arrow(rows))
    before = store.statistics()
    naive = rows.set_column(1, "at", rows["at"].cast(pa.timestamp("us")))
    with pytest.raises(InvalidValue, match="column of timestamp= must be of the type TIMEST"):
        store.update(duckdb.from_arrow(naive), changed=["c1"])
    with pytest.raises(UnknownName, match="'via'"):
        store.update(duckdb.from_arrow(rows.drop_columns(["via"])), changed=["c1"])
    with pytest.raises(InputFileError, match="no file"):
        store.update(tmp_path / "none.parquet", changed=["c1"])
    for wrong in ("c1", 7, [1.5], [None]):
        with pytest.raises(InvalidValue, match="changed must be several ids"):
            store.update(duckdb.from_arrow(rows), changed=wrong)
    with pytest.raises(InvalidValue, match="customers must be several ids") as error:
        store.erase("secret")
    assert "secret" not in str(error.value)
    assert store.statistics() == before
    manifest = store._folder / "manifest.json"
    facts = json.loads(manifest.read_text())
    for damaged in ("{", "[]", json.dumps({**facts, "format": 9}), json.dumps({**facts, "x": 1})):
        manifest.write_text(damaged)
        with pytest.raises(InputFileError, match="is no manifest of a store in format 1"):
            store.statistics()
    manifest.write_text(json.dumps(facts))
    (kept,) = store._folder.glob("whole-*")
    kept.write_bytes(kept.read_bytes()[:-20])
    with pytest.raises(InvalidValue, match="damaged"):
        store.statistics()


@QUIET
def test_ids_that_are_numbers_and_files(tmp_path):
    rows = pa.table({"who": [1, 2, 2], "at": [START] * 3, "page": ["web", "web", "buy"]})
    duckdb.from_arrow(rows).write_parquet(str(tmp_path / "rows.parquet"))
    store = cx.sharded.Store(tmp_path / "store", **COLUMNS, **BUY)
    done: list[tuple[int, int]] = []
    store.update(tmp_path / "*.parquet", progress=lambda i, n: done.append((i, n)), memory="400mb")
    assert done == [(1, 1)]
    assert store.statistics() == cx.sharded.parquet(tmp_path / "rows.parquet", **COLUMNS, **BUY)
    assert store.erase([2]).n_erased == 1
    assert store.statistics().n_customers == 1


@QUIET
def test_rows_that_lack_something_and_the_hours_of_a_zone(tmp_path):
    rng = dice(1)

    def rows_between(n: int, begin: float, end: float) -> list[tuple[Any, ...]]:
        night = datetime(2026, 3, 20)  # noqa: DTZ001 - read in the zone, which skips an hour
        return [
            (
                None if rng.random() < 0.05 else f"c{rng.randrange(150)}",
                night + timedelta(days=rng.uniform(begin, end)) if rng.random() > 0.05 else None,
                rng.choice(["web", "app", "buy", None]),
            )
            for _ in range(n)
        ]

    def relation_of_rows(rows: list[tuple[Any, ...]]) -> Any:
        who, at, page = zip(*rows, strict=True)
        times = pa.array(at, pa.timestamp("us"))
        return duckdb.from_arrow(pa.table({"who": list(who), "at": times, "page": list(page)}))

    plan = {**COLUMNS, "goal": "buy", "inactivity": "4d", "missing": "drop", "tz": "Europe/Berlin"}
    rows = rows_between(900, 0, 12)
    store = cx.sharded.Store(tmp_path / "store", **plan)
    store.update(relation_of_rows(rows))
    for day in range(12, 32, 5):
        new = rows_between(40, day, day + 5)
        rows += new
        store.update(relation_of_rows(rows), changed={row[0] for row in new if row[0]})
        assert store.statistics() == cx.sharded.relation(relation_of_rows(rows), **plan)
    assert store._state().parts[0].n_settled > 64


@QUIET
def test_a_source_that_lacks_most_customers_is_refused_without_changed(tmp_path):
    rows = [(f"c{i}", START, page, *[None] * 4) for i in range(4) for page in ("web", "buy")]
    store = store_of(tmp_path / "store", BUY)
    store.update(duckdb.from_arrow(table_of(rows)))
    before = store.statistics()
    day = START + timedelta(days=1)
    new = [(f"n{i}", day, "buy", *[None] * 4) for i in range(9)]
    for source, n in (([], 0), (new, 0), ([*rows[:2], *new], 1)):
        with pytest.raises(InvalidData, match=f"has {n} of the 4 customers.*changed=.*everything"):
            store.update(duckdb.from_arrow(table_of(source)))
        assert store.statistics() == before
    duckdb.from_arrow(table_of(new)).write_parquet(str(tmp_path / "day.parquet"))
    with pytest.raises(InvalidData, match="another store in a new folder"):
        store.update(tmp_path / "day.parquet")
    store.update(tmp_path / "day.parquet", changed={row[0] for row in new})
    assert store.statistics().n_customers == 13
    # half of them may go, and none of those who were erased is missed
    store.erase({row[0] for row in new})
    store.update(duckdb.from_arrow(table_of(rows[:4])))
    assert store.statistics().to_bytes() == whole(rows[:4], BUY)
    store.erase({row[0] for row in rows})
    store.update(duckdb.from_arrow(table_of([])))
    assert store.statistics().n_customers == 0


def test_what_is_odd_about_what_is_read_is_said_every_night(tmp_path):
    def warned(rows: list[Row], **options: Any) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            store.update(duckdb.from_arrow(table_of(rows)), **options)
        return [str(one.message) for one in caught if one.category is DataQualityWarning]

    store = store_of(tmp_path / "store", BUY)
    rows = [(f"c{i}", START + timedelta(days=i), "buy", *[None] * 4) for i in range(10)]
    noon = START + timedelta(days=4, hours=12)
    with pytest.warns(DataQualityWarning) as told:
        cx.sharded.relation(
            duckdb.from_arrow(table_of(rows)), **COLUMNS, **FURTHER, **BUY, observed_until=noon
        )
    assert warned(rows, observed_until=noon) == [str(one.message) for one in told]
    assert warned(rows) == []
    (late,) = warned(rows, observed_until=noon, changed=["c1", "c8", "c9"])
    assert late.startswith("2 interactions lie after observed_until and still count")
    # of the interactions that are read, two of three and then none are tied
    tied = [*rows, *[(*rows[2][:2], page, *[None] * 4) for page in ("web", "app")]]
    (ties,) = warned(tied, changed=["c2"])
    assert ties.startswith("2 of 3 interactions have the customer and the timestamp of an earlier")
    assert warned(tied, changed=["c3"]) == []
    assert store.statistics().to_bytes() == whole(tied, BUY)


@QUIET
def test_a_goal_that_never_occurred_is_unknown_until_it_has(tmp_path):
    store = store_of(tmp_path / "store", BUY)
    store.update(duckdb.from_arrow(table_of([])))
    web: list[Row] = [("c1", START, "web", *[None] * 4)]
    for changed in (["c1"], None):
        with pytest.raises(UnknownName, match="goal 'buy' is not in the table"):
            store.update(duckdb.from_arrow(table_of(web)), changed=changed)
    rows: list[Row] = [*web, ("c2", START, "buy", *[None] * 4)]
    store.update(duckdb.from_arrow(table_of(rows)), changed=["c1"])  # all, as the first night
    assert store.statistics().to_bytes() == whole(rows, BUY)
    store.update(duckdb.from_arrow(table_of(web)), changed=["c1", "c2"])
    assert store.statistics().to_bytes() == whole(web, BUY)


@QUIET
def test_arguments_that_agree_with_the_plan_are_taken(tmp_path):
    folder = tmp_path / "store"
    plan = {**BUY, "inactivity": "14d", "observed_from": "2026-01-03", "analyses": ANALYSES}
    store = store_of(folder, plan)
    some: list[dict[str, Any]] = [
        {"goal": "buy"},
        {"customer": "who", "inactivity": timedelta(days=14)},
        {"observed_from": date(2026, 1, 3), "channel": "via"},
        {"analyses": ANALYSES},
    ]
    for given_again in some:
        assert cx.sharded.Store(folder, **given_again)._counting == store._counting
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"goal": "leave"}, "goal=['buy']: give the same, leave all arguments but the folder out"),
        ({"customer": "by"}, "customer='who'"),
        ({"goal": "buy", "inactivity": "5d"}, "inactivity=14 days"),
        ({"observed_from": "2026-01-04"}, "observed_from=2026-01-03"),
        ({"stage": "page"}, "stage=None"),
    ]
    for given_again, own in wrong:
        with pytest.raises(InvalidValue, match=re.escape(f"the store, which has {own}")):
            cx.sharded.Store(folder, **given_again)
    with pytest.raises(UnknownName, match="gaol"):
        cx.sharded.Store(folder, gaol="buy")  # type: ignore[call-arg]
