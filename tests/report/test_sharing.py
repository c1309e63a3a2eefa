"""A report that leaves the house: nothing on it is about fewer than five customers."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

import cxjourney as cx
from cxjourney.domain import Outcome
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import few, shareable, visits_of
from cxjourney.log import Coded

FEW = range(1, 5)


def log_of(seed: int, customers: int) -> cx.InteractionLog:
    """Return a log of frequent and rare touchpoints, some of them of a single customer."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list] = {"who": [], "when": [], "what": [], "where": [], "felt": []}
    for i in range(customers):
        moment = np.datetime64("2026-01-01T00:00:00") + rng.integers(0, 40 * 86_400)
        for _ in range(rng.integers(1, 9)):
            what = "abcdefgh"[min(rng.geometric(0.3) - 1, 7)]
            if rng.random() < 0.04:
                what = f"rare {rng.integers(0, 6)}"
            if rng.random() < 0.12:
                what = "buy"
            columns["who"].append(f"customer {i}")
            columns["what"].append(what)
            columns["where"].append("web" if what in "abc" else rng.choice(["shop", "call"]))
            columns["when"].append(moment)
            columns["felt"].append(rng.integers(1, 6) if rng.random() < 0.4 else np.nan)
            moment = moment + rng.integers(600, 6 * 86_400)
    frame = {name: np.array(values) for name, values in columns.items()}
    return cx.InteractionLog.from_frame(
        frame, customer="who", timestamp="when", touchpoint="what", channel="where", score="felt"
    )


def journeys_of(seed: int, customers: int) -> cx.Journeys:
    return log_of(seed, customers).journeys(goal="buy", inactivity=timedelta(days=5))


def told(journeys: cx.Journeys) -> list[tuple[list[str], Outcome, str]]:
    """Return every journey as the touchpoints of its visits, its outcome and its customer."""
    names = journeys.columns.coded["touchpoint"].names
    codes = journeys.columns.coded["touchpoint"].codes
    said = []
    for i, (a, b) in enumerate(zip(journeys.offsets[:-1], journeys.offsets[1:], strict=True)):
        end = b - 1 if journeys.absorbed[i] else b
        outcome = list(Outcome)[journeys.outcome[i]]
        who = journeys.log.customer_ids[journeys.customer[i]]
        said.append(([names[code] for code in codes[a:end]], outcome, who))
    return said


def cells_of(said: list[tuple[list[str], Outcome, str]]) -> dict[tuple, set[str]]:
    """Return whom each number of the flow is about, counted one by one."""
    cells: dict[tuple, set[str]] = defaultdict(set)
    for visits, outcome, who in said:
        cells["outcome", outcome].add(who)
        for u, v in zip(["(start)", *visits], [*visits, outcome], strict=True):
            cells["step", u, v].add(who)
        for place, v in enumerate(visits):
            cells["at", v].add(who)
            if v in visits[:place]:
                cells["again", v].add(who)
    everybody = {who for _, _, who in said}
    for name in {v for visits, _, _ in said for v in visits}:
        cells["journeys without", name] = {who for visits, _, who in said if name not in visits}
        cells["customers without", name] = everybody - cells["at", name]
    return cells


def shared(journeys: cx.Journeys) -> cx.Journeys:
    try:
        return shareable(journeys)
    except InvalidValue as error:  # too few for any report
        pytest.skip(str(error))


SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.integers(30, 120))
def test_no_number_of_the_flow_is_about_fewer_than_five(seed, customers):
    try:
        left = shareable(journeys_of(seed, customers))
    except InvalidValue:
        return
    for cell, who in cells_of(told(left)).items():
        assert len(who) == 0 or len(who) >= 5, cell
    visits = visits_of(left)
    for scores in left.columns.numeric.values():
        known = ~np.isnan(scores[visits.row])
        for place in range(len(visits.names)):
            for some in (known, ~known):
                who = np.unique(visits.customer[(visits.node == place) & some])
                assert len(who) == 0 or len(who) >= 5
    again = shareable(left)
    assert told(again) == told(left)


def reports(journeys: cx.Journeys) -> str:
    """Return all that is said of journeys: words, tables, pictures and their evidence, graphs."""
    made = cx.report.build(journeys, share=True)
    drawn = cx.report.journey_map(journeys, share=True)
    graphs = [journeys.graph(by=by, share=True).to_json() for by in ("touchpoint", "channel")]
    return json.dumps([made.to_dict(), drawn.to_dict(), graphs]) + made.to_html() + drawn.to_svg()


