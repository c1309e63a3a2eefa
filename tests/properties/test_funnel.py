"""Funnels against a matcher that tries everything, and what must hold of every funnel."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.dropoff import Exclusion, Semantics, Step, funnel

# random logs go on after their observation has ended, on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.* after observed_until and still count")

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
STEPS = 3
ONE_AT_A_TIME = Semantics(entry="ended", censored="keep")

# ---------------------------------------------------------------- the brute-force matcher


def chains(events, k_steps, *, strict, ties, exclude, within, start):
    """Yield every chain (row of each step, None where skipped) of the attempt from `start`.

    `events` are (hour, name); a chain is built step by step, by trying every row.
    """

    def follows(i, j):
        if strict:
            return j == i + 1
        if ties == "either":
            return j != i and events[i][0] <= events[j][0]
        return j > i

    def blocked(i, j, k):
        for exclusion in exclude:
            first, last = exclusion.span(len(k_steps))
            if not first < k <= last:
                continue
            for x, (hour, name) in enumerate(events):
                if name not in exclusion.match:
                    continue
                if ties == "either" and events[i][0] < hour < events[j][0]:
                    return True
                if ties == "log" and i < x < j:
                    return True
        return False

    def extend(chain, k):
        yield chain
        if k == len(k_steps):
            return
        step = k_steps[k]
        if step.optional:
            yield from extend([*chain, None], k + 1)
        last = max(row for row in chain if row is not None) if ties == "log" else chain_last(chain)
        for j, (hour, name) in enumerate(events):
            if name not in step.match or not follows(last, j):
                continue
            if within is not None and hour - events[start][0] > within:
                continue
            if step.within is not None and (hour - events[last][0]) * HOUR > step.within:
                continue
            if not blocked(last, j, k):
                yield from extend([*chain, j], k + 1)

    def chain_last(chain):
        return next(row for row in reversed(chain) if row is not None)

    yield from extend([start], 1)


def depth_of(chain):
    reached = [k for k, row in enumerate(chain) if row is not None]
    return reached[-1] + 1


def brute(events, steps, *, order, entry, exclude, within, ties="log", until=None):
    """Return the deepest step that is not optional, from 1; 0 for none."""
    entries = [i for i, (_, name) in enumerate(events) if name in steps[0].match]
    mature = [i for i in entries if until is None or events[i][0] + within <= until]
    if entry == "first":
        mature = [i for i in mature if i == entries[0]]
    best = 0
    for start in mature:
        for chain in chains(
            events,
            steps,
            strict=order == "strict",
            ties=ties,
            exclude=exclude,
            within=within,
            start=start,
        ):
            if not steps[depth_of(chain) - 1].optional:
                best = max(best, depth_of(chain))
    return best


def brute_unordered(events, steps, within):
    """Return the most steps that distinct interactions of one window can satisfy."""
    best = 0
    for start, (begin, _) in enumerate(events):
        inside = [name for hour, name in events[start:] if within is None or hour - begin <= within]
        for size in range(len(steps), 0, -1):
            for chosen in itertools.combinations(steps, size):
                need = [step.match for step in chosen]
                names = list(inside)
                ok = True
                for match in sorted(need, key=sorted):
                    fit = next((n for n in names if n in match), None)
                    if fit is None:
                        ok = False
                        break
                    names.remove(fit)
                if ok:
                    best = max(best, size)
    return best


# ---------------------------------------------------------------- random logs


def log_of(events, until=None):
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=customer, touchpoint=name, timestamp=BEGIN + hour * HOUR)
            for customer, rows in events.items()
            for hour, name in rows
        ],
        observed_until=None if until is None else BEGIN + until * HOUR,
    )


def random_case(seed):
    rng = random.Random(seed)  # noqa: S311 - cases, not secrets
    names = "ABCx" if rng.random() < 0.5 else "ABCDxy"
    events = {}
    for c in range(rng.randint(1, 6)):
        rows = [(rng.randint(0, 12), rng.choice(names)) for _ in range(rng.randint(1, 9))]
        events[f"c{c}"] = sorted(rows, key=lambda row: row[0])
    pool = [name for name in names if name not in "xy"]
    size = rng.randint(1, 4)
    matches = [
        set(rng.sample(pool, rng.choice([1, 1, 2]))) if rng.random() < 0.8 else {rng.choice(pool)}
        for _ in range(size)
    ]
    steps = tuple(
        Step(
            match,
            optional=0 < k < size - 1 and rng.random() < 0.3,
            within=rng.choice([None, None, None, 3 * HOUR]),
        )
        for k, match in enumerate(matches)
    )
    required = [k + 1 for k, step in enumerate(steps) if not step.optional]
    exclude = []
    if len(required) > 1 and rng.random() < 0.5:
        exclude.append(Exclusion("x", between=tuple(sorted(rng.sample(required, 2)))))
    if len(required) > 1 and "y" in names and rng.random() < 0.3:
        exclude.append(Exclusion("y"))
    within = rng.choice([None, 2, 4, 7])
    return events, steps, exclude, within


def hours(within):
    return None if within is None else within * HOUR


def counts_of(depths, steps):
    return [
        sum(depth >= k + 1 for depth in depths) for k, step in enumerate(steps) if not step.optional
    ]


def required_counts(found, steps):
    return [c for c, step in zip(found.counts, steps, strict=True) if not step.optional]


@pytest.mark.parametrize("block", range(10))
def test_ordered_and_strict_funnels_equal_the_matcher_that_tries_everything(block):
    for seed in range(50 * block, 50 * (block + 1)):
        events, steps, exclude, within = random_case(seed)
        rng = random.Random(-seed)  # noqa: S311 - cases, not secrets
        order, entry = rng.choice(["ordered", "ordered", "strict"]), rng.choice(["any", "first"])
        until = rng.choice([None, 8, 12]) if within is not None else None
        log = log_of(events, until=until if until is not None else 40)
        found = funnel(
            log,
            steps,
            within=hours(within),
            order=order,
            entry=entry,
            exclude=exclude,
            censored="keep" if until is None else "exclude",
        )
        depths = [
            brute(
                rows,
                steps,
                order=order,
                entry=entry,
                exclude=exclude,
                within=within,
                until=until,
            )
            for rows in events.values()
        ]
        assert required_counts(found, steps) == counts_of(depths, steps), seed
        for customer, depth in zip(events, depths, strict=True):
            (told,) = found.explain(customer).depth
            while told and steps[told - 1].optional:
                told -= 1
            assert told == depth, seed


@pytest.mark.parametrize("block", range(4))
def test_equal_timestamps_in_either_order_equal_the_matcher_that_tries_everything(block):
    for seed in range(50 * block, 50 * (block + 1)):
        events, steps, exclude, within = random_case(seed)
        if any(a.match & b.match for a, b in itertools.combinations(steps, 2)):
            continue  # one timestamp could then serve a step and the next but one
        found = funnel(
            log_of(events),
            steps,
            within=hours(within),
            exclude=exclude,
            censored="keep",
            semantics=Semantics(ties="either"),
        )
        depths = [
            brute(
                rows,
                steps,
                order="ordered",
                entry="any",
                exclude=exclude,
                within=within,
                ties="either",
            )
            for rows in events.values()
        ]
        assert required_counts(found, steps) == counts_of(depths, steps), seed


@pytest.mark.parametrize("block", range(4))
def test_unordered_funnels_equal_the_matcher_that_tries_everything(block):
    for seed in range(40 * block, 40 * (block + 1)):
        events, steps, _, within = random_case(seed)
        steps = [Step(step.match) for step in steps]
        if any(
            a.match & b.match and a.match != b.match for a, b in itertools.combinations(steps, 2)
        ):
            continue
        found = funnel(
            log_of(events), steps, within=hours(within), order="unordered", censored="keep"
        )
        depths = [brute_unordered(rows, steps, within) for rows in events.values()]
        assert list(found.counts) == counts_of(depths, steps), seed
        assert [found.explain(customer).depth for customer in events] == [(d,) for d in depths]


@pytest.mark.parametrize("block", range(4))
def test_one_attempt_at_a_time_equals_a_walk_along_the_log(block):
    for seed in range(50 * block, 50 * (block + 1)):
        events, steps, exclude, within = random_case(seed)
        steps = tuple(Step(step.match) for step in steps)
        found = funnel(
            log_of(events), steps, within=hours(within), exclude=exclude, semantics=ONE_AT_A_TIME
        )
        depths = [walk(rows, steps, exclude, within) for rows in events.values()]
        assert list(found.counts) == counts_of(depths, steps), seed
        assert [found.explain(customer).depth for customer in events] == [(d,) for d in depths]


def walk(events, steps, exclude, within):
    """One attempt after the other, its state carried along the log."""
    best, depth, begin = 0, 0, None
    for hour, name in events:
        if depth and within is not None and hour - begin > within:
            depth = 0
        if depth and any(
            name in x.match and x.span(len(steps))[0] < depth <= x.span(len(steps))[1]
            for x in exclude
        ):
            depth = 0
            continue
        if depth == 0:
            if name in steps[0].match:
                depth, begin = 1, hour
        elif depth < len(steps) and name in steps[depth].match:
            depth += 1
        best = max(best, depth)
        if best == len(steps):
            break
    return best


@pytest.mark.parametrize("seed", range(60))
def test_one_attempt_at_a_time_is_over_at_an_exclusion_though_a_step_repeats(seed):
    """Long lists of few names: most attempts would convert but for the exclusion."""
    rng = np.random.default_rng(seed)
    steps = [Step(name) for name in "ABCD"]
    first, last = sorted(rng.choice([1, 2, 3, 4], 2, replace=False).tolist())
    exclude = [Exclusion("x", between=(first, last))]
    within = None if seed % 2 else 20
    events = {f"c{c}": list(enumerate(rng.choice(list("ABBCCDx"), 14))) for c in range(8)}
    found = funnel(
        log_of(events), steps, within=hours(within), exclude=exclude, semantics=ONE_AT_A_TIME
    )
    depths = [walk(rows, steps, exclude, within) for rows in events.values()]
    assert list(found.counts) == counts_of(depths, steps)
    assert [found.explain(customer).depth for customer in events] == [(d,) for d in depths]


def test_an_attempt_does_not_go_on_from_a_step_that_repeats_after_an_exclusion():
    events = {"c": [(0, "A"), (1, "B"), (2, "x"), (3, "B"), (4, "C"), (5, "D")]}
    exclude = [Exclusion("x", between=(2, 4))]
    by = {
        semantics: funnel(log_of(events), list("ABCD"), exclude=exclude, semantics=semantics)
        for semantics in (ONE_AT_A_TIME, "posthog", None)
    }
    assert by[ONE_AT_A_TIME].counts == (1, 1, 0, 0)
    assert by["posthog"].counts == (0, 0, 0, 0)
    assert by[None].counts == (1, 1, 1, 1)  # A, the later B, C and D have nothing between them


def test_an_optional_step_that_was_passed_over_guards_nothing_more():
    events = {"c": [(0, "A"), (1, "C"), (2, "x"), (3, "D")]}
    steps = [Step("A"), Step("B", optional=True), Step("C"), Step("D")]
    exclude = [Exclusion("x", between=(1, 3))]
    found = funnel(log_of(events), steps, exclude=exclude, semantics=ONE_AT_A_TIME)
    assert found.counts == (1, 0, 1, 1)


@pytest.mark.parametrize("block", range(4))
def test_posthog_voids_attempts_and_counts_the_best_of_the_others(block):
    for seed in range(50 * block, 50 * (block + 1)):
        events, steps, exclude, within = random_case(seed)
        order = "strict" if seed % 5 == 0 else "ordered"
        steps = tuple(Step(step.match) for step in steps)
        if any(a.match & b.match for a, b in itertools.combinations(steps, 2)):
            continue
        # timestamps apart, so that ties decide nothing
        events = {c: [(i, name) for i, (_, name) in enumerate(rows)] for c, rows in events.items()}
        found = funnel(
            log_of(events),
            steps,
            order=order,
            within=hours(within),
            exclude=exclude,
            semantics="posthog",
        )
        depths = [
            max(
                (
                    alone(rows, i, steps, exclude, within, strict=order == "strict")
                    for i in range(len(rows))
                ),
                default=0,
            )
            for rows in events.values()
        ]
        assert list(found.counts) == counts_of(depths, steps), seed
        assert [found.explain(customer).depth for customer in events] == [(d,) for d in depths]


def alone(events, begin, steps, exclude, within, *, strict):
    """Return the depth of the attempt that begins at one event, 0 if none does or it is void."""
    if events[begin][1] not in steps[0].match:
        return 0
    depth = 1
    for hour, name in events[begin + 1 :]:
        if depth == len(steps) or (within is not None and hour - events[begin][0] > within):
            break
        for x in exclude:
            first, last = x.span(len(steps))
            if name in x.match and first < depth <= last:
                return 0
        if name in steps[depth].match:
            depth += 1
        elif strict:
            break
    return depth


@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("semantics", [None, "posthog"])
def test_unordered_funnels_with_exclusions_equal_a_loop(block, semantics):
    for seed in range(40 * block, 40 * (block + 1)):
        events, steps, _, within = random_case(seed)
        steps = [Step(step.match) for step in steps]
        names = set().union(*(step.match for step in steps))
        if any(a.match & b.match for a, b in itertools.combinations(steps, 2)):
            continue
        bad = sorted({name for rows in events.values() for _, name in rows} - names)[:1]
        if not bad or len(steps) < 2:
            continue
        events = {c: [(i, name) for i, (_, name) in enumerate(rows)] for c, rows in events.items()}
        found = funnel(
            log_of(events),
            steps,
            within=hours(within),
            order="unordered",
            exclude=bad,
            censored="keep",
            semantics=semantics,
        )
        depths = []
        for rows in events.values():
            best = 0
            for i, (start, first) in enumerate(rows):
                done = set()
                void = first not in names
                for hour, name in rows[i:]:
                    if len(done) == len(steps) or (within is not None and hour - start > within):
                        break
                    if name in bad:
                        void |= semantics == "posthog"
                        break
                    done |= {k for k, step in enumerate(steps) if name in step.match}
                best = max(best, 0 if void else len(done))
            depths.append(best)
        assert list(found.counts) == counts_of(depths, steps), seed


# ---------------------------------------------------------------- what must always hold


events = st.dictionaries(
    st.sampled_from([f"c{i}" for i in range(8)]),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("ABCDx")), min_size=1, max_size=12),
    min_size=1,
)
orders = st.sampled_from(["ordered", "strict", "unordered"])
windows = st.sampled_from([None, timedelta(hours=3), timedelta(hours=8)])


@given(events, orders, windows)
def test_counts_never_increase_and_rates_lie_in_their_intervals(rows, order, within):
    found = funnel(log_of(rows), ["A", "B", "C"], order=order, within=within, censored="keep")
    assert list(found.counts) == sorted(found.counts, reverse=True)
    table = found.table
    known = ~np.isnan(table["low"])
    assert np.all(table["low"][known] <= table["rate"][known] + 1e-12)
    assert np.all(table["rate"][known] <= table["high"][known] + 1e-12)


@given(events, orders, windows)
def test_names_and_the_order_of_customers_do_not_matter(rows, order, within):
    def counts(mapping, steps):
        return funnel(
            log_of(mapping), steps, order=order, within=within, exclude=(), censored="keep"
        ).counts

    names = dict(zip("ABCDx", ["zulu", "yak", "xenon", "watt", "vow"], strict=True))
    renamed = {
        f"k{99 - i}": [(hour, names[name]) for hour, name in touches]
        for i, touches in enumerate(rows.values())
    }
    assert counts(rows, ["A", "B", "C"]) == counts(renamed, [names[n] for n in "ABC"])


@given(events, windows)
def test_a_longer_window_never_loses_anyone(rows, within):
    log = log_of(rows)
    short = funnel(log, ["A", "B"], within=within or HOUR, censored="keep").counts
    long = funnel(log, ["A", "B"], within=2 * (within or HOUR), censored="keep").counts
    assert all(a <= b for a, b in zip(short, long, strict=True))
