"""Who does which work how: one function a contender, run in a process of its own by `once.py`.

`CONTENDERS[work][name]` gives the environment and a function that takes the folder of the data and
does everything that is not timed; it returns the timed call and a function that turns its result
into an answer, the same for all contenders of a work (numbers may differ by rounding or, where a
contender simulates, by its error). Imports stand inside: no environment has all packages.
"""

from __future__ import annotations

# ruff: noqa: S608 - the names in the queries are our own
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Prepared = tuple[Callable[[], Any], Callable[[Any], dict[str, float]]]
WEEK = timedelta(days=7)
GOAL = "tp_0"
KEYS = {"customer": "customer_id", "timestamp": "timestamp", "touchpoint": "touchpoint"}


def steps(folder: Path) -> list[str]:
    """Return five touchpoints of which each is the most frequent successor of the one before."""
    import json

    return json.loads((folder / "steps.json").read_text())


# ------------------------------------------------------------------ answers that can be compared


def edges_answer(edges: Any, starts: Any, ends: Any) -> dict[str, float]:
    """Return sums that tell counts by edge apart; `edges` yields (from, to, count)."""
    code = {f"tp_{i}": i + 1 for i in range(60)}
    rows = [(code[a], code[b], int(n)) for a, b, n in edges]
    return {
        "edges": len(rows),
        "moves": sum(n for _, _, n in rows),
        "weighted": sum((7 * a + 61 * b) * n for a, b, n in rows),
        "starts": sum(code[a] * int(n) for a, n in starts),
        "ends": sum(code[a] * int(n) for a, n in ends),
    }


def _graph_answer(graph: Any) -> dict[str, float]:
    import cxjourney as cx

    terminals = {cx.START, cx.CONVERSION, cx.DROPOFF}
    all_edges = [(a, b, d["count"]) for a, b, d in graph.edges(data=True)]
    return edges_answer(
        [e for e in all_edges if not terminals & set(e[:2])],
        [(b, n) for a, b, n in all_edges if a == cx.START],
        [(a, n) for a, b, n in all_edges if b == cx.DROPOFF],
    )


def _frames_answer(result: Any) -> dict[str, float]:
    edges, starts, ends = result
    return edges_answer([(a, b, n) for a, b, n, *_ in edges.rows()], starts.rows(), ends.rows())


# ------------------------------------------------------------------ A: graph with times


def _ours_graph(frame: Any) -> Prepared:
    import cxjourney as cx

    def run() -> Any:
        log = cx.InteractionLog.from_frame(frame, **KEYS)
        return log.journeys(all_closed=True).graph()

    return run, _graph_answer


def ours_graph_polars(folder: Path) -> Prepared:
    import polars as pl

    return _ours_graph(pl.read_parquet(folder / "events.parquet"))


def ours_graph_pandas(folder: Path) -> Prepared:
    import pandas as pd

    return _ours_graph(pd.read_parquet(folder / "events.parquet"))


def ours_graph_encoded(folder: Path) -> Prepared:
    import polars as pl

    import cxjourney as cx

    log = cx.InteractionLog.from_frame(pl.read_parquet(folder / "events.parquet"), **KEYS)
    return lambda: log.journeys(all_closed=True).graph(), _graph_answer


def _polars_edges(lazy: Any) -> Any:
    import polars as pl

    id_ = pl.col("customer_id")
    touch, time = pl.col("touchpoint"), pl.col("timestamp")
    moves = lazy.sort("customer_id", "timestamp").select(
        a="touchpoint",
        b=pl.when(id_ == id_.shift(-1)).then(touch.shift(-1)),
        dt=time.shift(-1) - time,
        p=pl.when(id_ == id_.shift(1)).then(touch.shift(1)),
    )
    return pl.collect_all(
        [
            moves.filter(pl.col("b").is_not_null())
            .group_by("a", "b")
            .agg(pl.len(), pl.col("dt").mean()),
            moves.filter(pl.col("p").is_null()).group_by("a").len(),
            moves.filter(pl.col("b").is_null()).group_by("a").len(),
        ]
    )


def polars_tuned(folder: Path) -> Prepared:
    import polars as pl

    frame = pl.read_parquet(folder / "events.parquet")
    return lambda: _polars_edges(frame.lazy()), _frames_answer


