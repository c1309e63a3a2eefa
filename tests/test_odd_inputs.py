"""Columns of nothing, ids that are no names, numbers at the ends of floats, other files."""

from __future__ import annotations

import bz2
import lzma
import math
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cxjourney as cx
from cxjourney import metrics
from cxjourney.exceptions import DataQualityWarning, InputFileError, InvalidData, InvalidValue
from cxjourney.experience import bind_answers
from cxjourney.io import from_sequences, read_csv, read_parquet, read_xes

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}
NAN = float("nan")


def log_of(frame, **options):
    return cx.InteractionLog.from_frame(frame, **ROLES, **options)


@pytest.mark.parametrize(
    "when",
    [
        np.array([NAN, NAN]),
        pd.Series([NAN, NAN]),
        pl.Series([None, None], dtype=pl.Float64),
        pa.nulls(2, pa.int64()),
        [None, NAN],
    ],
    ids=["numpy", "pandas", "polars", "arrow", "list"],
)
def test_numbers_that_are_all_missing_need_no_unit(when):
    frame = {"who": ["a", "b"], "when": when, "what": ["x", "y"]}
    log = log_of(frame, missing="drop")
    assert len(log) == 0
    assert sum(log.intake.dropped.values()) == 2
    with pytest.raises(InvalidData, match="timestamp"):
        log_of(frame)
    known = {"who": ["a", "b"], "when": [BEGIN, BEGIN], "what": ["x", "y"], "took": when}
    assert [i.duration for i in log_of(known, duration="took").interactions()] == [None, None]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"who": [], "when": [], "what": []}),
        {name: np.array([]) for name in ROLES.values()},
        pa.table({"who": pa.array([], pa.int64()), "when": pa.array([], pa.int64()), "what": []}),
    ],
    ids=["pandas", "mapping", "arrow"],
)
def test_a_frame_of_no_rows_is_a_log_of_no_rows_whatever_its_types(frame):
    assert len(log_of(frame)) == 0


@pytest.mark.parametrize("who", [object(), int, ...])
def test_what_is_equal_to_itself_alone_is_no_id(who):
    ids = np.empty(2, dtype=object)
    ids[:] = ["a", who]
    for column in (ids, list(ids), pd.Series(ids, dtype=object)):
        with pytest.raises(InvalidData, match="no single value"):
            log_of({"who": column, "when": [BEGIN, BEGIN], "what": ["x", "y"]})


def test_decimals_that_are_whole_numbers_are_the_same_ids():
    whole = [Decimal("178.00"), Decimal("2E+2")]
    for column in ([*whole, 178], pa.array([*whole, Decimal(178)], pa.decimal128(8, 2))):
        log = log_of({"who": column, "when": [BEGIN] * 3, "what": ["x"] * 3})
        assert sorted(log.customer_ids) == ["178", "200"]


def test_a_name_that_is_a_number_is_offered_as_one():
    with pytest.raises(InvalidValue, match="did you mean 7"):
        cx.InteractionLog.from_frame({7: ["a"]}, customer="7", timestamp="t", touchpoint="p")


@pytest.mark.parametrize(
    ("pack", "kind"), [(bz2.compress, "bzip2"), (lzma.compress, "xz"), (None, "zip")]
)
def test_other_compressions_are_named(tmp_path, pack, kind):
    file, text = tmp_path / "log.csv.gz", b"who,when,what\na,2026-01-01,x\n"
    if pack is None:
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("log.csv", text)
    else:
        file.write_bytes(pack(text))
    with pytest.raises(InputFileError, match=f"compressed with {kind}: unpack it"):
        read_csv(file, **ROLES)
    with pytest.raises(InputFileError, match=f"compressed with {kind}: unpack it"):
        read_xes(file)


def test_lines_that_end_in_several_ways_are_told_so(tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes(b"who,when,what\r\na,2026-01-01,x\nb,2026-01-01,y\r\n")
    with pytest.raises(InputFileError, match="its lines end in different ways"):
        read_csv(file, **ROLES)


def parquet(tmp_path, names):
    columns = [["a"], ["b"], [BEGIN], ["x"]]
    file = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_arrays(list(map(pa.array, columns)), names), file)
    return file


