"""Groups of customers whose journeys go alike, how stable they are, and what is special of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.intervals import wilson_ends
from cxjourney._support.distinct import distinct
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_level, check_rng
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import By, WithPeople, check_journeys, ended, visits_of, with_people
from cxjourney.personas._mixture import Counts, fit, overlap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import Ending, Journeys

_STABLE = 0.75
"""The mean Jaccard index from which a group is taken as one (Hennig 2007)."""
_AGAIN = 20
_MOST = 12
_TOP = 5
_SURE = 2.0
_PRIOR = 1.0
_OTHER = "unnamed"


@attrs.frozen(kw_only=True, repr=False)
class Personas(WithPeople):
    """Groups of customers whose journeys go alike.

    Attributes
    ----------
    table
        One row a group, the largest first; see `discover` for the columns.
    distinctive
        What is more frequent in a group than elsewhere by at least two standard errors, at most
        five values of a kind, the surest first: `persona`, `what` ("touchpoint", "channel" or an
        attribute), `value`, `share` in the group and `elsewhere`, `log_odds`, and `z`, in
        standard errors.
    choice
        For each number of groups that was tried: `groups`, `log_likelihood` and `bic`, of which
        the smallest was chosen.
    certainty
        Mean probability of the group in which a customer is put.
    by, level, caveats
        What a node is; confidence level of the shares; what a reader must know.
    """

    title: ClassVar[str] = "Personas"

    table: Table
    distinctive: Table
    choice: Table
    certainty: float
    by: str
    level: float
    caveats: tuple[str, ...]

    def labels(self) -> dict[str, str]:
        """Return the persona of each customer, by id, for `log.with_attribute("persona", ...)`.

        Raises
        ------
        InvalidValue
            If the result was read from a dictionary.
        """
        names = [str(name) for name in self.table["persona"]]
        return {one: name for name in names for one in self.customers(name, outcome="any")}

    def plot(
        self, *, max_rows: int | None = _TOP, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw what is distinctive of each persona: log-odds with twice their standard error.

        Parameters
        ----------
        max_rows
            Only so many values of each persona are drawn, the surest first; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        told = self.distinctive
        place: dict[str, int] = {}
        rows = []
        for i, persona in enumerate(told["persona"]):
            place[str(persona)] = place.get(str(persona), 0) + 1
            if max_rows is None or place[str(persona)] <= max_rows:
                rows.append(i)
        shown = told.take(rows)
        value = np.asarray(shown["log_odds"], dtype=np.float64)
        half = 2 * np.abs(value / np.asarray(shown["z"], dtype=np.float64))
        names = [f"{shown['persona'][i]}: {shown['value'][i]}" for i in range(len(rows))]
        return plot.forest(
            names,
            value,
            value - half,
            value + half,
            reference=0.0,
            label="log-odds against the other customers",
            caption="What each persona has more often than the others, the surest on top.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        if not len(self.table):
            return ("There are no customers with a visit.",)
        return (
            (
                f"A customer is put where the journeys fit best; {self.certainty:.0%} is the mean "
                "probability of that group."
            ),
            (
                f"A group is stable where samples of the customers find {_STABLE:.0%} of it again; "
                "others have no name and should have none."
            ),
            *self.caveats,
        )


def discover(
    journeys: Journeys,
    groups: int | None = None,
    *,
    by: By = "touchpoint",
    most: int = 6,
    level: float = 0.95,
    rng: np.random.Generator | int | None = 0,
) -> Personas:
    """Find groups of customers whose journeys go alike, if there are any.

    Parameters
    ----------
    journeys
        The journeys; all those of a customer count together.
    groups
        How many groups, from 1 to 12; None takes the number with the smallest BIC, which may be 1.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    most
        The largest number of groups to try, from 1 to 12, where `groups` is None.
    level
        Confidence level of the shares, in (0, 1).
    rng
        A generator or a seed, for starts and samples; the same seed gives the same groups.

    Returns
    -------
    Personas
        | column | |
        |---|---|
        | `persona` | the two most distinctive touchpoints; "unnamed 2" where not stable |
        | `customers`, `share`, `low`, `high` | how many, and their share with its interval |
        | `journeys`, `visits` | journeys, and mean visits of one |
        | `stability` | mean Jaccard index with the nearest group of 20 samples, in [0, 1] |
        | `stable` | whether that is at least .75 |

    Raises
    ------
    InvalidValue
        If an argument breaks its rule, or more groups are asked for than there are customers.

    Notes
    -----
    A mixture of Markov chains (Cadez and others 2003): a group is a chain with a beginning, moves
    and ends, converted or dropped, in which one move from each place is added as among all
    customers. Journeys in progress count with the moves that they made, and with no end. It is
    fitted by expectation and maximisation from ten starts; the number of groups is that with the
    smallest BIC (Schwarz 1978). Stability is that of Hennig (2007): customers are drawn with
    replacement, groups are found anew, and each group is held against the nearest. Distinctive is
    what has the largest z of the log-odds with a prior of the pooled shares (Monroe, Colaresi and
    Quinn 2008).

    A persona describes; it does not explain. Outcomes are part of how journeys go, so that
    personas differ in conversion by the way they are made: a test of that difference means nothing.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.personas.discover(journeys, groups=2, by="channel")
    >>> int(found.table["customers"].sum())
    300
    """
    check_journeys(journeys)
    check_level(level)
    rng = check_rng(rng)
    check_count(most, "most", 1, _MOST)
    if groups is not None:
        check_count(groups, "groups", 1, _MOST)
    if journeys.weight is not None:
        raise InvalidValue("personas are groups of customers, and aggregated paths have none")
    counts, customer = _moves(journeys, by)
    if groups is not None and groups > max(len(customer), 1):
        rule = f"be at most the number of customers with a visit, {len(customer)}"
        raise InvalidValue.of("groups", rule, groups)
    tried = [groups] if groups is not None else list(range(1, max(1, min(most, len(customer))) + 1))
    fits = [fit(counts, k, rng, prior=_PRIOR) for k in tried]
    best = fits[int(np.argmin([one.bic for one in fits]))]
    k = best.mass.shape[1]
    group = best.mass.argmax(axis=1)
    order = np.argsort(-np.bincount(group, minlength=k), kind="stable")
    order = order[np.bincount(group, minlength=k)[order] > 0]
    rank = np.full(k, -1)
    rank[order] = np.arange(len(order))
    group = rank[group]
    stability = _stability(counts, group, len(order), rng)
    of_customer = np.full(journeys.log.n_customers, -1, dtype=np.int64)
    of_customer[customer] = group
    of_journey = of_customer[journeys.customer]
    told, names = _described(journeys, by, of_customer, stability)
    n = np.bincount(group, minlength=len(order))
    low, high = wilson_ends(n / max(int(n.sum()), 1), np.full(len(n), float(n.sum())), level=level)
    n_journeys = np.bincount(of_journey[of_journey >= 0], minlength=len(order))
    visits = visits_of(journeys, by)
    n_visits = np.bincount(of_journey[visits.journey], minlength=len(order))
    result = Personas(
        table=Table(
            {
                "persona": tuple(names),
                "customers": n,
                "share": n / max(int(n.sum()), 1),
                "low": low,
                "high": high,
                "journeys": n_journeys,
                "visits": n_visits / np.maximum(n_journeys, 1),
                "stability": stability,
                "stable": stability >= _STABLE,
            },
            formats=dict.fromkeys(("share", "low", "high"), "percent"),
            backend=journeys.log.backend,
        ),
        distinctive=told,
        choice=Table({
            "groups": np.array(tried),
            "log_likelihood": np.array([one.log_likelihood for one in fits]),
            "bic": np.array([one.bic for one in fits]),
        }),
        certainty=float(best.mass.max(axis=1).mean()) if len(customer) else math.nan,
        by=by if isinstance(by, str) else ", ".join(by),
        level=level,
        caveats=_caveats(len(order), stability),
    )  # fmt: skip

    def members(place: int, _: tuple[str, ...], outcome: Ending | None) -> Bools:
        return np.asarray((of_journey == place) & ended(journeys, outcome))

    return with_people(result, journeys, members)


def _caveats(k: int, stability: Floats) -> tuple[str, ...]:
    if k == 0:
        return ()
    if k == 1:
        return ("One group is enough: the journeys do not fall into kinds.",)
    loose = int(np.count_nonzero(stability < _STABLE))
    if loose:
        return (f"{loose} of {k} groups are not stable: do not tell stories of them.",)
    return ()


def _moves(journeys: Journeys, by: By) -> tuple[Counts, Ints]:
    """Return the moves of each customer with a visit, and which customers these are."""
    from scipy.sparse import csr_array

    visits = visits_of(journeys, by)
    width = len(visits.names) + 3
    start = np.ones(len(visits), dtype=np.bool_)
    start[1:] = visits.journey[1:] != visits.journey[:-1]
    known = visits.following >= 0
    source = np.concatenate([np.full(int(start.sum()), len(visits.names)), visits.node[known]])
    target = np.concatenate([visits.node[start], visits.following[known]])
    whose = np.concatenate([visits.journey[start], visits.journey[known]])
    moves, column = distinct(source * width + target)
    customer, row = np.unique(journeys.customer[whose], return_inverse=True)
    matrix = csr_array(
        (np.ones(len(row)), (row, column)), shape=(len(customer), max(len(moves), 1))
    )
    place = np.zeros(1, dtype=np.int64)  # of no move, so that the chain of nobody has a shape
    if len(moves):
        place = np.unique(moves // width, return_inverse=True)[1].astype(np.int64)
    return Counts(moves=matrix, source=place), customer


def _stability(counts: Counts, group: Ints, k: int, rng: np.random.Generator) -> Floats:
    """Return the mean of the largest Jaccard index of each group with those of samples."""
    if k < 2:
        return np.ones(k)
    n = len(group)
    found = np.zeros((_AGAIN, k))
    for line in found:
        drawn = np.unique(rng.integers(0, n, n))
        again = fit(counts.take(drawn), k, rng, starts=3, prior=_PRIOR).mass.argmax(axis=1)
        line[:] = overlap(group[drawn], again, k, k)
    return np.asarray(found.mean(axis=0))


def _described(
    journeys: Journeys, by: By, of_customer: Ints, stability: Floats
) -> tuple[Table, list[str]]:
    """Return what is distinctive of each group, and the names that groups have of it."""
    k = len(stability)
    visits = visits_of(journeys, by)
    group = of_customer[journeys.customer[visits.journey]]
    kinds: list[tuple[str, tuple[Any, ...], Ints, Ints]] = [
        (by if isinstance(by, str) else "node", visits.names, visits.node, group)
    ]
    if by == "touchpoint" and "channel" in journeys.columns.coded:
        channels = visits_of(journeys, "channel")
        of = of_customer[journeys.customer[channels.journey]]
        kinds.append(("channel", channels.names, channels.node, of))
    for name, coded in journeys.log.customer_attributes.items():
        if 1 < len(coded.names) <= 50:
            kinds.append((name, coded.names, np.asarray(coded.codes), of_customer))
    lines: list[list[tuple[Any, ...]]] = [[] for _ in range(k)]
    for what, values, code, of in kinds:
        there = (code >= 0) & (of >= 0)
        count = np.bincount(
            of[there] * len(values) + code[there], minlength=k * len(values)
        ).reshape(k, len(values))
        log_odds, z = _log_odds(count)
        share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
        rest = count.sum(axis=0) - count
        elsewhere = rest / np.maximum(rest.sum(axis=1, keepdims=True), 1)
        for i in range(k):
            best = np.argsort(-z[i], kind="stable")[:_TOP]
            lines[i] += [
                (what, str(values[j]), share[i, j], elsewhere[i, j], log_odds[i, j], z[i, j])
                for j in best.tolist()
                if z[i, j] >= _SURE
            ]
    names = []
    for i in range(k):
        lead = [line[1] for line in lines[i] if line[0] == kinds[0][0]][:2]
        good = k == 1 or stability[i] >= _STABLE
        plain = "all customers" if k == 1 else f"persona {i + 1}"
        name = ", ".join(lead) or plain if good else f"{_OTHER} {i + 1}"
        names.append(name if name not in names else f"{name} ({i + 1})")
    rows = [
        (names[i], *line) for i in range(k) for line in sorted(lines[i], key=lambda one: -one[-1])
    ]
    columns = ("persona", "what", "value", "share", "elsewhere", "log_odds", "z")
    table: dict[str, Any] = {
        name: tuple(row[j] for row in rows) if j < 3 else np.array([row[j] for row in rows], float)
        for j, name in enumerate(columns)
    }
    return Table(table, formats=dict.fromkeys(("share", "elsewhere"), "percent")), names


def _log_odds(count: Ints) -> tuple[Floats, Floats]:
    """Return the log-odds of each value in each group against the rest, and their z."""
    if len(count) == 1:
        return np.zeros(count.shape), np.zeros(count.shape)
    pooled = count.sum(axis=0)
    prior = np.maximum(pooled / max(int(pooled.sum()), 1) * count.shape[1], 1e-9)
    rest = pooled - count
    odds = []
    for part in (count, rest):
        total = part.sum(axis=1, keepdims=True) + prior.sum()
        odds.append(np.log((part + prior) / (total - part - prior)))
    log_odds = odds[0] - odds[1]
    return log_odds, log_odds / np.sqrt(1 / (count + prior) + 1 / (rest + prior))