def renamed(journeys: cx.Journeys, names: dict[int, str]) -> cx.Journeys:
    """Return the journeys with other touchpoints in some rows."""
    old = journeys.columns.coded["touchpoint"].values()
    values = [names.get(row, value) for row, value in enumerate(old)]
    known = sorted(set(values))
    touchpoint = Coded(np.array([known.index(value) for value in values]), tuple(known))
    channel = journeys.columns.coded["channel"].values()
    places = sorted({"web", *channel} - {"other"})
    where = [places.index("web" if place == "other" else place) for place in channel]
    coded = {**journeys.columns.coded, "touchpoint": touchpoint}
    coded["channel"] = Coded(np.array(where), tuple(places))
    columns = attrs.evolve(journeys.columns, coded=coded)
    log = attrs.evolve(journeys.log, columns=columns)
    return attrs.evolve(journeys, log=log, columns=columns)


def hidden_rows(left: cx.Journeys) -> dict[int, list[int]]:
    """Return the rows that became "other", by customer."""
    visits = visits_of(left)
    rows: dict[int, list[int]] = defaultdict(list)
    if "other" in visits.names:
        for place in np.flatnonzero(visits.node == visits.names.index("other")):
            rows[int(visits.customer[place])].append(int(visits.row[place]))
    return rows


LOGS = [(seed, customers) for seed in range(3) for customers in (40, 90)]


@pytest.mark.parametrize(("seed", "customers"), LOGS)
def test_the_page_is_the_same_whether_one_customer_was_there_or_four(seed, customers):
    """The rest of "other" is of touchpoints of one customer each, as it could be in truth."""
    left = shared(journeys_of(seed, customers))
    rows = hidden_rows(left)
    assert len(rows) >= 5
    pages = set()
    for n in FEW:
        names = {
            row: "secret" if place < n else f"only {who}"
            for place, (who, some) in enumerate(rows.items())
            for row in some
        }
        world = renamed(left, names)
        assert len(cells_of(told(world))["at", "secret"]) == n
        pages.add(reports(world))
    assert len(pages) == 1
    assert "secret" not in pages.pop()


@pytest.mark.parametrize(("seed", "customers"), LOGS)
def test_the_page_is_the_same_whether_one_customer_took_a_step_or_four(seed, customers):
    left = shared(journeys_of(seed, customers))
    rows, steps = hidden_rows(left), cells_of(told(left))
    visits = visits_of(left)
    before = dict(zip(visits.row.tolist(), visits.previous.tolist(), strict=True))
    tried = 0
    names = [name for name in visits.names if name != "other"]
    for u in names:
        for v in names:
            after_u = {
                who: [row for row in some if before[row] == visits.names.index(u)]
                for who, some in rows.items()
            }
            after_u = {who: some for who, some in after_u.items() if some}
            if ("step", u, v) in steps or len(after_u) < 5 or tried >= 3:
                continue
            tried += 1
            pages = set()
            for n in FEW:
                chosen = {row for some in list(after_u.values())[:n] for row in some[:1]}
                world = renamed(
                    left,
                    {
                        row: v if row in chosen else f"only {who}"
                        for who, some in rows.items()
                        for row in some
                    },
                )
                if len(cells_of(told(world))["step", u, v]) == n:
                    pages.add(reports(world))
            assert len(pages) == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_page_is_the_same_whether_one_customer_left_at_a_touchpoint_or_four(seed):
    left = shared(journeys_of(seed, 150))
    visits = visits_of(left)
    place_of = dict(zip(visits.row.tolist(), range(len(visits)), strict=True))
    lost: dict[int, int] = {}
    went_on: dict[int, int] = {}
    for who, some in hidden_rows(left).items():
        for row in some:
            follows = visits.following[place_of[row]]
            if follows == visits.dropoff:
                lost[who] = row
            elif follows >= 0:
                went_on[who] = row
    assert len(lost) >= 4
    assert len(went_on) >= 10
    pages = set()
    for n in FEW:
        target = {*list(lost.values())[:n], *went_on.values()}
        names = {
            row: "target" if row in target else f"only {who}"
            for who, some in hidden_rows(left).items()
            for row in some
        }
        world = renamed(left, names)
        cells = cells_of(told(world))
        assert len(cells["step", "target", Outcome.DROPPED]) == n
        assert len(cells["at", "target"]) >= 10
        pages.add(reports(world))
    assert len(pages) == 1


# ---------------------------------------------------------------------- integer programming


