"""What-ifs: golden values, brute force on random chains, what must not change, intervals."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import t

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, TrappedClass, UnknownName
from cxjourney.journeys import units_of
from cxjourney.markov import fewer_exits
from cxjourney.whatif import Scenario, baseline, bypass, levers, reduce_exit, remove, reroute
from cxjourney.whatif._model import Stack, model_of

# METHODS section 14: ten complete journeys; x is DROPOFF, ! CONVERSION.
T1 = """ad web cart !,ad web x,web cart web cart !,web x,ad x,email web cart x,email !,
web store !,ad web web x,email web store x"""
ENDS = {"!": cx.CONVERSION, "x": cx.DROPOFF}
NAMES = ["a", "b", "c", "d"]


def graph_of(text: str) -> cx.JourneyGraph:
    moves = Counter()
    for journey in text.split(","):
        moves.update(pairwise([cx.START, *(ENDS.get(x, x) for x in journey.split())]))
    return cx.JourneyGraph.from_counts(moves)


def journeys_of(text: str, *, times: int = 1) -> cx.Journeys:
    paths = [journey.split() for journey in text.split(",")]
    return cx.Journeys.from_paths(
        [path[:-1] for path in paths],
        converted=[times * (path[-1] == "!") for path in paths],
        dropped=[times * (path[-1] == "x") for path in paths],
    )


def approx(value):
    return pytest.approx(value, abs=5e-7)  # the golden values have six decimals


@pytest.mark.parametrize("source", [graph_of(T1), journeys_of(T1)], ids=["graph", "journeys"])
def test_golden_values(source):
    def after(touchpoint, **to):
        return reduce_exit(source, touchpoint, relative=0.1, **to).conversion.value

    assert after("web") == approx(0.416245)
    assert after("cart") == approx(0.407950)
    assert after("ad") == approx(0.403750)
    assert after("web", to="cart") == approx(0.417981)
    skipped = bypass(source, "cart")
    assert skipped.conversion.value == pytest.approx(0.4, abs=1e-12)
    assert (skipped.base_steps.value, skipped.steps.value) == approx((3.3, 2.9))
    assert skipped.contacts.value == pytest.approx(-4)
    # removal effects of the same section
    for name, effect in {"ad": 0.28125, "web": 0.75, "cart": 0.527778, "email": 0.4375}.items():
        gone = remove(source, name)
        assert gone.change.value == approx(-0.4 * effect)
        assert gone.conversions.value == pytest.approx(-4 * effect, abs=5e-6)


def test_several_changes_are_solved_together():
    graph = graph_of(T1)
    both = reduce_exit(graph, "web", 0.5).reduce_exit("cart", 0.5)
    alone = [reduce_exit(graph, x, 0.5).change.value for x in ("web", "cart")]
    assert both.change.value > sum(alone) + 0.01
    turned = reduce_exit(graph, "cart", 0.5).reduce_exit("web", 0.5)
    assert turned.conversion.value == pytest.approx(both.conversion.value, abs=1e-12)
    assert both.changes == ("50% fewer leave at 'web'", "50% fewer leave at 'cart'")
    assert len(both.assumptions) == 2


def test_led_to_where_it_goes_better():
    journeys = cx.Journeys.from_paths(
        [["call"], ["chat"], ["web", "call"]], converted=[20, 30, 0], dropped=[30, 20, 10]
    )
    h_call, h_chat = 20 / 60, 30 / 50
    everyone = reroute(journeys, "call", "chat", 0.5)
    assert everyone.change.value == pytest.approx(60 / 110 * 0.5 * (h_chat - h_call))
    from_web = reroute(journeys, "call", "chat", 0.5, at="web")
    assert from_web.change.value == pytest.approx(10 / 110 * 0.5 * (h_chat - h_call))
    won_back = baseline(journeys).reroute(cx.DROPOFF, cx.CONVERSION, 1, at="call")
    assert won_back.conversion.value == pytest.approx(90 / 110)


def brute_force(names, matrix):
    """Return conversion and steps of a full matrix: touchpoints, START, CONVERSION, DROPOFF."""
    k = len(names)
    state = np.zeros(k + 3)
    state[k] = 1
    steps = 0.0
    for _ in range(4_000):
        moving = state[: k + 1]
        if moving.sum() < 1e-13:
            break
        steps += moving.sum()
        ended = state[k + 1 :].copy()
        state = moving @ matrix
        state[k + 1 :] += ended
    return state[k + 1], steps


walks = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), st.booleans()),
    min_size=3,
    max_size=15,
)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("reduce_exit"), st.sampled_from(NAMES), st.floats(0, 0.95)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES)),
        st.tuples(st.just("bypass"), st.sampled_from(NAMES)),
        st.tuples(
            st.just("reroute"), st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0, 0.95)
        ),
    ),
    min_size=1,
    max_size=3,
)


def changed_matrix(matrix, names, change):
    """Return the matrix after a change, written once more and plainly."""
    kind, x, *rest = change
    matrix, i, k = matrix.copy(), names.index(x), len(names)
    if kind == "reduce_exit":
        freed = rest[0] * matrix[i, k + 2]
        stay = 1 - matrix[i, k + 2]
        matrix[i] = [value * (1 + freed / stay) for value in matrix[i]]
        matrix[i, k + 2] = 1 - stay - freed
    elif kind == "remove":
        for row in matrix:
            row[k + 2] += row[i]
            row[i] = 0
    elif kind == "bypass":
        own = matrix[i] / (1 - matrix[i, i])
        own[i] = 0
        for row in matrix:
            arrives, row[i] = row[i], 0
            row += arrives * own
    else:
        j = names.index(rest[0])
        for row in matrix:
            row[j] += rest[1] * row[i]
            row[i] *= 1 - rest[1]
    return matrix


@given(walks, changes)
def test_any_chain_of_changes_is_that_of_brute_force(log, wanted):
    moves = Counter()
    for touches, won in log:
        moves.update(pairwise([cx.START, *touches, cx.CONVERSION if won else cx.DROPOFF]))
    graph = cx.JourneyGraph.from_counts(moves)
    names = list(graph.touchpoints)
    labels = [*names, cx.START, cx.CONVERSION, cx.DROPOFF]
    matrix = np.zeros((len(names) + 1, len(labels)))
    for u, v, probability in graph.edges(data="probability"):
        matrix[labels.index(u), labels.index(v)] = probability
    scenario = baseline(graph)
    stack = Stack(names=tuple(names), matrix=matrix[None])
    gone = set()
    for change in wanted:
        kind, *arguments = change
        used = {a for a in arguments if isinstance(a, str)}
        assume(used <= set(names) - gone)
        assume(kind != "reroute" or (len(used) == 2 and matrix[:, names.index(arguments[0])].any()))
        assume(kind != "reduce_exit" or matrix[names.index(arguments[0]), -1] < 1)
        try:
            scenario = getattr(scenario, kind)(*arguments)
        except TrappedClass:
            assume(False)
        except InvalidValue as error:  # what led there is gone
            assume("nobody comes to" not in str(error))
            raise
        matrix = changed_matrix(matrix, names, change)
        stack = scenario._state.changes[-1].stack(stack)
        if kind in {"remove", "bypass"}:
            gone |= used
    np.testing.assert_allclose(stack.matrix[0][: len(matrix)], matrix, atol=1e-12)
    np.testing.assert_allclose(stack.matrix[0].sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(
        np.bincount(scenario.chain.source, scenario.chain.probability), 1, atol=1e-9
    )
    conversion, steps = brute_force(names, matrix)
    assume(steps < 200)  # the power series has an end
    assert scenario.conversion.value == pytest.approx(conversion, abs=1e-8)
    assert scenario.steps.value == pytest.approx(steps, abs=1e-6)
    solved = stack.solved()
    assert solved.conversion[0] == pytest.approx(conversion, abs=1e-8)


@given(walks)
def test_changing_nothing_changes_nothing(log):
    moves = Counter()
    for touches, won in log:
        moves.update(pairwise([cx.START, *touches, cx.CONVERSION if won else cx.DROPOFF]))
    # as many as make an interval
    moves = {move: 50 * count for move, count in moves.items()}
    graph = cx.JourneyGraph.from_counts(moves)
    name = next(iter(graph.touchpoints))
    now = baseline(graph)
    assert not math.isnan(now.base.low)
    for same in (now, now.reduce_exit(name, 0.0), now.reroute(name, cx.DROPOFF, 0.0)):
        assert same.conversion.value == pytest.approx(now.base.value, abs=1e-12)
        assert same.change.low == pytest.approx(0, abs=1e-12)
        assert same.change.high == pytest.approx(0, abs=1e-12)
        assert same.conversion.low == pytest.approx(now.base.low, abs=1e-12)


def test_intervals_of_a_graph_are_those_of_the_delta_method():
    # 64 buckets know a standard error to 9 %: the mean of thirty renamed graphs
    widths, gains = [], []
    for i in range(30):
        text = re.sub(r"[a-z]{2,}", lambda word, i=i: f"{word[0]}{i}", T1)
        graph = journeys_of(text, times=40).graph()
        scenario = reduce_exit(graph, f"web{i}", 0.1)
        each = scenario._state.model.left.journeys
        q = t.ppf(0.975, each.sum() ** 2 / (each**2).sum() - 1)
        widths.append((scenario.base.high - scenario.base.low) / (2 * q))
        gains.append((scenario.change.low, scenario.change.high))
        assert scenario.conversion.low < 0.416245 < scenario.conversion.high
    expected = cx.AbsorbingChain.from_graph(graph).standard_error
    assert np.mean(widths) == pytest.approx(expected, rel=0.06)
    # the gain is far better known than the level
    assert all(0 < low < 0.016245 < high < 0.03 for low, high in gains)


def test_intervals_of_journeys_know_their_customers():
    def journeys(each):
        rows = []
        rng = np.random.default_rng(2)
        for customer in range(120):
            stays = rng.random() < 0.5
            for case in range(each):
                when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=case)
                rows.append((customer, f"{customer} {case}", "web", when))
                if stays:
                    rows.append((customer, f"{customer} {case}", "buy", when + timedelta(hours=1)))
        columns = zip(*rows, strict=True)
        names = ("customer", "case", "touchpoint", "time")
        frame = {n: np.array([str(v) for v in c]) for n, c in zip(names, columns, strict=True)}
        log = cx.InteractionLog.from_frame(
            frame, customer="customer", timestamp="time", touchpoint="touchpoint", journey="case"
        )
        return log.journeys(goal="buy", all_closed=True)

    one, many = (reduce_exit(journeys(each), "web", 0.2) for each in (1, 9))
    assert one.conversion.value == pytest.approx(many.conversion.value)
    widths = [s.conversion.high - s.conversion.low for s in (one, many)]
    assert widths[1] == pytest.approx(widths[0], rel=1e-9)  # the same customers, as often drawn
    of_graph = reduce_exit(journeys(9).graph(), "web", 0.2)
    assert of_graph.conversion.high - of_graph.conversion.low < widths[0] / 2


def test_value_is_money_where_values_are_known():
    journeys = cx.Journeys.from_paths(
        [["web"]], converted=[40], dropped=[60], value=[2000], currency="EUR"
    )
    scenario = reduce_exit(journeys, "web", 0.5)
    assert scenario.conversions.value == pytest.approx(30)
    assert scenario.value.value == pytest.approx(30 * 50)
    assert scenario.value.unit == "EUR"
    assert scenario.value.low < 1500 < scenario.value.high
    assert "value [EUR]" in repr(scenario)
    unknown = reduce_exit(graph_of(T1), "web")
    assert math.isnan(unknown.value.value)
    assert "value" not in unknown.to_frame("pandas")["quantity"].tolist()


def test_where_everybody_leaves_nothing_shows_what_staying_would_bring():
    graph = graph_of("a b x,a b x,a !")
    scenario = reduce_exit(graph, "b", 0.5)
    assert math.isnan(scenario.conversion.value)
    assert math.isnan(scenario.conversion.low)
    assert scenario.base.value == pytest.approx(1 / 3)
    assert "Everybody leaves at 'b'" in scenario.conversion.notes[0]
    assert "Everybody leaves at 'b'" in repr(scenario)
    assert math.isnan(scenario.reduce_exit("a", 0.1).conversion.value)
    with pytest.raises(InvalidValue, match="Everybody leaves at 'b'"):
        _ = scenario.chain
    toward = reduce_exit(graph, "b", 0.5, to=cx.CONVERSION)
    assert toward.conversion.value == pytest.approx(2 / 3)


def test_a_scenario_repeats_and_is_read_back():
    journeys = journeys_of(T1, times=5)
    first, again = (reduce_exit(journeys, "web") for _ in range(2))
    assert first.to_dict() == again.to_dict()
    read = Scenario.from_dict(first.to_dict())
    assert read.to_dict() == first.to_dict()
    with pytest.raises(InvalidValue, match="read back"):
        read.remove("web")
    assert first.remove(["web", "cart"]).conversion.value == pytest.approx(0.1)  # email alone


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda s: s.reduce_exit("wbe"), UnknownName, "did you mean 'web'"),
        (lambda s: s.reduce_exit("web", 1.5), InvalidValue, "relative"),
        (lambda s: s.reduce_exit("web", to="wbe"), UnknownName, "wbe"),
        (lambda s: s.remove("web").remove("web"), UnknownName, "'web' is not"),
        (lambda s: s.bypass("stroe"), UnknownName, "store"),
        (lambda s: s.remove(7), InvalidValue, "touchpoints must be a name or a list .* got 7"),
        (lambda s: s.bypass(None), InvalidValue, "touchpoints must be a name .* got None"),
        (lambda s: s.reduce_exit("web", to=["cart"]), UnknownName, "cart"),
        (lambda s: s.reroute("web", "web"), InvalidValue, "differ"),
        (lambda s: s.reroute("web", "crat"), UnknownName, "crat"),
        (lambda s: s.reroute("web", "cart", 2), InvalidValue, "share"),
        (lambda s: s.reroute("store", "web", at="ad"), InvalidValue, "nobody comes to 'store'"),
    ],
)
def test_what_cannot_be_is_refused(change, error, words):
    with pytest.raises(error, match=words):
        change(baseline(graph_of(T1)))


@pytest.mark.parametrize(
    "ask",
    [
        baseline,
        levers,
        lambda source, **options: remove(source, "web", **options),
        lambda source, **options: bypass(source, "web", **options),
        lambda source, **options: reduce_exit(source, "web", **options),
        lambda source, **options: reroute(source, "web", "cart", **options),
    ],
    ids=["baseline", "levers", "remove", "bypass", "reduce_exit", "reroute"],
)
def test_arguments_of_a_wrong_kind_are_named(ask):
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        ask(journeys_of(T1).log)
    with pytest.raises(InvalidValue, match="by must be a name or a list of names; got 7"):
        ask(graph_of(T1), by=7)
    for wrong in ("95", 2, 0):
        with pytest.raises(InvalidValue, match="level must be a fraction"):
            ask(graph_of(T1), level=wrong)
    with pytest.raises(InvalidValue, match="not JourneyGraph: a graph does not know them"):
        ask(graph_of(T1), segment="age")


def test_nothing_at_all_is_an_answer():
    empty = baseline(cx.Journeys.from_paths([], converted=[]))
    assert math.isnan(empty.conversion.value)
    assert empty.n_journeys == 0
    assert len(levers(cx.Journeys.from_paths([], converted=[])).table) == 0
    lost = reduce_exit(graph_of("a b x,a x"), "a", 0.5)
    assert lost.conversion.value == 0
    with pytest.raises(InvalidValue, match="by"):
        baseline(graph_of(T1), by="channel")
    log = cx.InteractionLog.from_interactions(
        [cx.Interaction(customer="a", touchpoint="web", timestamp=datetime(2026, 1, 1, tzinfo=UTC))]
    )
    with pytest.raises(OutcomeUndetermined):
        baseline(log.journeys(goal="web"))


def test_each_move_of_a_graph_is_in_one_bucket():
    model = model_of(graph_of(T1), by=None, level=0.95)
    (stack,) = model.stacks()
    web, cart = model.chain.code("web"), model.chain.code("cart")
    # of ten moves from web four go to the cart; a bucket takes out some of each
    n, own = 10, model.left.visits[:, web]
    assert own.sum() == pytest.approx(n)
    others = stack.matrix[:, web] * (n - own)[:, None]
    assert others == pytest.approx(np.rint(others))
    assert (4 - others[:, cart]).sum() == pytest.approx(4)
    assert model.left.journeys.sum() == pytest.approx(10)


def left(split, counts, paths, bucket):
    """Return the journeys of paths without a bucket, or all."""
    n = counts - (0 if bucket is None else split[:, bucket])
    return cx.Journeys.from_paths(paths, converted=n[::2].tolist(), dropped=n[1::2].tolist())


def test_each_figure_has_the_interval_of_leaving_out_each_bucket():
    paths = [["web"], ["web", "rare"], ["ad", "web"]]
    journeys = cx.Journeys.from_paths(paths, converted=[300, 9, 90], dropped=[500, 8, 160])
    split = units_of(journeys).split
    counts = split.sum(axis=1)

    def figures(bucket):
        part = left(split, counts, paths, bucket)
        chain = cx.AbsorbingChain.from_graph(part.graph())
        fewer = fewer_exits(chain, {"rare": 0.5})
        gain = fewer.conversion_probability - chain.conversion_probability
        more = fewer.expected_steps - chain.expected_steps
        return chain.conversion_probability, chain.expected_steps, gain, more

    whole = figures(None)
    without = np.array([figures(bucket) for bucket in range(64)]).T
    each, rare = split.sum(axis=0).astype(float), split[2:4].sum(axis=0).astype(float)

    def spread(value, others, units):
        error = math.sqrt(63 / 64 * ((others - value) ** 2).sum())
        return error, t.ppf(0.975, units.sum() ** 2 / (units**2).sum() - 1)

    scenario = reduce_exit(journeys, "rare", 0.5)
    error, q = spread(whole[0], without[0], each)
    p, n = whole[0], whole[0] * (1 - whole[0]) / error**2
    roots = sorted(np.roots([1 + q * q / n, -(2 * p + q * q / n), p * p]).real)
    assert (scenario.base.low, scenario.base.high) == pytest.approx(tuple(roots))
    error, q = spread(math.log(whole[1]), np.log(without[1]), each)
    ends = whole[1] * math.exp(-q * error), whole[1] * math.exp(q * error)
    assert (scenario.base_steps.low, scenario.base_steps.high) == pytest.approx(ends)
    # what is changed stands on the few visits of the place where it is changed
    # whoever is kept can only convert and go on: the scale is that of logarithms
    error, q = spread(math.log(whole[2]), np.log(without[2]), rare)
    assert q > 2.05
    ends = whole[2] * math.exp(-q * error), whole[2] * math.exp(q * error)
    assert (scenario.change.low, scenario.change.high) == pytest.approx(ends)
    assert (scenario.conversions.low, scenario.conversions.high) == pytest.approx(
        tuple(len(journeys) * end for end in ends)
    )
    # nobody goes on from there: no contact is added, whoever is left out
    error, q = spread(whole[3], without[3], rare)
    ends = tuple(len(journeys) * (whole[3] + sign * q * error) for sign in (-1, 1))
    assert (scenario.contacts.value, scenario.contacts.low, scenario.contacts.high) == (
        pytest.approx((len(journeys) * whole[3], *ends), abs=1e-9)
    )


def test_what_can_only_fall_has_an_interval_below_zero_and_what_may_do_both_any():
    paths = [["web"], ["web", "cart"], ["ad", "web"]]
    journeys = cx.Journeys.from_paths(paths, converted=[30, 9, 9], dropped=[50, 8, 16])
    closed = remove(journeys, "ad")
    assert closed.change.low < closed.change.value < closed.change.high < 0
    assert closed.change.method.startswith("Student on the scale of logarithms")
    skipped = bypass(journeys, "ad")
    assert skipped.contacts.low < skipped.contacts.value < skipped.contacts.high < 0
    led = reroute(journeys, "cart", "ad", 0.2, at="web")
    assert led.change.method.startswith("Student,")
    both = closed.reduce_exit("web", 0.1)
    assert both.change.method.startswith("Student,")


def remembering():
    # who begins at t0 converts nearly always, whatever comes between; the chain cannot know
    paths = [[f"t{i}", "web", "cart"] for i in range(3)]
    return cx.Journeys.from_paths(paths, converted=[90, 5, 5], dropped=[10, 95, 95])


def test_a_longer_memory_is_said_where_something_changes_there():
    now = cx.whatif.baseline(remembering())
    assert sum("forgets too much" in caveat for caveat in now.caveats) == 1
    there = now.reduce_exit("cart", 0.1).bypass("t0")
    # 90 of 100 conversions touch it; the chain loses a third of them without it
    told = [caveat for caveat in there.caveats if "forgets too much" in caveat]
    assert told == [
        (
            "The removal effect of 't0', 33.3%, is far from the 90.0% of converting journeys that "
            "touch it: a chain of order 1 forgets too much there."
        )
    ]
    assert not any("forgets" in caveat for caveat in now.reduce_exit("web", 0.1).caveats)
    assert any("forgets too much" in caveat for caveat in cx.whatif.levers(remembering()).caveats)
    assert any(
        "forgets too much" in n
        for n in cx.attribution.markov(remembering(), by="touchpoint")._notes()
    )


def test_a_chain_that_remembers_nothing_is_not_doubted():
    paths = [["web"], ["web", "cart"], ["call", "cart"]]
    plain = cx.Journeys.from_paths(paths, converted=[0, 50, 25], dropped=[100, 50, 25])
    assert not any("forgets" in caveat for caveat in cx.whatif.baseline(plain).caveats)
