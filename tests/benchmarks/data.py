"""The benchmark data: a chain over 60 touchpoints, in order of time, always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

TOUCHPOINTS = 60
GOAL = "tp_0"
DAY_US = 86_400 * 10**6


def columns(n: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return customer, time [µs] and touchpoint of about n interactions of n/8 customers."""
    rng = np.random.default_rng(seed)
    customers = n // 8
    lengths = rng.geometric(1 / 8, customers)
    first = np.cumsum(lengths) - lengths
    chain = rng.dirichlet(np.full(TOUCHPOINTS, 0.15), size=TOUCHPOINTS).cumsum(axis=1)
    touchpoint = np.empty(lengths.sum(), dtype=np.int64)
    touchpoint[first] = rng.integers(0, TOUCHPOINTS, customers)
    for step in range(1, lengths.max()):
        here = first[lengths > step] + step
        drawn = rng.random(len(here))[:, None]
        touchpoint[here] = (
            (chain[touchpoint[here - 1]] < drawn).sum(axis=1).clip(0, TOUCHPOINTS - 1)
        )
    gap = rng.exponential(2 * DAY_US, len(touchpoint)).astype(np.int64) + 1
    elapsed = np.cumsum(gap)
    begin = rng.integers(0, 90 * DAY_US, customers)
    time = elapsed - np.repeat(elapsed[first] - begin, lengths) + 1_700_000_000_000_000
    customer = np.repeat(rng.permutation(customers), lengths)
    order = np.argsort(time, kind="stable")
    return customer[order], time[order], touchpoint[order]


def write(folder: Path, n: int) -> None:
    """Write the events as Parquet and CSV, a funnel, and paths to a goal, unless they are there."""
    import json

    import polars as pl

    if (folder / "events.csv").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    customer, time, touchpoint = columns(n)
    frame = pl.DataFrame(
        {
            "customer_id": "c" + pl.Series(customer).cast(pl.String).str.zfill(7),
            "timestamp": pl.Series(time).cast(pl.Datetime("us")),
            "touchpoint": "tp_" + pl.Series(touchpoint).cast(pl.String),
        }
    )
    frame.write_parquet(folder / "events.parquet")
    frame.write_csv(folder / "events.csv", datetime_format="%Y-%m-%d %H:%M:%S%.6f")
    (folder / "steps.json").write_text(json.dumps(likely_steps(customer, touchpoint)))
    # the paths that lead to the goal, or to nothing, as attribution tools want them
    touch = pl.col("touchpoint")
    goal = (touch == GOAL).cum_sum().over("customer_id")
    (
        frame.with_columns(reached=goal)
        .filter((pl.col("reached") == 0) | ((touch == GOAL) & (pl.col("reached") == 1)))
        .group_by("customer_id", maintain_order=True)
        .agg(path=touch.filter(touch != GOAL), converted=(touch == GOAL).any())
        .filter(pl.col("path").list.len() > 0)
        .group_by(pl.col("path").list.join(">"))
        .agg(converted=pl.col("converted").sum(), dropped=(~pl.col("converted")).sum())
        .write_parquet(folder / "paths.parquet")
    )


def likely_steps(customer: np.ndarray, touchpoint: np.ndarray) -> list[str]:
    """Return five touchpoints, each the likeliest new successor of the one before."""
    order = np.argsort(customer, kind="stable")
    touch = touchpoint[order]
    same = customer[order][1:] == customer[order][:-1]
    key = touch[:-1][same] * TOUCHPOINTS + touch[1:][same]
    counts = np.bincount(key, minlength=TOUCHPOINTS**2).reshape(TOUCHPOINTS, TOUCHPOINTS)
    chosen = [int(np.argmax(counts.sum(axis=1)))]
    while len(chosen) < 5:
        row = counts[chosen[-1]].copy()
        row[chosen] = -1
        chosen.append(int(np.argmax(row)))
    return [f"tp_{i}" for i in chosen]
