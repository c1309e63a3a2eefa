"""Gains of findings, corrected for having been selected, and shares that cells explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._findings._claims import cell_of
from cxjourney._findings._pipeline import loss_per_visit
from cxjourney._stats.buckets import BucketFigures, t_quantile
from cxjourney._stats.customer_sums import CustomerSums
from cxjourney._stats.multiplicity import median_unbiased
from cxjourney._stats.predictive import contrast_with_peers
from cxjourney.journeys import units_of

if TYPE_CHECKING:
    from cxjourney._findings._pipeline import Judged, Judgement
    from cxjourney._findings._trials import Trials
    from cxjourney._support.array_types import Bools, Floats

_WATCHED = 0.05
_SMALLEST = 1e-300
_ONE_SIDED = 1.645


def effect_interval(judged: Judged, level: float) -> tuple[float, float, float]:
    """Return the raw effect and the ends of its interval: Student's, by its effective units."""
    claim = judged.claim
    half = float(t_quantile(level, np.array(max(claim.units - 1, 1.0)))) * claim.error
    return claim.effect, claim.effect - half, claim.effect + half


def gain_of(
    trials: Trials, judged: Judged, inside: Bools, *, level: float
) -> tuple[float, float, float, float]:
    """Return conversions that would be won if the effect were gone, both ends, and their error.

    What is shown was picked because it is large. The value is the median-unbiased estimate given
    that the p-value was below its cut; the ends are those of Benjamini and Yekutieli's (2005)
    intervals for selected parameters, so that the lower end of a sure gain is above 0.
    """
    from scipy.special import ndtri

    claim = judged.claim
    total = float(trials.count(inside)) * loss_per_visit(trials, claim, inside)
    z = float(-ndtri(max(claim.p, _SMALLEST)))
    cut = float(-ndtri(min(max(judged.cut, _SMALLEST), 0.5))) if judged.sure else 0.0
    if not judged.sure:
        cut = min(float(-ndtri(_WATCHED)), z)
    if not z > 0:
        return np.nan, np.nan, np.nan, np.nan
    half = max(cut, float(-ndtri((1 - level) / 2)))
    low = z - cut if judged.sure else z - half
    value = max(float(median_unbiased(np.array(z), np.array(cut))), low, 0.0)
    return total * value / z, total * low / z, total * (z + half) / z, total / z


def share_explained(
    trials: Trials, judged: Judged, found: Judgement, *, level: float
) -> tuple[float, float, float, str] | None:
    """Return which part of a touchpoint's excess its cell explains, and what that says.

    D = e - m with everybody and D₋ = e₋ - m₋ without the group, at the touchpoint and its peers:
    1 - D₋/D, an identity. None where there is no excess over peers to be explained.
    """
    claim = judged.claim
    if (
        claim.touchpoint < 0
        or claim.outcome != "exit"
        or claim.kind == "excess"
        or not found.with_stages
    ):
        return None
    group = cell_of(trials, attrs.evolve(claim, touchpoint=-1))
    x = claim.touchpoint
    stage = np.where(found.excess_tested | (np.arange(trials.size) == x), trials.stage, -1)
    peers = np.flatnonzero((stage == stage[x]) & (stage >= 0))
    if len(peers) < 2:
        return None
    place = np.full(trials.size, -1)
    place[peers] = np.arange(len(peers))
    mine = int(place[x])
    rows = np.flatnonzero(trials.known & (place[trials.touchpoint] >= 0))
    where, outside = place[trials.touchpoint[rows]], ~group[rows]
    units = units_of(trials.journeys)
    journey, event = trials.journey[rows], trials.event[rows]

    def excess(keep: Bools) -> BucketFigures:
        n, k = (
            units.sums(where[keep], len(peers), item=journey[keep], values=values)
            for values in (None, event[keep])
        )
        whole_n, whole_k = n.sum(axis=0), k.sum(axis=0)

        def difference(n: Floats, k: Floats) -> Floats:
            with np.errstate(invalid="ignore", divide="ignore"):
                rest_n, rest_k = n.sum(axis=-1) - n[..., mine], k.sum(axis=-1) - k[..., mine]
                return np.asarray(k[..., mine] / n[..., mine] - rest_k / rest_n)

        return BucketFigures(
            whole=np.asarray(difference(whole_n, whole_k)),
            without=difference(whole_n - n, whole_k - k),
            units=n[:, mine],
        )

    all_, rest = excess(np.ones(len(rows), dtype=np.bool_)), excess(outside)
    if not all_.whole > 0:
        return None
    share = BucketFigures(
        whole=1 - rest.whole / all_.whole, without=1 - rest.without / all_.without, units=all_.units
    )
    low, high = (float(np.clip(end, 0.0, 1.0)) for end in share.student(level))
    sums = CustomerSums.of(np.where(outside, where, -1), trials.customer[rows], event, len(peers))
    contrast = contrast_with_peers(sums, np.zeros(len(peers), dtype=np.int64))
    d, error = float(contrast.difference[mine]), float(np.sqrt(contrast.variance[mine]))
    if d + _ONE_SIDED * error < float(all_.whole) / 2:
        said = "The other customers leave no more often than at its peers."
    elif contrast.p[mine] > _WATCHED:
        said = "No excess is shown for the other customers."
    else:
        said = "The other customers leave more often than at its peers, too."
    return float(np.clip(share.whole, 0.0, 1.0)), low, high, said


def hit_by(trials: Trials, judged: Judged, taken: Bools) -> Bools:
    """Return the visits that a finding is about, those at further touchpoints included.

    An excess is that of the visits that are not `taken` by other findings: no gain counts twice.
    Exits since a date are those of visits whose end is known: how long they go on is not.
    """
    inside = cell_of(trials, judged.claim)
    for x in judged.also:
        inside |= cell_of(trials, attrs.evolve(judged.claim, touchpoint=x))
    if judged.claim.since >= 0 and judged.claim.outcome == "exit":
        inside &= trials.known
    return inside & ~taken if judged.claim.kind == "excess" else inside
