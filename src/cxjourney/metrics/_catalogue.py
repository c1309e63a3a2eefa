"""The catalogue of metrics, each with its name, unit and direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import attrs
from numpy.typing import ArrayLike

from cxjourney._stats.estimate import Estimate
from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.result import Result
from cxjourney._support.validation import check_choice
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._accumulate import Mergeable, pool
from cxjourney.metrics._engagement.conversion import abandonment_rate, bounce_rate, conversion_rate
from cxjourney.metrics._engagement.pages_and_mails import dwell_time, email_rates
from cxjourney.metrics._retention.cohort import cohort_retention
from cxjourney.metrics._retention.habits import lifecycle, repeat_purchase_rate, stickiness
from cxjourney.metrics._retention.rates import churn_hazard, churn_rate, retention_rate
from cxjourney.metrics._service.contacts import contact_rate, reopen_rate, transfer_rate
from cxjourney.metrics._service.cost_to_serve import cost_to_serve
from cxjourney.metrics._service.effort import effort
from cxjourney.metrics._service.elapsed import elapsed_time
from cxjourney.metrics._service.first_contact import first_contact_resolution
from cxjourney.metrics._service.waiting import (
    first_response_time,
    resolution_time,
    sla_attainment,
)
from cxjourney.metrics._surveys.experience import expectation_gap, peak_end_rule
from cxjourney.metrics._surveys.means import mean_score
from cxjourney.metrics._surveys.nps import nps
from cxjourney.metrics._surveys.sampling import cronbach_alpha, response_rate
from cxjourney.metrics._surveys.scores import ces, csat
from cxjourney.metrics._value.clv import clv_constant, clv_curve
from cxjourney.metrics._value.cost_ratio import cost_ratio
from cxjourney.metrics._value.revenue import arpu, average_order_value, purchase_frequency
from cxjourney.metrics._value.revenue_retention import nrr_grr

Figure = Estimate | Result
"""What a metric returns: an estimate, or a result that holds several."""

E = TypeVar("E", bound=Estimate | Mergeable)

Direction = Literal["higher", "lower", "neither"]
"""Which way is better."""

_DIRECTIONS = ("higher", "lower", "neither")


@runtime_checkable
class MetricLike(Protocol):
    """Any object with a name, a unit, a direction, a definition, `compute` and `merge`."""

    @property
    def name(self) -> str:
        """Identifier, such as "nps"."""
        ...

    @property
    def unit(self) -> str:
        """What one of its value is, such as "points"; "money" where the currency is a choice."""
        ...

    @property
    def direction(self) -> Direction:
        """Which way is better."""
        ...

    @property
    def definition(self) -> str:
        """The definition in a sentence."""
        ...

    @property
    def compute(self) -> Callable[..., Figure]:
        """What returns the metric of columns of data; each metric takes its own."""
        ...

    def merge(self, parts: Any, /) -> Figure:
        """Return the metric of all parts together, or raise InvalidValue where that cannot be.

        Any, since each metric adds up what its own `compute` returns.
        """
        ...


@attrs.frozen(kw_only=True)
class Metric:
    """A metric made of a function that returns an `Estimate`.

    Attributes
    ----------
    name
        Identifier, such as "nps".
    unit
        What one of its value is, such as "points"; "money" where the currency is a choice.
    direction
        Which way is better: "higher", "lower" or "neither".
    definition
        The definition in a sentence.
    function
        Computes it of columns of data; by default the mean of one column.
    per_journey
        Returns one value a journey, NaN where there is none, so that `cxjourney.trend` can chart
        its mean; None where it says nothing of journeys.

    Examples
    --------
    >>> from cxjourney.metrics import proportion
    >>> def open_rate(opened, sent):
    ...     return proportion(opened, sent, name="open_rate", definition="opened / sent")
    >>> metric = Metric(
    ...     name="open_rate", unit="fraction", direction="higher",
    ...     definition="opened / sent", function=open_rate,
    ... )
    >>> metric.merge([metric.compute(3, 10), metric.compute(5, 10)]).value
    0.4
    """

    name: str
    unit: str
    direction: Direction
    definition: str
    function: Callable[..., Figure] = mean_score
    per_journey: Callable[[Any], ArrayLike] | None = None  # of Journeys, which stand further up

    def __attrs_post_init__(self) -> None:
        check_choice(self.direction, "direction", _DIRECTIONS)

    def compute(self, *columns: Any, **options: Any) -> Figure:
        """Return the metric of columns of data, as the function takes them."""
        return self.function(*columns, **options)

    def merge(self, parts: Iterable[E]) -> E:
        """Return the metric of all parts together, from the counts on their cards.

        Raises
        ------
        InvalidValue
            If the parts are not functions of counts, or differ in their choices.
        """
        return pool(parts)


def _metric(
    function: Callable[..., Figure], unit: str, direction: Direction, definition: str
) -> Metric:
    return Metric(
        name=function.__name__,
        unit=unit,
        direction=direction,
        definition=definition,
        function=function,
    )


_BUILT_IN = (
    _metric(abandonment_rate, "fraction", "lower", "starts not completed / starts"),
    _metric(arpu, "money", "higher", "revenue / active customers"),
    _metric(average_order_value, "money", "higher", "revenue / orders"),
    _metric(bounce_rate, "fraction", "lower", "sessions that bounced / sessions"),
    _metric(ces, "fraction", "higher", "answers that say it was easy / answers"),
    _metric(churn_hazard, "departures per time", "lower", "customers who left / time observed"),
    _metric(churn_rate, "fraction", "lower", "customers gone / customers at the start"),
    _metric(clv_constant, "money", "higher", "value of a customer at one retention rate"),
    _metric(clv_curve, "money", "higher", "value of a customer along a survival curve"),
    _metric(cohort_retention, "fraction", "higher", "customers active at an age / eligible ones"),
    _metric(contact_rate, "contacts per customer", "lower", "contacts / exposure"),
    _metric(conversion_rate, "fraction", "higher", "converted units / eligible units"),
    _metric(cost_ratio, "ratio", "lower", "mean cost of one thing / mean cost of another"),
    _metric(cost_to_serve, "money", "lower", "cost of contacts / customers"),
    _metric(cronbach_alpha, "alpha", "higher", "agreement of the items of a scale"),
    _metric(csat, "fraction", "higher", "answers in the best boxes / answers"),
    _metric(dwell_time, "seconds", "neither", "time on a page, the last page unknown"),
    _metric(effort, "per issue", "lower", "interactions, switches, transfers, repeats, times"),
    _metric(elapsed_time, "seconds", "lower", "time from start to end"),
    _metric(email_rates, "fraction", "higher", "opens, clicks and the like / delivered e-mails"),
    _metric(expectation_gap, "scale points", "higher", "mean of experience - expectation"),
    _metric(
        first_contact_resolution,
        "fraction",
        "higher",
        "issues with one contact and none within the window after / issues",
    ),
    _metric(first_response_time, "seconds", "lower", "time from request to first human answer"),
    _metric(lifecycle, "customers", "neither", "new, returning, resurrecting and dormant"),
    _metric(mean_score, "scale points", "higher", "sum of scores / number of scores"),
    _metric(nps, "points", "higher", "100 × (share of 9-10 - share of 0-6)"),
    _metric(nrr_grr, "fraction", "higher", "recurring revenue kept / at the start"),
    _metric(peak_end_rule, "valence", "higher", "mean over journeys of (peak + end) / 2"),
    _metric(purchase_frequency, "orders per buyer", "higher", "orders / unique buyers"),
    _metric(reopen_rate, "fraction", "lower", "closed cases reopened / closed cases"),
    _metric(repeat_purchase_rate, "fraction", "higher", "buyers with a second order / buyers"),
    _metric(resolution_time, "seconds", "lower", "time from opening to resolution"),
    _metric(response_rate, "fraction", "higher", "complete answers / eligible invitations"),
    _metric(retention_rate, "fraction", "higher", "customers still there / at the start"),
    _metric(sla_attainment, "fraction", "higher", "cases within the target / cases decided"),
    _metric(stickiness, "fraction", "higher", "mean daily active / active customers"),
    _metric(transfer_rate, "fraction", "neither", "contacts transferred / contacts"),
)


def all_metrics(*more: MetricLike) -> Mapping[str, MetricLike]:
    """Return the metrics of the library and those of the caller, by name.

    Parameters
    ----------
    *more
        Metrics of your own or of other tools: `Metric`, or any object with its attributes and
        methods. Nothing is registered anywhere: who adds metrics keeps the mapping.

    Returns
    -------
    mapping
        Name to metric, in alphabetical order; read-only.

    Raises
    ------
    InvalidValue
        If something is not a metric, its direction is no such word, or a name is taken.

    Examples
    --------
    >>> all_metrics()["nps"].unit
    'points'
    """
    found: dict[str, MetricLike] = {}
    for metric in (*_BUILT_IN, *more):
        if not isinstance(metric, MetricLike):
            raise InvalidValue.of("metric", "have name, unit, direction, compute and merge", metric)
        check_choice(metric.direction, "direction", _DIRECTIONS)
        if metric.name in found:
            raise InvalidValue.of("metric.name", "be free", metric.name)
        found[metric.name] = metric
    return FrozenMapping(dict(sorted(found.items())))