class Attack:
    """What whoever knows every printed flow can say of the true number of each step.

    Unknown are the true touchpoints of visits that stand under "other": how many came from u to y,
    went from y to z, and on to v. What goes in comes out, and the sums are printed.
    """

    def __init__(self, left: cx.Journeys, touchpoints: list[str]) -> None:
        self.flow: dict[tuple[str, str], int] = defaultdict(int)
        for visits, outcome, _ in told(left):
            for u, v in zip(["(start)", *visits], [*visits, str(outcome)], strict=True):
                self.flow[u, v] += 1
        self.place: dict[tuple[str, str, str], int] = {}
        sources = {u for u, v in self.flow if v == "other" and u != "other"}
        targets = {v for u, v in self.flow if u == "other" and v != "other"}
        for y in touchpoints:
            keys = [("in", u, y) for u in sources] + [("out", y, v) for v in targets]
            if ("other", "other") in self.flow:
                keys += [("within", y, z) for z in touchpoints]
            for key in keys:
                self.place[key] = len(self.place)
        rows: list[tuple[list[int], list[int], int]] = [
            (self.of(lambda k, u=u: k[:2] == ("in", u)), [], self.flow[u, "other"]) for u in sources
        ]
        for v in targets:
            mine = self.of(lambda k, v=v: (k[0], k[2]) == ("out", v))
            rows.append((mine, [], self.flow["other", v]))
        if ("other", "other") in self.flow:
            rows.append((self.of(lambda k: k[0] == "within"), [], self.flow["other", "other"]))
        for y in touchpoints:
            into = self.of(lambda k, y=y: k[0] in {"in", "within"} and k[2] == y)
            out = self.of(lambda k, y=y: k[0] in {"out", "within"} and k[1] == y)
            rows.append((into, out, 0))
        entries = [(i, j, 1) for i, row in enumerate(rows) for j in row[0]]
        entries += [(i, j, -1) for i, row in enumerate(rows) for j in row[1]]
        i, j, value = zip(*entries, strict=True)
        matrix = coo_array((value, (i, j)), shape=(len(rows), len(self.place))).tocsr()
        right = [r[2] for r in rows]
        self.constraint = LinearConstraint(matrix, right, right)

    def of(self, wanted) -> list[int]:
        return [place for key, place in self.place.items() if wanted(key)]

    def range_of(self, u: str, v: str) -> tuple[int, int]:
        """Return the least and the largest number of the step from u to v that fit the page."""
        objective = np.zeros(len(self.place))
        for kind in ("in", "out", "within"):
            if (kind, u, v) in self.place:
                objective[self.place[kind, u, v]] = 1
        ends = []
        for sign in (1, -1):
            found = milp(
                sign * objective,
                constraints=[self.constraint],
                integrality=np.ones(len(objective)),
                bounds=Bounds(0, np.inf),
            )
            assert found.success, found.message
            ends.append(round(sign * found.fun) + self.flow.get((u, v), 0))
        return ends[0], ends[1]


