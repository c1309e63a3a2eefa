"""The planted hand-off of the sample over many seeds: is it found, covered, and not invented?

Run by hand: `python tests/calibration/handoff.py`. The table goes into
docs/explanation/calibration-omnichannel.md.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.significance import false_discovery
from cxjourney.datasets import sample
from cxjourney.omnichannel import HandoffLoss, handoff_loss

if TYPE_CHECKING:
    from collections.abc import Iterable

PLANTED = ("app", "web")
SIZES = (1_000, 5_000)


def row_of(found: HandoffLoss) -> dict:
    pairs = zip(found.pairs["from_channel"], found.pairs["to_channel"], strict=True)
    return found.pairs.row(list(pairs).index(PLANTED))


def is_worst(found: HandoffLoss, column: str) -> bool:
    values = np.asarray(found.pairs[column], dtype=float)
    return bool(row_of(found)[column] == np.nanmax(values))


def covers(found: HandoffLoss, truth: float) -> bool:
    row = row_of(found)
    return row["low"] <= truth <= row["high"]


def study(seeds: Iterable[int], *, customers: int = 5_000) -> Counter[str]:
    """Count over seeds how often each thing that should hold (or should not) does."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        planted = sample(seed=seed, customers=customers)
        truth = planted.truths.handoff.loss
        journeys = planted.journeys()
        found, crude = handoff_loss(journeys), handoff_loss(journeys, strata=None)
        alarms = zip(found.alarms["from_channel"], found.alarms["to_channel"], strict=True)
        seen["planted pair worst by shrunken loss"] += is_worst(found, "shrunken")
        seen["planted pair worst by raw loss"] += is_worst(found, "loss")
        seen["raw interval covers the truth"] += covers(found, truth)
        seen["alarm for the planted pair"] += PLANTED in alarms
        seen["without strata: worst by raw loss"] += is_worst(crude, "loss")
        seen["without strata: interval covers"] += covers(crude, truth)

        journeys = sample(seed=seed, customers=customers, handoff=False).journeys()
        found, crude = handoff_loss(journeys), handoff_loss(journeys, strata=None)
        p, loss = (np.asarray(found.pairs[name], dtype=float) for name in ("p", "loss"))
        seen["off: any alarm"] += len(found.alarms) > 0
        seen["off: any corrected p up to .05, gains too"] += bool(
            np.any(np.asarray(found.pairs["adjusted_p"]) <= 0.05)
        )
        seen["off: any alarm by Benjamini-Hochberg"] += bool(
            np.any((false_discovery(p) <= 0.05) & (loss > 0))
        )
        seen["off: any alarm without correction"] += bool(np.any((p <= 0.05) & (loss > 0)))
        seen["off: interval of the pair covers 0"] += covers(found, 0)
        seen["off, without strata: any alarm"] += len(crude.alarms) > 0
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=200)
    options = parser.parse_args()
    counts = {size: study(range(options.seeds), customers=size) for size in SIZES}
    print("|", " | ".join([f"of {options.seeds}", *(f"{n:,} customers" for n in SIZES)]), "|")
    print("|---" * (1 + len(SIZES)) + "|")
    for name in counts[SIZES[0]]:
        print("|", " | ".join([name, *(str(counts[n][name]) for n in SIZES)]), "|")