def polars_usual(folder: Path) -> Prepared:
    import polars as pl

    frame = pl.read_parquet(folder / "events.parquet")

    def run() -> Any:
        moves = (
            frame.lazy()
            .sort("customer_id", "timestamp")
            .select(
                a="touchpoint",
                b=pl.col("touchpoint").shift(-1).over("customer_id"),
                dt=pl.col("timestamp").shift(-1).over("customer_id") - pl.col("timestamp"),
                p=pl.col("touchpoint").shift(1).over("customer_id"),
            )
        )
        return pl.collect_all(
            [
                moves.filter(pl.col("b").is_not_null())
                .group_by("a", "b")
                .agg(pl.len(), pl.col("dt").mean()),
                moves.filter(pl.col("p").is_null()).group_by("a").len(),
                moves.filter(pl.col("b").is_null()).group_by("a").len(),
            ]
        )

    return run, _frames_answer


def _duckdb_table(folder: Path) -> Any:
    import duckdb

    connection = duckdb.connect()
    path = str(folder / "events.parquet")
    connection.execute("create table ev as select * from read_parquet(?)", [path])
    return connection


DUCKDB_EDGES = """
with w as materialized (
  select touchpoint a, lead(touchpoint) over p b, lead(timestamp) over p - timestamp dt,
         lag(touchpoint) over p pr
  from ev window p as (partition by customer_id order by timestamp)),
e as (select 0 k, a, b, count(*) n, avg(epoch_us(timestamp '1970-01-01' + dt)) / 1e6 m
      from w where b is not null group by a, b),
s as (select 1 k, a, null b, count(*) n, null m from w where pr is null group by a),
f as (select 2 k, a, null b, count(*) n, null m from w where b is null group by a)
select * from e union all select * from s union all select * from f
"""


def duckdb_edges(folder: Path) -> Prepared:
    connection = _duckdb_table(folder)

    def answer(rows: Any) -> dict[str, float]:
        return edges_answer(
            [(a, b, n) for k, a, b, n, _ in rows if k == 0],
            [(a, n) for k, a, _, n, _ in rows if k == 1],
            [(a, n) for k, a, _, n, _ in rows if k == 2],
        )

    return lambda: connection.execute(DUCKDB_EDGES).fetchall(), answer


