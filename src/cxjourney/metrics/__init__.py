"""Customer-experience metrics: arrays in, `Estimate` out. Needs NumPy and attrs alone.

Every function takes array-likes, returns an estimate with its interval, count, unit and method,
and can be used without any other part of the library.
"""

from __future__ import annotations

from cxjourney.metrics.comparison import LogrankTest, logrank
from cxjourney.metrics.estimate import Estimate
from cxjourney.metrics.incidence import IncidenceCurves, cumulative_incidence
from cxjourney.metrics.intervals import (
    agresti_coull,
    clopper_pearson,
    garwood,
    jeffreys,
    katz,
    mean_t,
    newcombe,
    normal_quantile,
    quantile_ranks,
    quantile_type_7,
    wilson,
)
from cxjourney.metrics.promoters import (
    NetPromoterScore,
    NpsDifference,
    net_promoter_score,
    nps,
    nps_difference,
    nps_sample_size,
)
from cxjourney.metrics.rates import abandonment_rate, bounce_rate, conversion_rate, proportion
from cxjourney.metrics.resampling import bootstrap, bootstrap_mean
from cxjourney.metrics.scale import FIVE_POINT, SEVEN_POINT, TEN_POINT, ZERO_TO_TEN, Scale
from cxjourney.metrics.survey import AnswerShare, answer_share, ces, csat, mean_score
from cxjourney.metrics.survival import SurvivalCurve, kaplan_meier

__all__ = [
    "FIVE_POINT",
    "SEVEN_POINT",
    "TEN_POINT",
    "ZERO_TO_TEN",
    "AnswerShare",
    "Estimate",
    "IncidenceCurves",
    "LogrankTest",
    "NetPromoterScore",
    "NpsDifference",
    "Scale",
    "SurvivalCurve",
    "abandonment_rate",
    "agresti_coull",
    "answer_share",
    "bootstrap",
    "bootstrap_mean",
    "bounce_rate",
    "ces",
    "clopper_pearson",
    "conversion_rate",
    "csat",
    "cumulative_incidence",
    "garwood",
    "jeffreys",
    "kaplan_meier",
    "katz",
    "logrank",
    "mean_score",
    "mean_t",
    "net_promoter_score",
    "newcombe",
    "normal_quantile",
    "nps",
    "nps_difference",
    "nps_sample_size",
    "proportion",
    "quantile_ranks",
    "quantile_type_7",
    "wilson",
]
