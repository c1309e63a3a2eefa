"""How the planted truths of the sample look in the data, over many seeds. Run by hand:

    python tests/calibration/sample_truths.py [seeds]

It reads raw columns only and computes with NumPy alone, so that it checks the sample and not the
library's estimators. Rates are of visits that were observed for the inactivity limit or longer.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from cxjourney import datasets


class Visits(NamedTuple):
    """Visits of all journeys, the goal left out, and what came of them."""

    place: np.ndarray
    channel: np.ndarray
    came_from: np.ndarray  # channel code of the touch before in the journey, -1 at its beginning
    stage: np.ndarray
    customer: np.ndarray
    segments: dict[str, np.ndarray]
    lost: np.ndarray
    open: np.ndarray
    following: np.ndarray  # place code, -1 if nothing follows


def visits_of(sample) -> Visits:
    columns = sample.log.columns
    code = {name: columns.coded[name].codes.astype(int) for name in ("touchpoint", "channel")}
    place, channel = code["touchpoint"], code["channel"]
    customer = columns.customer
    goal = columns.coded["touchpoint"].names.index(sample.truths.goal)
    limit = sample.truths.inactivity.total_seconds() * 1e6
    until = sample.log.observed_until.timestamp() * 1e6
    last = np.append(np.diff(customer) != 0, True)
    gap = np.where(last, np.inf, np.append(np.diff(columns.time), 0))
    ends = (place == goal) | (gap >= limit)
    begins = np.append(True, ends[:-1] | last[:-1])
    came_from = np.where(begins, -1, np.append(-1, channel[:-1]))
    following = np.where(ends | last, -1, np.append(place[1:], -1))
    immature = until - columns.time < limit
    touch = place != goal
    attributes = ("segment", "region", "member")
    return Visits(
        place=place[touch],
        channel=channel[touch],
        came_from=came_from[touch],
        stage=columns.coded["stage"].codes.astype(int)[touch],
        customer=customer[touch],
        segments={name: sample.log.attribute(name).codes[touch] for name in attributes},
        lost=(ends & ~immature)[touch],
        open=immature[touch],
        following=following[touch],
    )


def rates(n, x):
    with np.errstate(invalid="ignore", divide="ignore"):
        return x / n


def standardised_loss(v, a, b):
    """Return loss and z of the pair a to b against staying in b, weighted by the arrivals."""
    loss, variance, weight = 0.0, 0.0, 0
    for place in np.unique(v.place[(v.channel == b) & (v.came_from == a)]):
        here = v.place == place
        moved, same = v.lost[here & (v.came_from == a)], v.lost[here & (v.came_from == b)]
        if not len(same):
            continue
        n, p, q = len(moved), moved.mean(), same.mean()
        loss += n * (p - q)
        variance += n**2 * ((p + 1 / n) * (1 - p + 1 / n) / n + q * (1 - q) / len(same))
        weight += n
    if not weight:
        return np.nan, np.nan, 0
    return loss / weight, loss / np.sqrt(variance), weight


def gains(v, k, goal):
    """Return per touchpoint the conversions that its excess over its stage costs, per visit row."""
    n, x = np.bincount(v.place, minlength=k), np.bincount(v.place, v.lost, minlength=k)
    flow = np.zeros((k, k))
    moved = v.following >= 0
    np.add.at(flow, (v.place[moved], v.following[moved]), 1)
    rows = flow / np.maximum(n, 1)[:, None]
    to_goal = rows[:, goal].copy()
    rows[:, goal] = 0
    reach = np.linalg.solve(np.eye(k) - rows, to_goal)
    stage = np.zeros(k, dtype=int)
    stage[v.place] = v.stage
    excess = np.zeros(k)
    for place in np.flatnonzero(n):
        peers = (stage == stage[place]) & (n > 0)
        peers[place] = False
        excess[place] = x[place] / n[place] - x[peers].sum() / n[peers].sum()
    e = rates(n, x)
    return n * reach * excess / (1 - e), excess, e


def segment_differences(v, k):
    """Return difference and z of each value of each attribute at each place against the rest."""
    n, x = np.bincount(v.place, minlength=k), np.bincount(v.place, v.lost, minlength=k)
    found = {}
    for name, codes in v.segments.items():
        for value in np.unique(codes):
            inside = codes == value
            m = np.bincount(v.place[inside], minlength=k)
            y = np.bincount(v.place[inside], v.lost[inside], minlength=k)
            for place in np.flatnonzero((m > 0) & (n > m)):
                p, q = y[place] / m[place], (x - y)[place] / (n - m)[place]
                r = x[place] / n[place]
                se = np.sqrt(r * (1 - r) * (1 / m[place] + 1 / (n - m)[place]))
                found[name, int(value), int(place)] = (p - q, (p - q) / se if se else 0.0)
    return found


def any_discovery(z):
    """Tell whether Benjamini and Hochberg's rule at 5 % finds anything, both sides tested."""
    p = np.sort(2 * ndtr(-np.abs(np.array(z))))
    return bool((p <= 0.05 * np.arange(1, len(p) + 1) / len(p)).any())


