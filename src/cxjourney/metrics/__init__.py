"""Customer-experience metrics: arrays in, `Estimate` out. Needs NumPy and attrs alone.

Every function takes array-likes, returns an estimate with its interval, count, unit and method,
and can be used without any other part of the library.
"""

from __future__ import annotations

from cxjourney._stats.bootstrap import bootstrap, bootstrap_mean
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import (
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
from cxjourney._time.business_hours import BusinessHours
from cxjourney.metrics._accumulate import Tally, pool
from cxjourney.metrics._catalogue import FunctionMetric, Metric, all_metrics
from cxjourney.metrics._engagement.conversion import abandonment_rate, bounce_rate, conversion_rate
from cxjourney.metrics._engagement.pages_and_mails import EmailRates, dwell_time, email_rates
from cxjourney.metrics._rates import effective_n as effective_n
from cxjourney.metrics._rates import event_rate, proportion
from cxjourney.metrics._retention.cohort import CohortRetention, cohort_retention
from cxjourney.metrics._retention.habits import (
    Lifecycle,
    lifecycle,
    repeat_purchase_rate,
    stickiness,
)
from cxjourney.metrics._retention.rates import (
    churn_from_counts,
    churn_hazard,
    churn_rate,
    retention_from_counts,
    retention_rate,
)
from cxjourney.metrics._service.contacts import contact_rate, reopen_rate, transfer_rate
from cxjourney.metrics._service.cost_to_serve import CostToServe, cost_to_serve
from cxjourney.metrics._service.effort import EffortVector, effort
from cxjourney.metrics._service.elapsed import ElapsedTime, elapsed_time
from cxjourney.metrics._service.first_contact import first_contact_resolution
from cxjourney.metrics._service.waiting import first_response_time, resolution_time, sla_attainment
from cxjourney.metrics._surveys.experience import ExpectationGap, PeakEnd, expectation_gap, peak_end
from cxjourney.metrics._surveys.nps import NetPromoterScore, net_promoter_score, nps
from cxjourney.metrics._surveys.nps_difference import NpsDifference, nps_difference, nps_sample_size
from cxjourney.metrics._surveys.sampling import (
    cronbach_alpha,
    effective_size,
    poststratification_weights,
    response_rate,
)
from cxjourney.metrics._surveys.scale import FIVE_POINT, SEVEN_POINT, TEN_POINT, ZERO_TO_TEN, Scale
from cxjourney.metrics._surveys.scores import AnswerShare, answer_share, ces, csat, mean_score
from cxjourney.metrics._survival.incidence import IncidenceCurves, cumulative_incidence
from cxjourney.metrics._survival.kaplan_meier import SurvivalCurve, kaplan_meier
from cxjourney.metrics._survival.life_table import LifeTable
from cxjourney.metrics._survival.logrank import LogrankTest, logrank
from cxjourney.metrics._value.bg_nbd import BgNbd, fit_bg_nbd
from cxjourney.metrics._value.claims import (
    ClaimTest,
    RetentionValue,
    claim_ratio,
    claim_test,
    retention_value,
)
from cxjourney.metrics._value.clv import CustomerValues, clv_constant, clv_curve, clv_purchases
from cxjourney.metrics._value.gamma_gamma import GammaGamma, fit_gamma_gamma
from cxjourney.metrics._value.purchases import PurchaseSummary, RfmScores, purchase_summary, rfm
from cxjourney.metrics._value.revenue import arpu, average_order_value, purchase_frequency
from cxjourney.metrics._value.revenue_retention import RevenueRetention, nrr_grr

__all__ = [
    "FIVE_POINT",
    "SEVEN_POINT",
    "TEN_POINT",
    "ZERO_TO_TEN",
    "AnswerShare",
    "BgNbd",
    "BusinessHours",
    "ClaimTest",
    "CohortRetention",
    "CostToServe",
    "CustomerValues",
    "EffortVector",
    "ElapsedTime",
    "EmailRates",
    "Estimate",
    "ExpectationGap",
    "FunctionMetric",
    "GammaGamma",
    "IncidenceCurves",
    "LifeTable",
    "Lifecycle",
    "LogrankTest",
    "Metric",
    "NetPromoterScore",
    "NpsDifference",
    "PeakEnd",
    "PurchaseSummary",
    "RetentionValue",
    "RevenueRetention",
    "RfmScores",
    "Scale",
    "SurvivalCurve",
    "Tally",
    "abandonment_rate",
    "agresti_coull",
    "all_metrics",
    "answer_share",
    "arpu",
    "average_order_value",
    "bootstrap",
    "bootstrap_mean",
    "bounce_rate",
    "ces",
    "churn_from_counts",
    "churn_hazard",
    "churn_rate",
    "claim_ratio",
    "claim_test",
    "clopper_pearson",
    "clv_constant",
    "clv_curve",
    "clv_purchases",
    "cohort_retention",
    "contact_rate",
    "conversion_rate",
    "cost_to_serve",
    "cronbach_alpha",
    "csat",
    "cumulative_incidence",
    "dwell_time",
    "effective_size",
    "effort",
    "elapsed_time",
    "email_rates",
    "event_rate",
    "expectation_gap",
    "first_contact_resolution",
    "first_response_time",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "garwood",
    "jeffreys",
    "kaplan_meier",
    "katz",
    "lifecycle",
    "logrank",
    "mean_score",
    "mean_t",
    "net_promoter_score",
    "newcombe",
    "normal_quantile",
    "nps",
    "nps_difference",
    "nps_sample_size",
    "nrr_grr",
    "peak_end",
    "pool",
    "poststratification_weights",
    "proportion",
    "purchase_frequency",
    "purchase_summary",
    "quantile_ranks",
    "quantile_type_7",
    "reopen_rate",
    "repeat_purchase_rate",
    "resolution_time",
    "response_rate",
    "retention_from_counts",
    "retention_rate",
    "retention_value",
    "rfm",
    "sla_attainment",
    "stickiness",
    "transfer_rate",
    "wilson",
]


def __dir__() -> list[str]:
    return list(__all__)
