"""Reasons of the order of critical points, in words and numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney.critical._excess import NEARNESS

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIGURES = (
    # figure, value, low, high, kind
    ("reach", "reach", "reach_low", "reach_high", "percent"),
    ("exit probability", "exit_probability", "low", "high", "percent"),
    ("excess over its peers", "excess", "excess_low", "excess_high", "percent"),
    ("gain, conversions", "gain", "gain_low", "gain_high", "number"),
    ("lost conversions", "lost_conversions", "lost_low", "lost_high", "number"),
    ("removal effect", "removal_effect", "removal_low", "removal_high", "percent"),
    ("wait to the next visit", "wait_s", "wait_low_s", "wait_high_s", "duration"),
    ("share of all waiting", "wait_share", "wait_share_low", "wait_share_high", "percent"),
    ("rework rate", "rework_rate", "rework_low", "rework_high", "percent"),
    ("emotion", "emotion", "emotion_low", "emotion_high", "number"),
    ("score", "score", "score_low", "score_high", "number"),
    ("driver weight", "driver_weight", "driver_weight_low", "driver_weight_high", "percent"),
)


@attrs.frozen(kw_only=True, repr=False)
class Reason(Result):
    """Why a touchpoint stands where it stands.

    Attributes
    ----------
    touchpoint
        Its name.
    place
        Its rank, 1 for the first to fix.
    sentences
        The reasons, in words.
    caveats
        What a reader must know before acting.
    figures
        The numbers: `figure`, `value`, `low`, `high`, as strings in their units.
    """

    title: ClassVar[str] = "Why here"

    touchpoint: str
    place: int
    sentences: tuple[str, ...]
    caveats: tuple[str, ...]
    figures: Table

    def __str__(self) -> str:
        return " ".join(self.sentences)

    def _table(self) -> Table:
        return self.figures

    def _notes(self) -> tuple[str, ...]:
        return (*self.sentences, *self.caveats)


def reason_of(
    row: Mapping[str, Any],
    ranks: Mapping[str, Any],
    *,
    place: int,
    of: int,
    n_journeys: int,
    level: float,
) -> Reason:
    """Return the reason of one row of a table of critical points.

    Parameters
    ----------
    row, ranks
        The touchpoint's row of the table and of the rank probabilities.
    place, of
        Its rank, among how many.
    n_journeys
        Number of journeys in all.
    level
        Confidence level of the intervals.
    """
    name = str(row["touchpoint"])
    sentences = [
        _standing(name, row, ranks, place, of),
        f"{_p(row['reach'])} of {n_journeys:,} journeys come by.",
        _losing(row),
    ]
    gain = float(row["gain"])
    if gain > 0:
        value = row["gain_value"]
        money = "" if math.isnan(value) else f", worth {format_value(value, 'money')}"
        sentences.append(
            f"Down to the rate of its peers there would be {format_value(gain)} conversions more "
            f"[{format_value(row['gain_low'])}, {format_value(row['gain_high'])}]{money}."
        )
    elif gain == 0:
        sentences.append(
            "It loses no more than its peers: by this measure there is nothing to fix."
        )
    if row["must_pass"]:
        sentences.append(f"{str(row['must_pass']).capitalize()} conversion goes through it.")
    valleys = [what for what in ("emotion", "score") if row[f"{what}_valley"]]
    if valleys:
        sentences.append(
            f"Customers feel worse here than elsewhere: {' and '.join(valleys)} "
            f"{' and '.join(format_value(row[what]) for what in valleys)}."
        )
    return Reason(
        touchpoint=name,
        place=place,
        sentences=tuple(sentences),
        caveats=_caveats(row, level),
        figures=_figures(row),
    )


def _standing(
    name: str, row: Mapping[str, Any], ranks: Mapping[str, Any], place: int, of: int
) -> str:
    if row["mark"]:
        return f"{name!r} stands {place} of {of}, behind those that are ranked: {row['mark']}."
    if math.isnan(ranks["top_three"]):
        return f"{name!r} stands {place} of {of}."
    return (
        f"{name!r} stands {place} of {of}. It is first with a probability of "
        f"{_p(ranks['rank_1'])}, and among the first three with one of {_p(ranks['top_three'])}."
    )


def _losing(row: Mapping[str, Any]) -> str:
    rate = f"{_p(row['exit_probability'])} [{_p(row['low'])}, {_p(row['high'])}] of its visits"
    if math.isnan(row["peers"]):
        return f"{rate} are the last of their journey; there are no peers to compare it with."
    staged = row["peer_group"] not in {"all", NEARNESS}
    whom = f"the stage {row['peer_group']!r}" if staged else "all others"
    if row["peer_group"] == NEARNESS:
        whom = "touchpoints as near to the goal"
    claim = "it truly loses more" if staged else "it stands apart from how such touchpoints differ"
    sure = "" if math.isnan(row["confidence"]) else f"; the probability that {claim} is "
    return (
        f"{rate} are the last of their journey, against {_p(row['peers'])} at its peers ({whom})"
        f"{sure and sure + _p(row['confidence'])}."
    )


def _caveats(row: Mapping[str, Any], level: float) -> tuple[str, ...]:
    caveats = [
        (
            f"The intervals are {100 * level:g}% intervals of the raw figures; the order goes by "
            "shrunken ones."
        ),
        (
            "It was picked after looking at many: its raw gain looks larger than it is (winner's "
            "curse). The probabilities know that, on average over logs of this kind."
        ),
        "Gains assume that those who are kept go on like those who stay: an upper bound.",
        "This is an association, not a cause: only an experiment shows what fixing it does.",
    ]
    if row["journeys"] < 30:
        caveats.insert(0, f"Only {row['journeys']:,} journeys come by.")
    if not math.isnan(row["wait_s"]) and not math.isnan(row["emotion"]):
        caveats.append("Feelings are those of customers who gave any.")
    return tuple(caveats)


def _figures(row: Mapping[str, Any]) -> Table:
    known = [figure for figure in _FIGURES if not np.isnan(float(row[figure[1]]))]
    columns = {
        "figure": [figure[0] for figure in known],
        **{
            head: [format_value(row[figure[i]], figure[4]) for figure in known]
            for i, head in ((1, "value"), (2, "low"), (3, "high"))
        },
    }
    return Table(columns)


def _p(fraction: float) -> str:
    return format_value(fraction, "percent")
