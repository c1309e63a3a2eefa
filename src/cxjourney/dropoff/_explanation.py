"""Explanations of a funnel: what each interaction of a customer counted as, and why."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.words import how_long
from cxjourney.dropoff._matching import Matched, Rows, Rules, match_rows
from cxjourney.kernels import StepReason

_EPOCH = np.datetime64(0, "us")


@attrs.frozen(kw_only=True, repr=False)
class Explanation(Result):
    """How the interactions of one customer were matched, one row an interaction.

    Attributes
    ----------
    table
        `journey` (where units are journeys), `timestamp` (UTC), `touchpoint`, `verdict`.
    depth
        Number of the deepest step reached, from 1, by each unit; 0 for none.
    rules
        The rules, in words.
    """

    title: ClassVar[str] = "How a funnel was matched"

    table: Table
    depth: tuple[int, ...]
    rules: tuple[str, ...]

    def _notes(self) -> tuple[str, ...]:
        return self.rules


def explanation_table(rows: list[dict[str, Any]]) -> Table:
    """Return the rows of an explanation as a table."""
    names = list(rows[0]) if rows else ["timestamp", "touchpoint", "verdict"]
    return Table({name: [row[name] for row in rows] for name in names})


def explain_unit(rows: Rows, rules: Rules) -> tuple[list[dict[str, Any]], int, bool]:
    """Return a row for each interaction, the deepest step reached, and whether it was removed.

    Parameters
    ----------
    rows
        Those of one unit.
    rules
        How to match.
    """
    codes, names, time = rows.codes, rows.names, rows.time
    matched, found, reasons = match_rows(rows, rules)
    verdicts = [""] * len(codes)
    for exclusion, at in zip(rules.exclude, found.of_exclusion, strict=True):
        first, last = exclusion.span(len(rules.steps))
        for row in found.row[at].tolist():
            verdicts[row] = f"exclusion between step {first + 1} and step {last + 1}"
    for k in range(len(rules.steps)):
        at = found.row[found.of_step[k]]
        for row, reason in zip(at.tolist(), reasons[k].tolist(), strict=True):
            verdict = _verdict(matched, rules, k, row, reason)
            verdicts[row] = "; ".join(part for part in (verdicts[row], verdict) if part)
    depth = 0
    if matched.hit.shape[1]:
        depth = int(np.flatnonzero((matched.hit >= 0).any(axis=1))[-1]) + 1
    timestamps = (
        [""] * len(codes) if time is None else [str(_EPOCH + int(t)) for t in time.tolist()]
    )
    rows_ = [
        {"timestamp": timestamp, "touchpoint": names[code], "verdict": verdict or "no step"}
        for timestamp, code, verdict in zip(timestamps, codes.tolist(), verdicts, strict=True)
    ]
    removed = not matched.hit.shape[1] and matched.excluded > 0
    return rows_, depth, removed


def _verdict(matched: Matched, rules: Rules, k: int, row: int, reason: int) -> str:
    step = f"step {k + 1}"
    if not rules.ordered:
        place = np.flatnonzero((matched.hit == row).any(axis=1))
        return f"done so far: {place[0] + 1}" if len(place) else f"{step}, not counted"
    if row in matched.hit[k]:
        return f"{step}: enters" if k == 0 else step
    if k == 0 and reason == StepReason.EXCLUDED:
        return f"not {step}: an exclusion voids the attempt"
    if reason == StepReason.REACHED:
        return f"{step}: another attempt" if k == 0 else f"{step} again, or of another attempt"
    if reason == StepReason.IMMATURE:
        return f"not {step}: window not over at the end"
    if reason == StepReason.NO_ENTRY:
        first = rules.semantics.entry == "first"
        return f"not {step}: {'only the first counts' if first else 'an attempt is under way'}"
    if reason == StepReason.EXCLUDED:
        return f"not {step}: an exclusion lies between"
    if reason == StepReason.WINDOW and rules.within_us is not None:
        return f"not {step}: expired, window {how_long(rules.within_us / 1e6)}"
    if reason == StepReason.TOO_SOON:
        least = rules.steps[k].after
        told = f"step needs {how_long(least)}" if least else "one timestamp"
        return f"not {step}: too soon, {told}"
    limit = rules.steps[k].within
    if reason == StepReason.STEP_WINDOW and limit is not None:
        return f"not {step}: expired, step limit {how_long(limit)}"
    before = "right before" if rules.order == "strict" else "before"
    required = max(j for j in range(k) if not rules.steps[j].optional)
    return f"not {step}: no step {required + 1} {before} it"