def attacked(journeys: cx.Journeys, most: int) -> None:
    left = shared(journeys)
    said = told(journeys)
    attack = Attack(left, sorted({v for visits, _, _ in said for v in visits} | {"other"}))
    steps = {cell: who for cell, who in cells_of(said).items() if cell[0] == "step"}
    rare = [cell for cell, who in steps.items() if len(who) < 5]
    assert rare
    for _, u, v in rare[:: max(1, len(rare) // most)]:
        if not isinstance(v, Outcome) and u != "(start)":
            low, high = attack.range_of(u, v)
            assert low <= 1, (u, v, low)
            assert high >= 4, (u, v, high)


@pytest.mark.parametrize(("seed", "customers"), LOGS)
def test_no_program_narrows_the_number_of_a_rare_step(seed, customers):
    attacked(journeys_of(seed, customers), most=12)


@pytest.mark.parametrize("customers", [60, 150])
def test_no_program_narrows_a_rare_step_of_the_sample(customers):
    attacked(cx.datasets.sample(seed=1, customers=customers).journeys(), most=8)


@pytest.mark.parametrize(("seed", "customers"), LOGS)
def test_a_shared_graph_tells_no_more_than_the_flows_that_were_attacked(seed, customers):
    journeys = journeys_of(seed, customers)
    attack = Attack(shared(journeys), ["other"])
    graph = journeys.graph(share=True)
    ends = {cx.START: "(start)", cx.CONVERSION: str(Outcome.CONVERTED)}
    ends[cx.DROPOFF] = str(Outcome.DROPPED)
    seen = {(ends.get(u, u), ends.get(v, v)): n for u, v, n in graph.edges(data="count") if n}
    running = str(Outcome.IN_PROGRESS)
    seen |= {(node, running): n for node, n in graph.nodes(data="censored") if n}
    assert seen == dict(attack.flow)
    # what is left beside the counts are probabilities, times of all of them, and sums of them
    known = {name for *_, edge in graph.edges(data=True) for name in edge}
    assert known <= {"count", "probability", *(name for name in known if name.startswith("dwell_"))}
    assert not any(
        name.startswith("dwell_") for *_, e in graph.in_edges(cx.DROPOFF, True) for name in e
    )
    numbers = {"visits", "starts", "conversions", "exits", "censored", "journeys"}
    for _, node in graph.nodes(data=True):
        assert not any(node.get(name) in FEW for name in numbers)
        assert node.keys() <= {*numbers, "kind", "channel", "channels", "n_channels"}
    assert graph.graph["observed_until"].endswith("T00:00:00+00:00")
    again = cx.JourneyGraph.from_json(graph.to_json())
    assert dict(again.edges) == dict(graph.edges)


@pytest.mark.parametrize(("seed", "customers"), LOGS[:2])
def test_a_shared_map_counts_nothing_of_fewer_than_five(seed, customers):
    journeys = journeys_of(seed, customers)
    left = shared(journeys)
    drawn = cx.report.journey_map(journeys, expected_exits=["rare 1", "a"], share=True)
    assert drawn.entries
    assert not any(entry.n in FEW for entry in drawn.entries)
    gone = set(journeys.log.touchpoints) - set(left.log.touchpoints)
    assert gone
    assert not any(name in drawn.to_svg() + repr(drawn.to_dict()) for name in gone if len(name) > 1)
    assert drawn.since.isoformat().endswith("T00:00:00+00:00")


def test_graphs_and_maps_refuse_what_cannot_be_shared():
    journeys = journeys_of(1, 60)
    with pytest.raises(InvalidValue, match="by must be a single grain"):
        journeys.graph(by=("touchpoint", "channel"), share=True)
    with pytest.raises(InvalidValue, match="times must be False"):
        journeys.graph(times=True, share=True)
    with pytest.raises(InvalidValue, match="points must be left out"):
        cx.report.journey_map(journeys, points=cx.critical.points(journeys), share=True)
    paths = cx.Journeys.from_paths([["a"], ["b"]], converted=[30, 5], dropped=[9, 9])
    with pytest.raises(InvalidValue, match="aggregated paths"):
        paths.graph(share=True)


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(-2, 70_000), st.integers(0, 9)), max_size=60), st.booleans())
def test_few_are_those_whose_distinct_customers_are_counted_one_by_one(rows, in_order):
    if in_order:
        rows = sorted(rows, key=lambda row: row[1])
    rows += [(cell, who) for cell, _ in rows[:2] for who in range(10, 15)]
    cell, customer = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    whom = defaultdict(set)
    for one, who in rows:
        whom[one].add(who)
    assert few(cell, customer).tolist() == [len(whom[one]) < 5 for one, _ in rows]


# ---------------------------------------------------------------------- what else is on the page


def test_names_files_and_attributes_of_few_are_not_there(tmp_path):
    journeys = cx.datasets.sample(seed=3, customers=150).journeys()
    page = cx.report.build(
        journeys, share=True, source="/home/me/secret.csv", python="read('/x')", command="do /x"
    )
    text = json.dumps(page.to_dict()) + page.to_html() + page.to_text() + repr(page)
    for hidden in ("secret.csv", "/x", *journeys.log.customer_ids, "student"):
        assert hidden not in text
    left = shareable(journeys)
    for name in set(journeys.log.touchpoints) - set(left.log.touchpoints):
        assert f'"{name}"' not in text
        assert f">{name}<" not in text
    assert [one.anchor for one in page.sections][-1] == "caveats"
    assert "audit" not in [one.anchor for one in page.sections]
    assert "may leave the house" in page.sections[-1].remarks[0]


def test_steps_and_expected_exits_that_are_not_there_any_more_are_left_out():
    journeys = cx.datasets.sample(seed=3, customers=150).journeys()
    gone = min(set(journeys.log.touchpoints) - set(shareable(journeys).log.touchpoints))
    made = cx.report.build(journeys, share=True, steps=[gone, "cart"], expected_exits=[gone])
    assert gone not in json.dumps(made.to_dict()["parameters"])
    with pytest.raises(InvalidValue, match="names of touchpoints"):
        cx.report.build(journeys, share=True, steps=[["cart", "payment"], "order"])


