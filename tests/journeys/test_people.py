"""From a row of a result to the journeys and customers that it counts."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

import cxjourney as cx
from cxjourney import JourneyBlueprint
from cxjourney._support.result import result_from_dict
from cxjourney.blueprint import BlueprintFit, fit
from cxjourney.domain import Outcome
from cxjourney.dropoff import Exits, Step, exits, funnel
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.omnichannel import handoff_loss, transitions
from cxjourney.sequences import paths

STEPS = ["cart", Step("voucher", optional=True), "payment", "order"]
ENDS = {
    "converted": Outcome.CONVERTED,
    "dropped": Outcome.DROPPED,
    "in progress": Outcome.IN_PROGRESS,
}


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    return cx.datasets.sample(seed=5, customers=300).journeys()


@pytest.fixture(scope="module")
def told(journeys):
    """Return every journey as touchpoints and channels of its visits, outcome and customer."""
    said = []
    for one in journeys:
        rows = list(one.interactions)
        if one.outcome is Outcome.CONVERTED:
            rows = rows[:-1]  # the goal is no visit
        names = [str(getattr(i.touchpoint, "name", i.touchpoint)) for i in rows]
        channels = [str(getattr(i.channel, "name", i.channel)) for i in rows]
        said.append((names, channels, one.outcome, one.customer.id))
    return said


def results(journeys: cx.Journeys) -> dict[str, object]:
    design = JourneyBlueprint("shop", ["product page", "cart", "payment"])
    return {
        "exits": exits(journeys),
        "exits at pairs": exits(journeys, by=("touchpoint", "channel")),
        "funnel": funnel(journeys, ["cart", "payment", "order"]),
        "paths": paths(journeys),
        "transitions": transitions(journeys),
        "hand-offs": handoff_loss(journeys),
        "fit": fit(journeys, design),
    }


def rows_of(result: object) -> list[tuple[dict[str, object], tuple[str, ...]]]:
    frame = result.to_frame("pandas")
    lead = []
    for name in frame.columns:
        if not isinstance(frame[name].iloc[0], str):
            break
        lead.append(name)
    return [(row, tuple(row[name] for name in lead)) for row in frame.to_dict("records")]


def test_exits_give_whom_they_count(journeys, told):
    found = exits(journeys)
    for row, names in rows_of(found):
        assert len(found.journeys(*names)) == row["exits"]
        assert len(found.journeys(*names, outcome="in progress")) == row["censored"]
        (name,) = names
        for word, outcome in ENDS.items():
            there = [who for nodes, _, how, who in told if how is outcome and nodes[-1:] == [name]]
            assert len(found.journeys(name, outcome=word)) == len(there)
            assert set(found.customers(name, outcome=word)) == set(there)
        assert len(found.journeys(name, outcome="any")) == sum(name in one[0] for one in told)


def test_exits_of_pairs_of_names_with_signs_of_their_own():
    paths_ = [["a @ b", "c"], ["a @@ b"], ["c"]]
    found = exits(
        cx.Journeys.from_paths(paths_, converted=[1, 2, 3], dropped=[4, 5, 6], channels=True),
        by=("touchpoint", "channel"),
    )
    counted = {names: len(found.journeys(*names)) for _, names in rows_of(found)}
    assert counted == {("a @ b",) * 2: 0, ("a @@ b",) * 2: 5, ("c", "c"): 10}


def test_steps_of_a_funnel_give_whom_they_count(journeys, told):
    found = funnel(journeys, ["cart", "payment", "order"])
    before = None
    for row, (step,) in rows_of(found):
        assert len(found.journeys(step)) == row["count"]
        for outcome, column in (("dropped", "dropped"), ("in progress", "censored")):
            part = found.journeys(step, outcome=outcome)
            assert len(part) == row[column]
            if len(part):
                assert set(part.outcome.tolist()) <= {0, 1} if outcome == "dropped" else {2}
        if before is not None:
            assert before == row["count"] + row["dropped"] + row["censored"]
        before = row["count"]
    lost = found.journeys("payment", outcome="dropped")
    expected = Counter(
        who
        for names, _, how, who in told
        if "cart" in names
        and how is not Outcome.IN_PROGRESS
        and "payment" not in names[names.index("cart") :]
    )
    assert Counter(lost.log.customer_ids[c] for c in lost.customer.tolist()) == expected
    assert set(found.customers("payment", outcome="dropped")) == set(expected)


def test_nobody_is_lost_at_an_optional_step_and_all_after_it(journeys):
    names = ["cart", Step("store checkout", optional=True), "payment"]
    found = funnel(journeys, names)
    cart, _, payment = found.counts
    assert found.table["dropped"][1] == found.table["censored"][1] == 0
    assert len(found.journeys("store checkout", outcome="dropped")) == 0
    lost = len(found.journeys("payment", outcome="dropped"))
    running = len(found.journeys("payment", outcome="in progress"))
    assert cart == payment + lost + running
    assert len(found.journeys("payment", outcome="any")) == cart


def test_a_funnel_of_a_log_gives_customers(journeys):
    log = journeys.log
    found = funnel(log, ["cart", "payment"], within=timedelta(days=14))
    for k, step in enumerate(found.steps):
        assert len(found.customers(step)) == found.counts[k]
        assert len(found.customers(step, outcome="dropped")) == found.table["dropped"][k]
    both = set(found.customers("cart")) - set(found.customers("payment"))
    assert both == set(found.customers("payment", outcome="dropped"))
    with pytest.raises(InvalidValue, match="counts customers"):
        found.journeys("cart")


def test_steps_of_one_name_are_told_by_their_place(journeys):
    found = funnel(journeys, ["cart", "cart"])
    with pytest.raises(InvalidValue, match="place in the table"):
        found.journeys("cart")
    assert [len(found.journeys(k)) for k in (0, 1)] == list(found.counts)


def test_paths_give_whom_they_count(journeys, told):
    found = paths(journeys, top=40)
    ways = Counter(tuple(names) for names, *_ in told)
    for (row, _), steps in zip(rows_of(found), found.steps, strict=True):
        assert len(found.journeys(steps)) == row["journeys"] == ways[steps]
        assert len(found.journeys(row["path"])) == row["journeys"]
        assert len(found.journeys(steps, outcome="in progress")) == row["in_progress"]
    few = paths(journeys, by="channel", repeats="collapse", segment="segment")["student"]
    for row, (path,) in rows_of(few):
        assert len(few.journeys(path)) == row["journeys"]


def test_transitions_give_whom_they_count(journeys):
    found = transitions(journeys)
    for row, pair in rows_of(found):
        assert len(found.customers(*pair)) == row["customers"]
        assert row["customers"] <= len(found.journeys(*pair)) <= row["count"]
    ways = {
        tuple(str(getattr(i.channel, "name", i.channel)) for i in one.interactions): 0
        for one in found.journeys("app", "web")
    }
    assert all(("app", "web") in pairwise(way) for way in ways)


def test_hand_offs_give_journeys_with_such_an_arrival(journeys, told):
    found = handoff_loss(journeys)
    for row, (a, b) in rows_of(found):
        times = [sum(pair == (a, b) for pair in pairwise(way)) for _, way, _, _ in told]
        assert sum(times) == row["arrivals"]
        assert len(found.journeys(a, b)) == sum(n > 0 for n in times)
        lost = [way[-2:] == [a, b] and how is Outcome.DROPPED for _, way, how, _ in told]
        assert len(found.journeys(a, b, outcome="dropped")) == sum(lost)


def test_deviations_give_whom_they_count(journeys, told):
    found = results(journeys)["fit"]
    for row, names in rows_of(found):
        assert len(found.journeys(*names)) == row["journeys"]
    strange = {who for names, _, _, who in told if "referral" in names}
    assert set(found.customers("ad_hoc", "referral")) == strange


def test_weights_count():
    whole = cx.Journeys.from_paths(
        [["web", "web"], ["web", "phone"], ["phone"]],
        converted=[8, 4, 7],
        dropped=[2, 6, 0],
        channels=True,
    )
    assert len(exits(whole).journeys("phone")) == 6
    assert len(paths(whole).journeys(("web", "phone"))) == 10
    assert len(transitions(whole).journeys("web", "web")) == 10
    with pytest.raises(InvalidValue, match="aggregated paths have no customers"):
        exits(whole).customers("phone")


def test_rows_that_are_not_there_name_the_nearest(journeys):
    found = results(journeys)
    with pytest.raises(UnknownName, match="did you mean 'cart'"):
        found["exits"].journeys("carts")
    with pytest.raises(UnknownName, match="did you mean 'payment'"):
        found["funnel"].customers("paymnt")
    with pytest.raises(UnknownName, match="did you mean 'app, web'"):
        found["hand-offs"].journeys("app", "webb")
    with pytest.raises(UnknownName, match="is not in the result"):
        found["paths"].journeys(("cart", "nowhere"))
    with pytest.raises(UnknownName):
        found["exits"].journeys(10_000)
    with pytest.raises(InvalidValue, match="dropped"):
        found["exits"].journeys("cart", outcome="lost")
    one = found["exits"].journeys("cart", outcome=Outcome.IN_PROGRESS.value)
    assert len(one) == len(found["exits"].journeys("cart", outcome="in progress"))


def test_who_was_read_back_or_made_of_a_graph_has_nobody(journeys):
    for result in results(journeys).values():
        read = type(result).from_dict(json.loads(json.dumps(result.to_dict())))
        for other in (read, pickle.loads(pickle.dumps(result)), copy.copy(result)):  # noqa: S301 - ours
            with pytest.raises(InvalidValue, match="compute it again from journeys"):
                other.journeys(0)
            with pytest.raises(InvalidValue, match="compute it again from journeys"):
                other.customers(0)
    with pytest.raises(InvalidValue, match="that of a result"):
        result_from_dict({"schema": 1, "type": "WithPeople"})
    with pytest.raises(InvalidValue, match="made of a graph"):
        exits(journeys.graph()).journeys("cart")


def test_a_pickle_of_a_result_holds_no_ids(journeys):
    ids = {one.encode() for one in journeys.log.customer_ids}
    for name, result in results(journeys).items():
        if name != "funnel":  # which explains the way of a customer, and keeps the log for it
            written = pickle.dumps(result)
            assert not any(one in written for one in ids), name


def test_prints_dictionaries_and_errors_hold_no_ids(journeys):
    ids = re.compile(r"\bC\d{4,}\b")
    assert all(ids.fullmatch(one) for one in journeys.log.customer_ids)
    everything = results(journeys)
    everything["findings"] = cx.findings(journeys)
    everything["report"] = cx.report.build(journeys)
    for name, result in everything.items():
        said = [repr(result)]
        if name == "report":
            said.append(result.to_html())
        else:
            said += [result._repr_html_(), json.dumps(result.to_dict()), result.to_csv()]
        assert not any(ids.search(text) for text in said), name
    assert not ids.search(repr(journeys))
    assert not ids.search(repr(journeys.log))
    for call in (
        lambda: everything["exits"].customers("nowhere"),
        lambda: everything["exits"].customers("cart", outcome="nothing"),
        lambda: BlueprintFit.from_dict(everything["fit"].to_dict()).customers(0),
        lambda: Exits.from_dict(everything["exits"].to_dict()).journeys("cart"),
        lambda: funnel(journeys.log, ["cart", "payment"]).journeys("cart"),
        lambda: journeys.log.customer("nobody"),
    ):
        with pytest.raises(cx.exceptions.CxJourneyError) as error:
            call()
        assert not ids.search(str(error.value))
