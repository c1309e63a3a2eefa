"""Frames in the shapes of other libraries, read by those libraries where they are installed."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    return cx.datasets.sample(seed=2, customers=80).journeys()


def test_states_and_spells_hold_the_visits(journeys):
    sts = journeys.to_frame("sts", by="channel", backend="pandas")
    spells = journeys.to_frame("spell", by="channel", backend="pandas")
    visits = {}
    for number, journey in enumerate(journeys):
        items = journey.interactions[: int(journeys.lengths[number])]
        visits[number] = ["__missing__" if i.channel is None else i.channel.name for i in items]
    for row in sts.itertuples(index=False):
        states = [s for s in row[2:] if isinstance(s, str)]
        assert states == visits[row.journey]
    rebuilt: dict[int, list[str]] = {n: [] for n in visits}
    for row in spells.itertuples(index=False):
        assert len(rebuilt[row.journey]) == row.begin - 1
        assert rebuilt[row.journey][-1:] != [row.status]
        rebuilt[row.journey] += [row.status] * (row.end - row.begin + 1)
    assert rebuilt == visits


def test_another_shape_is_refused(journeys):
    with pytest.raises(InvalidValue, match="shape must be one of 'pm4py'"):
        journeys.to_frame("wide")
    with pytest.raises(InvalidValue, match="shape must be one of 'pm4py'"):
        journeys.log.to_frame(shape="lifelines")


@pytest.mark.oracles("lifelines")
def test_lifelines_has_the_durations_that_the_library_has(journeys):
    import lifelines

    frame = journeys.to_frame("lifelines", backend="pandas")
    fitted = lifelines.KaplanMeierFitter().fit(frame["duration"], frame["converted"])
    own = cx.metrics.kaplan_meier(
        [timedelta(days=d) for d in frame["duration"]], frame["converted"].to_numpy()
    )
    for day in (1, 5, 20):
        assert float(fitted.predict(day)) == pytest.approx(
            own.at(timedelta(days=day)).value, abs=1e-9
        )
    assert Counter(frame["event"]) == Counter(
        {1: journeys.outcomes[cx.Outcome.CONVERTED], 2: journeys.outcomes[cx.Outcome.DROPPED]}
        | ({0: n} if (n := journeys.outcomes[cx.Outcome.IN_PROGRESS]) else {})
    )
    week = journeys.features(at="7d", counts=None, backend="pandas")
    week["converted"] = week["outcome"] == "converted"
    columns = ["interactions", "switches", "outcome_s", "converted"]
    week["outcome_s"] += 1
    cox = lifelines.CoxPHFitter().fit(week[columns], "outcome_s", "converted")
    assert np.isfinite(cox.params_).all()


@pytest.mark.oracles("pm4py")
def test_pm4py_counts_the_transitions_of_the_graph(journeys):
    import pm4py

    frame = journeys.to_frame("pm4py", backend="pandas")
    counts, starts, _ = pm4py.discover_dfg(frame)
    graph = journeys.graph()
    inner = {
        (a, b): data["count"]
        for a, b, data in graph.edges(data=True)
        if graph.nodes[a]["kind"] == graph.nodes[b]["kind"] == "touchpoint"
    }
    assert dict(counts) == inner
    assert starts == {
        b: d["count"] for _, b, d in graph.out_edges(cx.START, data=True) if b != cx.CONVERSION
    }


@pytest.mark.oracles("pm4py")
def test_pm4py_reads_what_is_written_as_xes(journeys, tmp_path):
    import pm4py

    log = journeys.log
    log.to_xes(tmp_path / "log.xes")
    read = pm4py.read_xes(str(tmp_path / "log.xes"))
    assert len(read) == len(log)
    given = log.to_frame("pandas", shape="pm4py")
    for frame in (read, given):
        frame.sort_values(["case:concept:name", "time:timestamp", "concept:name"], inplace=True)
    for key in ("case:concept:name", "concept:name", "org:resource", "channel"):
        # what is missing is NaN in the one and None in the other, according to pandas' version
        ours, theirs = ([None if v != v else v for v in frame[key]] for frame in (given, read))  # noqa: PLR0124
        assert theirs == ours
    assert (read["time:timestamp"].to_numpy() == given["time:timestamp"].to_numpy()).all()
    assert dict(pm4py.discover_dfg(read)[0]) == dict(pm4py.discover_dfg(given)[0])