def test_a_funnel_hides_how_few_ended_between_its_steps():
    journeys = cx.datasets.sample(seed=3, customers=400).journeys()
    made = cx.report.build(journeys, share=True, steps=["product page", "cart", "payment", "order"])
    funnel = next(one for one in made.sections if one.anchor == "funnel")
    for part in funnel.parts:
        for row in getattr(part, "table", ()):
            for name in ("count", "dropped", "censored"):
                assert row[name] not in FEW


def test_what_cannot_be_shared_says_why():
    paths = cx.Journeys.from_paths([["a"], ["b"]], converted=[30, 5], dropped=[9, 9])
    with pytest.raises(InvalidValue, match="aggregated paths"):
        cx.report.build(paths, share=True)
    with pytest.raises(InvalidValue, match="needs"):
        cx.report.build(journeys_of(1, 3), share=True)
    with pytest.raises(InvalidValue, match="rows"):
        cx.report.build(journeys_of(1, 60).statistics(), share=True)
    with pytest.raises(InvalidValue, match="share"):
        cx.report.build(journeys_of(1, 60), share="yes")


# ---------------------------------------------------------------------- tables


def few_of(*parts: set[str]) -> bool:
    return any(0 < len(part) < 5 for part in parts)


@pytest.mark.parametrize(("seed", "customers"), [*LOGS, (4, 25), (5, 15)])
def test_a_shared_table_has_rows_of_which_every_part_is_of_five(seed, customers):
    journeys = journeys_of(seed, customers)
    cells, whole = cells_of(told(journeys)), cx.dropoff.exits(journeys)
    frame = whole.to_frame("pandas", share=True)
    assert list(frame) == ["touchpoint", *whole._shared]
    shown = set(frame["touchpoint"]) - {"other"}
    names = set(whole.table["touchpoint"])
    everybody = set().union(*(who for cell, who in cells.items() if cell[0] == "outcome"))
    rare = set()
    for name in names:
        onward = set().union(
            *(
                who
                for (kind, *uv), who in cells.items()
                if kind == "step" and uv[0] == name and not isinstance(uv[1], Outcome)
            )
        )
        ends = [cells.get(("step", name, outcome), set()) for outcome in Outcome]
        without = [cells[f"{what} without", name] for what in ("journeys", "customers")]
        if few_of(cells["at", name], onward, *ends, *without):
            rare.add(name)
    assert not shown & rare
    hidden = names - shown
    if hidden:
        other = frame[frame["touchpoint"] == "other"]
        assert other.drop(columns="touchpoint").isna().all(axis=None)
        who = set().union(*(cells["at", name] for name in hidden))
        assert len(who) >= 5 or not shown
    assert len(hidden - rare) <= 1 or not shown
    assert len(everybody) == customers
    same = whole.to_frame("pandas").set_index("touchpoint")
    for row in frame[frame["touchpoint"] != "other"].itertuples():
        assert row.exits == same.loc[row.touchpoint, "exits"]
    written = whole.to_csv(share=True)
    assert all(f'"{name}"' not in written for name in hidden)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_of_a_row_of_the_matrix_is_of_five(seed):
    journeys = journeys_of(seed, 200)
    found = cx.omnichannel.transitions(journeys, by="touchpoint")
    frame = found.to_frame("pandas", share=True)
    shown = set(zip(frame["from_touchpoint"], frame["to_touchpoint"], strict=True))
    customers = {
        (row["from_touchpoint"], row["to_touchpoint"]): set(
            found.customers(str(row["from_touchpoint"]), str(row["to_touchpoint"]))
        )
        for row in found.table
    }
    assert 1 < len(shown) < len(customers)
    for source in {u for u, _ in customers}:
        hidden = [who for (u, v), who in customers.items() if u == source and (u, v) not in shown]
        left = set().union(*hidden)
        assert not left or len(left) >= 5 or not any(u == source for u, _ in shown)
    for pair in shown - {("other", "other")}:
        assert len(customers[pair]) >= 5


def test_paths_leave_out_what_adds_up_and_others_refuse():
    journeys = cx.datasets.sample(seed=3, customers=150).journeys()
    paths = cx.sequences.paths(journeys, by="channel").to_frame("pandas", share=True)
    assert "coverage" not in paths
    assert (paths["journeys"].dropna() >= 5).all()
    assert paths["path"].iloc[-1] == "other"
    for result in (
        cx.omnichannel.switching(journeys),
        cx.findings(journeys),
        cx.dropoff.exits(journeys.graph()),
        cx.dropoff.Exits.from_dict(cx.dropoff.exits(journeys).to_dict()),
    ):
        with pytest.raises(InvalidValue, match="share=True needs the customers"):
            result.to_csv(share=True)
        with pytest.raises(InvalidValue, match="share=True needs the customers"):
            result.to_frame(share=True)