def test_columns_of_parquet_that_cannot_be_told_apart_are_refused(tmp_path):
    with pytest.raises(InputFileError, match="has 2 columns 'who'"):
        read_parquet(parquet(tmp_path, ["who", "who", "when", "what"]), **ROLES)
    with pytest.raises(InputFileError, match="differs from 'who' in case only"):
        read_parquet(parquet(tmp_path, ["Who", "who", "when", "what"]), **ROLES)
    log = read_parquet(parquet(tmp_path, ["who", "Who", "when", "what"]), **ROLES)
    assert log.customer_ids == ("a",)
    assert len(read_parquet(parquet(tmp_path, ["who", "n", "when", "what"]), **ROLES)) == 1


def test_nested_columns_beside_the_ones_that_are_read_do_no_harm(tmp_path):
    file = tmp_path / "log.parquet"
    nested = [{"who": 1, "deep": [{"z": 2}]}]
    pq.write_table(
        pa.table({"n": nested, "who": ["a"], "m": [[1]], "when": [BEGIN], "what": ["x"]}), file
    )
    assert read_parquet(file, **ROLES).customer_ids == ("a",)


def test_a_state_that_is_named_twice_is_refused():
    with pytest.raises(InvalidValue, match="name each column once"):
        from_sequences(
            {"who": ["a"], "q": ["x"]}, customer="who", states=["q", "q"], start=BEGIN,
            step=timedelta(days=1),
        )  # fmt: skip


def test_a_lifecycle_that_no_event_has_is_said(tmp_path):
    file = tmp_path / "log.xes"
    event = (
        '<event><string key="concept:name" value="x"/><date key="time:timestamp" '
        'value="2026-01-01T10:00:00Z"/><string key="lifecycle:transition" value="start"/></event>'
    )
    file.write_text(f'<log><trace><string key="concept:name" value="a"/>{event}</trace></log>')
    with pytest.warns(DataQualityWarning, match="there are 'start'"):
        assert len(read_xes(file, lifecycle=["started"])) == 0


def test_answers_to_a_log_of_no_rows_are_those_of_strangers():
    log = log_of({"who": [], "when": [], "what": []})
    found = bind_answers(log, customer=["a"], answered_at=[BEGIN], value=[3])
    assert found.row.tolist() == [-1]
    assert sum(found.outcomes.values()) == 1


def test_a_ratio_of_costs_needs_costs_that_vary():
    for first, second in (([0, 0, 0], [1, 2, 3]), ([5, 5, 5], [1, 2, 3]), ([1, 2, 3], [5, 5, 5])):
        found = metrics.cost_ratio(first, second)
        assert found.value == pytest.approx(sum(first) / sum(second))
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        assert any("all equal" in note for note in found.notes)


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.cost_ratio([1e300, 2e300, 1e300], [1, 2, 3]),
        lambda: metrics.average_order_value([1e308, 1e308]),
        lambda: metrics.nrr_grr([1e308, 1e308], [1e308, 1e308]),
        lambda: metrics.mean_score([4, 5], weights=[1e200, 1e200]),
        lambda: metrics.nps([10, 0, 5], counts=[2**62, 2**62, 2**62]),
        lambda: metrics.benchmark_test(
            metrics.proportion(5, 10), 1e300, relative_to=metrics.proportion(2, 10)
        ),
        lambda: metrics.proportion(10**399, 10**400),
        lambda: metrics.wilson(3, 10**200),
        lambda: metrics.nps_sample_size(10**400),
    ],
    ids=["costs", "orders", "revenue", "weights", "counts", "claim", "share", "trials", "margin"],
)
def test_numbers_that_cannot_be_held_are_refused_by_name(call):
    with pytest.raises((InvalidValue, InvalidData)) as caught:
        call()
    assert len(str(caught.value)) < 650