def measure(seed, **switches):
    sample = datasets.sample(seed=seed, **switches)
    everything = visits_of(sample)
    v = Visits(
        *(
            {name: codes[~everything.open] for name, codes in field.items()}
            if isinstance(field, dict)
            else field[~everything.open]
            for field in everything
        )
    )
    names = sample.log.touchpoints
    k, goal = len(names), names.index(sample.truths.goal)
    channels = sample.log.channels
    a, b = channels.index("app"), channels.index("web")
    found = {"interactions": len(sample.log)}

    gain, excess, e = gains(v, k, goal)
    n = np.bincount(v.place, minlength=k)
    planted = [names.index(name) for name in ("store advice", "payment")]
    by_rate = np.argsort(-np.nan_to_num(e))[:3]
    by_gain = np.argsort(-gain)[:3]
    found |= {
        "excess at store advice": excess[planted[0]],
        "excess at payment": excess[planted[1]],
        "visits of store advice": n[planted[0]],
        "visits of payment": n[planted[1]],
        "raw rate: both in top 3": np.isin(planted, by_rate).all(),
        "raw rate: one in top 3": np.isin(planted, by_rate).any(),
        "gain over peers: both in top 3": np.isin(planted, by_gain).all(),
    }

    pairs = {
        (c, d): standardised_loss(v, c, d)
        for c in range(len(channels))
        for d in range(len(channels))
        if c != d
    }
    raw = {}
    for c, d in pairs:
        into = v.channel == d
        moved, same = v.lost[into & (v.came_from == c)], v.lost[into & (v.came_from != c)]
        if len(moved) and len(same):
            raw[c, d] = moved.mean() - same.mean()
    loss, _, arrivals = pairs[a, b]
    scored = {pair: z for pair, (_, z, _) in pairs.items() if np.isfinite(z)}
    came = everything.came_from
    found |= {
        "hand-off loss": loss,
        "hand-off arrivals": arrivals,
        "hand-off share": ((came == a) & (everything.channel == b)).sum() / (came >= 0).sum(),
        "hand-off: first by raw loss": max(raw, key=raw.get) == (a, b),
        "hand-off: first by z": max(scored, key=scored.get) == (a, b),
        "hand-off: largest z of the other pairs": max(
            z for pair, z in scored.items() if pair != (a, b)
        ),
        "hand-off: any discovery among pairs": any_discovery(list(scored.values())),
    }

    differences = segment_differences(v, k)
    segment = sample.log.attribute("segment").names.index("student")
    target = ("segment", segment, names.index("cart"))
    found |= {
        "segment difference": differences[target][0],
        "segment: first by raw difference": max(differences, key=lambda d: differences[d][0])
        == target,
        "segment: first by z": max(differences, key=lambda d: abs(differences[d][1])) == target,
        "segment: largest z at the other touchpoints": max(
            abs(z) for key, (_, z) in differences.items() if key[2] != target[2]
        ),
        "segment: any discovery": any_discovery([z for _, z in differences.values()]),
        "students": np.mean(sample.log.customer_attributes["segment"].codes == segment),
    }

    covered = {}
    for name, truth in sample.truths.exits.items():
        place = names.index(name)
        here = v.place == place
        p, m = v.lost[here].mean(), here.sum()
        # linearised variance of a ratio, clustered by customer
        _, who = np.unique(v.customer[here], return_inverse=True)
        residuals = np.bincount(who, v.lost[here] - p)
        g = len(residuals)
        se = np.sqrt((residuals**2).sum() * g / (g - 1)) / m
        logit = np.log(p / (1 - p))
        half = 1.96 * se / (p * (1 - p))
        low, high = (1 / (1 + np.exp(-(logit + side))) for side in (-half, half))
        covered[name] = (low <= truth <= high, p - truth, m)
    return found, covered, sample.truths


def main(seeds: int) -> None:
    rows, covered = defaultdict(list), defaultdict(list)
    for seed in range(seeds):
        found, cover, truths = measure(seed)
        for name, value in found.items():
            rows[name].append(float(value))
        for name, value in cover.items():
            covered[name].append(value)
    print(f"{seeds} seeds\n\n| what | mean | 2.5 % | 97.5 % |\n|---|---|---|---|")
    for name, values in rows.items():
        low, high = np.quantile(values, [0.025, 0.975])
        print(f"| {name} | {np.mean(values):.4g} | {low:.4g} | {high:.4g} |")
    print("\n| touchpoint | truth | visits | mean error, points | covered |\n|---|---|---|---|---|")
    for name, values in covered.items():
        hit, error, visits = np.mean(values, axis=0)
        truth = truths.exits[name]
        print(f"| {name} | {truth:.4f} | {visits:.0f} | {100 * error:+.2f} | {hit * seeds:.0f} |")

    off = [measure(seed, handoff=False, critical=False, segment=False)[0] for seed in range(seeds)]
    print("\n| switched off | mean |\n|---|---|")
    for name in (
        "excess at store advice",
        "excess at payment",
        "hand-off loss",
        "hand-off: any discovery among pairs",
        "segment difference",
        "segment: any discovery",
    ):
        print(f"| {name} | {np.mean([row[name] for row in off]):.4f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
