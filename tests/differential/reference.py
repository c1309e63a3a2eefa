"""Journeys, outcomes, counts and probabilities once more, one interaction after the other.

Nothing here is taken from the library: it follows the sentences of the architecture page. Times are
whole days; a log is a list of (customer, day, touchpoint) in input order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction

Row = tuple[str, int, str]

CONVERTED, DROPPED, IN_PROGRESS = "converted", "dropped", "in_progress"
GOAL, EXIT, SILENCE = "#goal", "#exit", "#silence"


class Journey:
    """One journey: whose, what was touched when, and how it ended."""

    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.rows: list[tuple[int, str]] = []
        self.silent = False  # the customer came again, after the limit
        self.outcome = IN_PROGRESS


def journeys_of(
    rows: list[Row],
    *,
    goal: set[str],
    exits: set[str],
    limit: int | None,
    after_goal: str = "new_journey",
    all_closed: bool = False,
    until: int | None = None,
) -> list[Journey]:
    """Return the journeys of all customers, by customer and then in the order of time."""
    until = max((day for _, day, _ in rows), default=0) if until is None else until
    ending = exits | (goal if after_goal != "keep" else set())
    by_customer: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for customer, day, touchpoint in rows:
        by_customer[customer].append((day, touchpoint))
    found = []
    for customer, mine in by_customer.items():
        mine.sort(key=lambda row: row[0])  # stable: ties stay in input order
        current, discarding, before = None, False, None
        for day, touchpoint in mine:
            silence = limit is not None and before is not None and day - before >= limit
            if current is None or silence:
                if current is not None and silence:
                    current.silent = True
                current, discarding = Journey(customer), False
                found.append(current)
            before = day
            if discarding:
                continue
            current.rows.append((day, touchpoint))
            if touchpoint in ending:
                if after_goal == "discard":
                    discarding = True
                else:
                    # what comes next begins a journey, and no silence ended this one
                    current = None
    for journey in found:
        journey.outcome = _outcome(
            journey,
            goal=goal,
            exits=exits,
            limit=limit,
            after_goal=after_goal,
            all_closed=all_closed,
            until=until,
        )
    return found


def _outcome(
    journey: Journey,
    *,
    goal: set[str],
    exits: set[str],
    limit: int | None,
    after_goal: str,
    all_closed: bool,
    until: int,
) -> str:
    day, last = journey.rows[-1]
    won = last in goal
    if after_goal == "keep":
        won = any(touchpoint in goal for _, touchpoint in journey.rows)
    if won:
        return CONVERTED
    silent = limit is not None and until - day >= limit
    return DROPPED if last in exits or all_closed or silent or journey.silent else IN_PROGRESS


def visits_of(
    journeys: list[Journey], goal: set[str], exits: set[str], until: int
) -> list[tuple[str, str | None, float]]:
    """Return node, what came next (None: not known yet), and after how many days, of each visit."""
    visits: list[tuple[str, str | None, float]] = []
    for journey in journeys:
        for (day, node), (then, following) in zip(journey.rows, journey.rows[1:], strict=False):
            visits.append((node, following, then - day))
        day, node = journey.rows[-1]
        if node in goal or node in exits:  # it ends its journey and is no visit
            if len(journey.rows) > 1:
                node, _, wait = visits.pop()
                visits.append((node, GOAL if journey.outcome == CONVERTED else EXIT, wait))
        elif journey.outcome == IN_PROGRESS:
            visits.append((node, None, until - day))
        else:
            visits.append((node, SILENCE, float("inf")))
    return visits


def transitions_of(
    visits: list[tuple[str, str | None, float]], *, timed: bool
) -> tuple[Counter[tuple[str, str]], dict[tuple[str, str], Fraction]]:
    """Return how often each transition was made, and its Aalen-Johansen probability."""
    counts = Counter((node, to) for node, to, _ in visits if to is not None)
    probability: dict[tuple[str, str], Fraction] = {}
    for node in {node for node, *_ in visits}:
        here = [(wait, to) for at, to, wait in visits if at == node]
        known = [to for _, to in here if to is not None]
        if not timed:
            for to in set(known):
                probability[node, to] = Fraction(known.count(to), len(known))
            continue
        survival = Fraction(1)
        for time in sorted({wait for wait, to in here if to not in {None, SILENCE}}):
            at_risk = sum(wait >= time for wait, _ in here)
            moved = [to for wait, to in here if wait == time and to not in {None, SILENCE}]
            for to in set(moved):
                share = survival * Fraction(moved.count(to), at_risk)
                probability[node, to] = probability.get((node, to), Fraction(0)) + share
            survival *= 1 - Fraction(len(moved), at_risk)
        if known and survival:
            probability[node, SILENCE] = survival
    return counts, probability


def funnel_of(
    rows: list[Row],
    steps: list[str],
    *,
    within: int | None,
    order: str,
    entry: str,
    exclude: set[str],
    mature_until: int | None,
) -> list[int]:
    """Return how many customers reached each step: the best of all attempts of each."""
    depths = []
    for customer in dict.fromkeys(who for who, *_ in rows):
        mine = sorted(
            ((day, what) for who, day, what in rows if who == customer), key=lambda r: r[0]
        )
        opening = set(steps) if order == "unordered" else {steps[0]}
        starts = [i for i, (_, what) in enumerate(mine) if what in opening]
        starts = starts[:1] if entry == "first" else starts
        best = 0
        for start in starts:
            begin = mine[start][0]
            if mature_until is not None and begin > mature_until:
                continue
            best = max(
                best, _depth(mine[start:], steps, within=within, order=order, exclude=exclude)
            )
        depths.append(best)
    return [sum(depth >= k for depth in depths) for k in range(1, len(steps) + 1)]


def _depth(
    mine: list[tuple[int, str]],
    steps: list[str],
    *,
    within: int | None,
    order: str,
    exclude: set[str],
) -> int:
    """Return how many steps an attempt reaches that begins with the first of these."""
    begin = mine[0][0]
    done, missing = 1, [step for step in steps if step != mine[0][1]]
    for day, what in mine[1:]:
        over = done == len(steps) or (within is not None and day - begin > within)
        if over or what in exclude:
            break
        if order == "unordered":
            if what in missing:
                missing.remove(what)
                done += 1
        elif what == steps[done]:
            done += 1
        elif order == "strict":
            break
    return done


def survival_of(rows: list[tuple[int, bool]]) -> dict[int, Fraction]:
    """Return the share that lasts longer than each duration; ties are events before censorings."""
    survival, curve = Fraction(1), {}
    for time in sorted({duration for duration, _ in rows}):
        at_risk = sum(duration >= time for duration, _ in rows)
        survival *= 1 - Fraction(sum(d == time and event for d, event in rows), at_risk)
        curve[time] = survival
    return curve


def mean_waits_of(
    visits: list[tuple[str, str | None, float]],
) -> dict[tuple[str, str], Fraction]:
    """Return the mean time of each transition, each time weighed by its Aalen-Johansen mass."""
    means = {}
    for node in {node for node, *_ in visits}:
        here = [(wait, to) for at, to, wait in visits if at == node]
        survival, masses = Fraction(1), []
        for time in sorted({wait for wait, to in here if to not in {None, SILENCE}}):
            at_risk = sum(wait >= time for wait, _ in here)
            moved = [to for wait, to in here if wait == time and to not in {None, SILENCE}]
            masses += [(to, int(time), survival / at_risk) for to in moved]
            survival *= 1 - Fraction(len(moved), at_risk)
        for to in {to for to, *_ in masses}:
            own = [(time, mass) for t, time, mass in masses if t == to]
            means[node, to] = sum(t * m for t, m in own) / sum(m for _, m in own)
    return means