def test_the_scale_of_weights_does_not_matter_however_small():
    scale = metrics.Scale(1, 5)
    plain, tiny = (
        metrics.mean_score([4, 5, 3], weights=weights, scale=scale)
        for weights in ([1, 2, 1], [1e-200, 2e-200, 1e-200])
    )
    assert (tiny.value, tiny.low, tiny.high) == pytest.approx((plain.value, plain.low, plain.high))
    plain, tiny = (metrics.nps([10, 9, 3], weights=weights) for weights in ([1] * 3, [1e-300] * 3))
    assert (tiny.value, tiny.low, tiny.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_a_share_of_counts_beyond_64_bits_is_written_and_read():
    found = metrics.proportion(2**63, 2**64)
    assert found.value == 0.5
    assert type(found).from_dict(found.to_dict()) == found


def test_notes_of_empty_results_say_no_nan():
    log = log_of({"who": [], "when": [], "what": []})
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=1), touchpoints=["buy"])
    results = [
        cx.attribution.first_touch(journeys),
        cx.attribution.markov(journeys),
        cx.critical.points(journeys),
        cx.whatif.levers(journeys),
        cx.compare.between(journeys, journeys),
        cx.AbsorbingChain.from_graph(journeys.graph(), trapped="censored"),
    ]
    for result in results:
        assert "nan" not in str(result)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("inactivity", lambda log, _: log.journeys(inactivity=timedelta.max)),
        ("limits", lambda log, _: log.suggest_inactivity(limits=[timedelta.max])),
        ("within", lambda log, _: cx.dropoff.funnel(log, ["x", "y"], within=timedelta.max)),
        ("within", lambda *_: cx.dropoff.Step("x", within=timedelta(days=10**8 + 1))),
        ("order", lambda _, journeys: cx.attribution.markov(journeys, order=10**9)),
        ("max_order", lambda _, journeys: cx.sequences.memory(journeys, max_order=10**9)),
        ("bins", lambda _, journeys: cx.experience.emotion_curve(journeys, bins=10**9)),
        ("within", lambda _, journeys: cx.omnichannel.continuity(journeys, within=10**9)),
        ("min_count", lambda _, j: cx.compare.between(j, j, min_count=10**400)),
        ("periods", lambda *_: metrics.cohort_retention(["a"], [BEGIN], periods=10**9)),
    ],
    ids=[
        "journeys",
        "suggestion",
        "funnel",
        "step",
        "markov",
        "memory",
        "curve",
        "continuity",
        "compare",
        "cohorts",
    ],
)
def test_limits_without_end_are_refused_at_once(name, call):
    days = [BEGIN + timedelta(days=i) for i in range(4)]
    log = log_of({"who": list("aabb"), "when": days, "what": list("xyxy")})
    with pytest.raises(InvalidValue, match=rf"{name}\b.* must be"):
        call(log, log.journeys(goal="y", all_closed=True))
    assert len(log.journeys(inactivity=timedelta(days=10**8))) == 2


@pytest.mark.parametrize(
    "field",
    [{"score": 10**400}, {"value": -(10**400)}, {"expectation": 10**400}, {"emotion": 10**400},
     {"duration": timedelta.max}],
)  # fmt: skip
def test_typed_objects_refuse_what_no_column_holds(field):
    with pytest.raises(InvalidValue, match=next(iter(field))):
        cx.Interaction(customer="a", touchpoint="x", timestamp=BEGIN, **field)


@pytest.mark.parametrize(
    ("n", "all_closed", "told"),
    [(1, False, "The difference is not known."), (1, True, "0.0 points, without an interval."),
     (3, True, "0.0 points (-86.1 to 86.1).")],
)  # fmt: skip
def test_a_difference_that_is_not_known_is_said_in_words(n, all_closed, told):
    log = log_of({"who": list("abc")[:n], "when": [BEGIN] * n, "what": ["x"] * n})
    limit = None if all_closed else timedelta(days=1)
    journeys = log.journeys(
        goal="buy", all_closed=all_closed, inactivity=limit, touchpoints=["buy"]
    )
    shown = str(cx.compare.between(journeys, journeys))
    assert told in shown
    assert "nan" not in shown


def test_underscores_are_no_part_of_a_number(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("c,t,w,v\na,2026-01-01,x,1_000\n")
    with pytest.raises(InvalidData, match="v is no number in 1 row: 0"):
        cx.read_csv(file, customer="c", timestamp="t", touchpoint="w", value="v")


def test_draws_that_would_never_end_are_refused():
    journeys = cx.datasets.sample(customers=60).journeys()
    with pytest.raises(InvalidValue, match="n_permutations must be a whole number from 1 to"):
        cx.omnichannel.mutual_information(journeys, n_permutations=2**40)
    with pytest.raises(InvalidValue, match="n_resamples must be a whole number from 1 to"):
        metrics.nps([9, 3, 10] * 9, interval="bootstrap", n_resamples=2**40)
    with pytest.raises(InvalidValue, match="n_resamples must be a whole number from 1 to"):
        metrics.bootstrap([1.0, 2.0, 4.0] * 9, np.mean, n_resamples=2**40)