def pandas_tuned(folder: Path) -> Prepared:
    import numpy as np
    import pandas as pd

    frame = pd.read_parquet(folder / "events.parquet")

    def run() -> Any:
        customer, _ = pd.factorize(frame["customer_id"])
        touch, names = pd.factorize(frame["touchpoint"])
        order = np.lexsort((frame["timestamp"].to_numpy(), customer))
        customer, touch = customer[order], touch[order]
        time = frame["timestamp"].to_numpy()[order]
        same = customer[1:] == customer[:-1]
        key = (touch[:-1] * len(names) + touch[1:])[same]
        wait = (time[1:] - time[:-1])[same].astype(np.float64) / 1e6
        size = len(names) ** 2
        counts = np.bincount(key, minlength=size)
        with np.errstate(invalid="ignore"):
            mean = np.bincount(key, wait, minlength=size) / counts
        starts = np.bincount(touch[np.append(True, ~same)], minlength=len(names))
        ends = np.bincount(touch[np.append(~same, True)], minlength=len(names))
        return names, counts, mean, starts, ends

    def answer(result: Any) -> dict[str, float]:
        names, counts, _, starts, ends = result
        k = len(names)
        edges = [(names[i // k], names[i % k], counts[i]) for i in np.flatnonzero(counts)]
        return edges_answer(edges, zip(names, starts, strict=True), zip(names, ends, strict=True))

    return run, answer


def _pm4py_frame(folder: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(folder / "events.parquet")


def pm4py_graph(folder: Path) -> Prepared:
    import pm4py

    frame = _pm4py_frame(folder)
    keys = {
        "case_id_key": "customer_id",
        "activity_key": "touchpoint",
        "timestamp_key": "timestamp",
    }

    def run() -> Any:
        counted, starts, ends = pm4py.discover_dfg(frame, **keys)
        times, _, _ = pm4py.discover_performance_dfg(frame, **keys)
        return counted, starts, ends, times

    def answer(result: Any) -> dict[str, float]:
        counted, starts, ends, _ = result
        return edges_answer(
            [(a, b, n) for (a, b), n in counted.items()], starts.items(), ends.items()
        )

    return run, answer


def retentioneering_graph(folder: Path) -> Prepared:
    import pandas as pd
    from retentioneering import Eventstream

    frame = pd.read_parquet(folder / "events.parquet")
    schema = {
        "path_cols": ["customer_id"],
        "event_col": "touchpoint",
        "timestamp_col": "timestamp",
    }

    def run() -> Any:
        return Eventstream(frame, schema=schema).transition_graph_data(edge_weight="count")

    def answer(found: Any) -> dict[str, float]:
        counts = {(a, b): n for a, row in found.iterrows() for b, n in row.items() if n}
        return edges_answer(
            [(a, b, n) for (a, b), n in counts.items() if a[0] == "t" == b[0]],
            [(b, n) for (a, b), n in counts.items() if a == "path_start"],
            [(a, n) for (a, b), n in counts.items() if b == "path_end"],
        )

    return run, answer


# ------------------------------------------------------------------ B: funnel of five steps


def _funnel_answer(counts: Any) -> dict[str, float]:
    return {f"step {i}": int(n) for i, n in enumerate(counts)}


def ours_funnel(folder: Path) -> Prepared:
    import polars as pl

    import cxjourney as cx
    from cxjourney.dropoff import funnel

    log = cx.InteractionLog.from_frame(pl.read_parquet(folder / "events.parquet"), **KEYS)
    chosen = steps(folder)

    def run() -> Any:
        return funnel(log, chosen, within=WEEK, entry="first", censored="keep").counts

    return run, _funnel_answer


def polars_funnel(folder: Path) -> Prepared:
    import polars as pl

    frame, chosen = pl.read_parquet(folder / "events.parquet"), steps(folder)

    def run() -> Any:
        lazy = frame.lazy()

        def at(step: str) -> pl.LazyFrame:
            return lazy.filter(pl.col("touchpoint") == step).select("customer_id", "timestamp")

        level = at(chosen[0]).group_by("customer_id").agg(t1=pl.col("timestamp").min())
        level = level.with_columns(t=pl.col("t1"))
        levels = [level]
        for step in chosen[1:]:
            late = pl.col("timestamp")
            level = (
                at(step)
                .join(level, on="customer_id")
                .filter((late > pl.col("t")) & (late <= pl.col("t1") + WEEK))
                .group_by("customer_id")
                .agg(t1=pl.col("t1").first(), t=late.min())
            )
            levels.append(level)
        return [one.item() for one in pl.collect_all([x.select(pl.len()) for x in levels])]

    return run, _funnel_answer


def duckdb_funnel(folder: Path) -> Prepared:
    connection, chosen = _duckdb_table(folder), steps(folder)
    first = "select customer_id, min(timestamp) t1, min(timestamp) t from ev where touchpoint = "
    parts = [f"s1 as materialized ({first} '{chosen[0]}' group by customer_id)"]
    parts += [
        f"s{k} as materialized (select e.customer_id, any_value(p.t1) t1, min(e.timestamp) t "
        f"from ev e join s{k - 1} p on e.customer_id = p.customer_id "
        f"where e.touchpoint = '{chosen[k - 1]}' and e.timestamp > p.t "
        f"and e.timestamp <= p.t1 + interval 7 day group by e.customer_id)"
        for k in range(2, len(chosen) + 1)
    ]
    counts = " union all ".join(f"select {k} k, count(*) n from s{k}" for k in range(1, 6))
    query = f"with {', '.join(parts)} {counts} order by k"
    return lambda: [n for _, n in connection.execute(query).fetchall()], _funnel_answer


# ------------------------------------------------------------------ C: the 20 most frequent paths


def _variants_answer(counts: Any) -> dict[str, float]:
    return {"frequencies": sum(i * int(n) for i, n in enumerate(counts, 1)), "top": int(counts[0])}


def ours_variants(folder: Path) -> Prepared:
    import polars as pl

    import cxjourney as cx
    from cxjourney.sequences import paths

    log = cx.InteractionLog.from_frame(pl.read_parquet(folder / "events.parquet"), **KEYS)
    journeys = log.journeys(all_closed=True)
    return lambda: paths(journeys, top=20), lambda found: _variants_answer(found.counts[:20])


def polars_variants(folder: Path) -> Prepared:
    import polars as pl

    frame = pl.read_parquet(folder / "events.parquet").sort("timestamp")

    def run() -> Any:
        return (
            frame.lazy()
            .group_by("customer_id")
            .agg("touchpoint")
            .select(path=pl.col("touchpoint").list.join(">"))
            .group_by("path")
            .len()
            .top_k(20, by="len")
            .collect()
        )

    def answer(found: Any) -> dict[str, float]:
        return _variants_answer(sorted(found["len"].to_list(), reverse=True))

    return run, answer


def duckdb_variants(folder: Path) -> Prepared:
    connection = _duckdb_table(folder)
    query = (
        "with p as (select string_agg(touchpoint, '>' order by timestamp) path from ev "
        "group by customer_id) select path, count(*) n from p group by path "
        "order by n desc limit 20"
    )

    def answer(rows: Any) -> dict[str, float]:
        return _variants_answer([n for _, n in rows])

    return lambda: connection.execute(query).fetchall(), answer


def pm4py_variants(folder: Path) -> Prepared:
    import pm4py

    frame = _pm4py_frame(folder)

    def run() -> Any:  # without format_dataframe its answer is wrong, silently
        log = pm4py.format_dataframe(
            frame, case_id="customer_id", activity_key="touchpoint", timestamp_key="timestamp"
        )
        return pm4py.get_variants(log)

    def answer(found: Any) -> dict[str, float]:
        counts = [n if isinstance(n, int) else len(n) for n in found.values()]
        return _variants_answer(sorted(counts, reverse=True)[:20])

    return run, answer


# ------------------------------------------------------------------ D: removal effects


def ours_markov(folder: Path) -> Prepared:
    import polars as pl

    import cxjourney as cx

    frame = pl.read_parquet(folder / "events.parquet")

    def run() -> Any:
        log = cx.InteractionLog.from_frame(frame, **KEYS)
        journeys = log.journeys(goal=GOAL, after_goal="discard", all_closed=True)
        return cx.attribution.markov(journeys, by="touchpoint")

    def answer(found: Any) -> dict[str, float]:
        effects = found.table["removal_effect"]
        names = found.table["touchpoint"]
        return {str(n): float(e) for n, e in zip(names, effects, strict=True)}

    return run, answer


def channelattribution_markov(folder: Path) -> Prepared:
    import ChannelAttribution
    import pandas as pd

    paths = pd.read_parquet(folder / "paths.parquet")

    def run() -> Any:
        return ChannelAttribution.markov_model(
            paths, "path", "converted", var_null="dropped", out_more=True,
            flg_pro=False, verbose=False,
        )  # fmt: skip

    def answer(found: Any) -> dict[str, float]:
        table = found["removal_effects"] if isinstance(found, dict) else found[2]
        names, effects = table.iloc[:, 0], table.iloc[:, 1]
        return {str(n): float(e) for n, e in zip(names, effects, strict=True)}

    return run, answer


# ------------------------------------------------------------------ E: file to graph


def ours_parquet(folder: Path) -> Prepared:
    import cxjourney as cx

    def run() -> Any:
        log = cx.read_parquet(folder / "events.parquet", **KEYS)
        return log.journeys(all_closed=True).graph()

    return run, _graph_answer


def ours_parquet_by_polars(folder: Path) -> Prepared:
    import polars as pl

    return _ours_graph(pl.scan_parquet(folder / "events.parquet"))


def ours_csv(folder: Path) -> Prepared:
    import cxjourney as cx

    def run() -> Any:
        log = cx.read_csv(folder / "events.csv", **KEYS)
        return log.journeys(all_closed=True).graph()

    return run, _graph_answer


def polars_parquet(folder: Path) -> Prepared:
    import polars as pl

    return lambda: _polars_edges(pl.scan_parquet(folder / "events.parquet")), _frames_answer


def polars_csv(folder: Path) -> Prepared:
    import polars as pl

    path = folder / "events.csv"
    return lambda: _polars_edges(pl.scan_csv(path, try_parse_dates=True)), _frames_answer


# name: (environment, function); "reference" in a name switches the compiled kernels off
CONTENDERS: dict[str, dict[str, tuple[str, Callable[..., Prepared]]]] = {
    "A graph with times": {
        "cxjourney, polars frame": ("frames", ours_graph_polars),
        "cxjourney, pandas frame": ("frames", ours_graph_pandas),
        "cxjourney, reference kernels": ("frames", ours_graph_polars),
        "cxjourney, from a built log": ("frames", ours_graph_encoded),
        "polars, tuned": ("frames", polars_tuned),
        "polars, as usually written": ("frames", polars_usual),
        "DuckDB": ("frames", duckdb_edges),
        "pandas, tuned": ("frames", pandas_tuned),
        "pm4py": ("pm4py", pm4py_graph),
        "retentioneering (no times)": ("retentioneering", retentioneering_graph),
    },
    "B funnel": {
        "cxjourney": ("frames", ours_funnel),
        "polars": ("frames", polars_funnel),
        "DuckDB": ("frames", duckdb_funnel),
    },
    "C frequent paths": {
        "cxjourney": ("frames", ours_variants),
        "polars": ("frames", polars_variants),
        "DuckDB": ("frames", duckdb_variants),
        "pm4py": ("pm4py", pm4py_variants),
    },
    "D removal effects": {
        "cxjourney, from events": ("frames", ours_markov),
        "ChannelAttribution, from paths": ("channelattribution", channelattribution_markov),
    },
    "E Parquet to graph": {
        "cxjourney": ("frames", ours_parquet),
        "cxjourney, from pl.scan_parquet": ("frames", ours_parquet_by_polars),
        "polars, tuned": ("frames", polars_parquet),
    },
    "E CSV to graph": {
        "cxjourney": ("frames", ours_csv),
        "polars, tuned": ("frames", polars_csv),
    },
}
