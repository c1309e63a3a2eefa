"""Customer-experience metrics: columns in, an `Estimate` out. They need NumPy and attrs alone.

Every function takes array-likes, returns an estimate with its interval, count, unit and method,
and can be used without any other part of the library.
"""

from __future__ import annotations

from cxjourney._stats.bootstrap import bootstrap
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import newcombe, wilson
from cxjourney._time.business_hours import BusinessHours
from cxjourney.metrics._accumulate import Tally, pool
from cxjourney.metrics._benchmark import BenchmarkTest, benchmark_test
from cxjourney.metrics._catalogue import Metric, all_metrics
from cxjourney.metrics._engagement.conversion import abandonment_rate, bounce_rate, conversion_rate
from cxjourney.metrics._engagement.pages_and_mails import EmailRates, dwell_time, email_rates
from cxjourney.metrics._rates import event_rate, proportion
from cxjourney.metrics._retention.cohort import CohortRetention, cohort_retention
from cxjourney.metrics._retention.habits import (
    Lifecycle,
    lifecycle,
    repeat_purchase_rate,
    stickiness,
)
from cxjourney.metrics._retention.rates import (
    churn_hazard,
    churn_rate,
    retention_rate,
)
from cxjourney.metrics._service.contacts import contact_rate, reopen_rate, transfer_rate
from cxjourney.metrics._service.cost_to_serve import CostToServe, cost_to_serve
from cxjourney.metrics._service.effort import EffortVector, effort
from cxjourney.metrics._service.elapsed import ElapsedTime, elapsed_time
from cxjourney.metrics._service.first_contact import first_contact_resolution
from cxjourney.metrics._service.waiting import first_response_time, resolution_time, sla_attainment
from cxjourney.metrics._surveys.experience import ExpectationGap as ExpectationGap
from cxjourney.metrics._surveys.experience import PeakEnd as PeakEnd
from cxjourney.metrics._surveys.experience import expectation_gap, peak_end_rule
from cxjourney.metrics._surveys.means import mean_score
from cxjourney.metrics._surveys.nps import NetPromoterScore as NetPromoterScore
from cxjourney.metrics._surveys.nps import nps
from cxjourney.metrics._surveys.nps_difference import NpsDifference as NpsDifference
from cxjourney.metrics._surveys.nps_difference import nps_difference, nps_sample_size
from cxjourney.metrics._surveys.sampling import (
    cronbach_alpha,
    poststratification_weights,
    response_rate,
)
from cxjourney.metrics._surveys.scale import Scale
from cxjourney.metrics._surveys.scale import check_scale as check_scale
from cxjourney.metrics._surveys.scores import AnswerShare as AnswerShare
from cxjourney.metrics._surveys.scores import ces, csat
from cxjourney.metrics._survival.incidence import IncidenceCurves, cumulative_incidence
from cxjourney.metrics._survival.kaplan_meier import SurvivalCurve, kaplan_meier
from cxjourney.metrics._survival.life_table import LifeTable
from cxjourney.metrics._survival.logrank import LogrankTest, logrank
from cxjourney.metrics._value.bg_nbd import BgNbd, fit_bg_nbd
from cxjourney.metrics._value.clv import CustomerValues, clv_constant, clv_curve, clv_purchases
from cxjourney.metrics._value.cost_ratio import cost_ratio
from cxjourney.metrics._value.gamma_gamma import GammaGamma, fit_gamma_gamma
from cxjourney.metrics._value.purchases import PurchaseSummary, RfmScores, purchase_summary, rfm
from cxjourney.metrics._value.retention_value import RetentionValue, retention_value
from cxjourney.metrics._value.revenue import arpu, average_order_value, purchase_frequency
from cxjourney.metrics._value.revenue_retention import RevenueRetention, nrr_grr

__all__ = [
    "BenchmarkTest",
    "BgNbd",
    "BusinessHours",
    "CohortRetention",
    "CostToServe",
    "CustomerValues",
    "EffortVector",
    "ElapsedTime",
    "EmailRates",
    "Estimate",
    "GammaGamma",
    "IncidenceCurves",
    "LifeTable",
    "Lifecycle",
    "LogrankTest",
    "Metric",
    "PurchaseSummary",
    "RetentionValue",
    "RevenueRetention",
    "RfmScores",
    "Scale",
    "SurvivalCurve",
    "Tally",
    "abandonment_rate",
    "all_metrics",
    "arpu",
    "average_order_value",
    "benchmark_test",
    "bootstrap",
    "bounce_rate",
    "ces",
    "churn_hazard",
    "churn_rate",
    "clv_constant",
    "clv_curve",
    "clv_purchases",
    "cohort_retention",
    "contact_rate",
    "conversion_rate",
    "cost_ratio",
    "cost_to_serve",
    "cronbach_alpha",
    "csat",
    "cumulative_incidence",
    "dwell_time",
    "effort",
    "elapsed_time",
    "email_rates",
    "event_rate",
    "expectation_gap",
    "first_contact_resolution",
    "first_response_time",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "kaplan_meier",
    "lifecycle",
    "logrank",
    "mean_score",
    "newcombe",
    "nps",
    "nps_difference",
    "nps_sample_size",
    "nrr_grr",
    "peak_end_rule",
    "pool",
    "poststratification_weights",
    "proportion",
    "purchase_frequency",
    "purchase_summary",
    "reopen_rate",
    "repeat_purchase_rate",
    "resolution_time",
    "response_rate",
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
