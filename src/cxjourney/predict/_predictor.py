"""A fitted predictor: what comes next of journeys that are still running."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import attrs
import numpy as np

from cxjourney._stats.buckets import share_interval, t_quantile
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, duration_us, optional_duration
from cxjourney._support.words import counted
from cxjourney.domain import CONVERSION, DROPOFF
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import JourneyRules, Journeys, grain_name
from cxjourney.metrics import Estimate
from cxjourney.predict._actions import Acted
from cxjourney.predict._model import Model
from cxjourney.predict._prefixes import Vocabulary, of_customer, prefixes_of
from cxjourney.predict._saved import read, written
from cxjourney.predict._times import CONVERTED, EXITED, SILENT

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.domain import Journey
    from cxjourney.log import InteractionLog
    from cxjourney.predict._actions import Recommendations
    from cxjourney.predict._prefixes import Prefixes, Running

_ROWS = 20_000
_SECOND = 1e6
_ENDS = ("", "_low", "_high")
_FORMATS = {
    **{f"{name}{end}": "percent" for name in ("conversion", "dropoff") for end in _ENDS},
    **{f"next_{end}": "percent" for end in ("probability", "low", "high")},
    **{f"{name}{end}_s": "duration" for name in ("silence", "wait", "remaining") for end in _ENDS},
}


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JourneyPredictor:
    """What comes next of a journey, learned from others; `cxjourney.predict.fit` makes one.

    Attributes
    ----------
    words
        Names of the nodes, and attributes that contexts have.
    rules
        How the journeys were cut that it learned from.
    model
        What it learned.
    acted
        What was done next, for `next_best`.
    facts
        The data window and counts of the card.
    horizon
        Within what time outcomes are asked for, where nothing else is said; None for ever.

    Notes
    -----
    Whoever is asked about is described by the last visits, as many as others with the same say
    something (a context tree, backed off as by Kneser and Ney). The present silence is taken in by
    Bayes' rule: what mostly comes soon is less likely the longer nothing has come. An interval is
    that of the probability or the median, not of the single journey: it says how well it is known,
    by leaving out one bucket of customers after the other.

    References
    ----------
    Chen, S. F. and Goodman, J. (1999). An empirical study of smoothing techniques for language
    modeling. Computer Speech & Language 13, 359-393.

    Teh, Y. W. (2006). A hierarchical Bayesian language model based on Pitman-Yor processes. ACL.
    """

    words: Vocabulary
    rules: JourneyRules
    model: Model
    acted: Acted
    facts: dict[str, Any]
    horizon: timedelta | None = None

    # ------------------------------------------------------------------ asking it

    def predict(
        self,
        prefixes: Running,
        *,
        now: datetime | str | None = None,
        horizon: timedelta | str | None = None,
        level: float = 0.95,
    ) -> Table:
        """Return what comes next of journeys that are still running, one row each.

        Parameters
        ----------
        prefixes
            Typed journeys, one or a list; or those that are in progress of `Journeys`, of a log or
            of a frame with the columns customer, timestamp and touchpoint. Attributes that the
            predictor was fitted with are read from columns of their names.
        now
            The present, from which the silence of each is counted; None means the end of the
            observation, and for typed journeys their last interaction.
        horizon
            Within what time they convert or drop; None takes that of the predictor.
        level
            Confidence level of the intervals, in (0, 1).

        Returns
        -------
        Table
            `node`, `visits`, `silence_s`; `conversion` and `dropoff` [fraction]; `next_touch`, the
            likeliest touch, and `next_probability`; `wait_s`, the median time from now to the next
            touch if one comes; `remaining_s`, the median time from now to the last interaction, 0
            where none is likely; each with `_low` and `_high`; and `journeys`, the like journeys
            behind it. NaN where the journeys that it learned from have no goal or no times.

        Raises
        ------
        InvalidValue
            If prefixes are of another kind, or `now` lies before a last interaction.

        Examples
        --------
        >>> import cxjourney as cx
        >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
        >>> predictor = cx.predict.fit(journeys)
        >>> running = predictor.predict(journeys, horizon="7d")
        >>> running.row(0)["node"], round(running.row(0)["conversion"], 2)
        ('cart', 0.29)
        """
        found = self._prefixes(prefixes, now)
        within = self.horizon if horizon is None else optional_duration(horizon, "horizon")
        parts = [
            self._columns(found.take(rows), within, check_level(level))
            for rows in _blocks(len(found))
        ]
        return Table(
            {name: _joined([part[name] for part in parts]) for name in parts[0]}, formats=_FORMATS
        )

    def next_touch(self, prefixes: Running, *, now: datetime | str | None = None) -> Table:
        """Return the probability of each next touch, one row a prefix and one column a name.

        Parameters
        ----------
        prefixes, now
            As in `predict`.

        Returns
        -------
        Table
            The nodes, then `cxjourney.CONVERSION` and `cxjourney.DROPOFF`; each row sums to 1.

        Raises
        ------
        InvalidValue
            As in `predict`.
        """
        found = self._prefixes(prefixes, now)
        p = np.concatenate([self._next(found.take(rows)) for rows in _blocks(len(found))])
        names = (*self.words.names, CONVERSION, DROPOFF)
        return Table(
            {name: p[:, i] for i, name in enumerate(names)}, formats=dict.fromkeys(names, "percent")
        )

    def of(
        self,
        prefix: Journey | InteractionLog | Journeys,
        *,
        customer: str | None = None,
        now: datetime | str | None = None,
        horizon: timedelta | str | None = None,
        level: float = 0.95,
    ) -> dict[str, Estimate]:
        """Return what comes next of one journey, as estimates.

        Parameters
        ----------
        prefix
            A typed journey; or a log or journeys, of which `customer` is asked for.
        customer
            Id of the customer.
        now, horizon, level
            As in `predict`.

        Returns
        -------
        dict of str to Estimate
            "conversion", "dropoff", "next touch", "wait" and "remaining"; the likeliest touch is
            in the definition of "next touch".

        Raises
        ------
        InvalidValue
            If not exactly one journey is in progress.
        UnknownName
            If there is no such customer.

        Examples
        --------
        >>> import cxjourney as cx
        >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
        >>> predictor = cx.predict.fit(journeys)
        >>> some = [cx.Interaction(customer="new", touchpoint="cart", timestamp=when)
        ...         for when in [journeys.log.observed_until]]
        >>> new = cx.Journey(customer="new", interactions=some, outcome="in_progress")
        >>> sorted(predictor.of(new))
        ['conversion', 'dropoff', 'next touch', 'remaining', 'wait']
        """
        from cxjourney.log import InteractionLog

        running: Any = prefix
        if customer is not None:
            if isinstance(running, InteractionLog):
                running = running.filter(customers=[customer])
            elif isinstance(running, Journeys):
                running = of_customer(running, customer)
        table = self.predict(running, now=now, horizon=horizon, level=level)
        if len(table) != 1:
            rule = "hold exactly one journey in progress: name its customer"
            raise InvalidValue.of("prefix", rule, counted(len(table), "journey"))
        row: dict[str, Any] = table.row(0)
        within = self.horizon if horizon is None else optional_duration(horizon, "horizon")
        until = "" if within is None else f" within {within}"
        told = {
            "conversion": ("conversion", "", "fraction", f"The journey converts{until}"),
            "dropoff": ("dropoff", "", "fraction", f"The journey drops off{until}"),
            "next touch": ("next", "", "fraction", f"The next touch is {row['next_touch']}"),
            "wait": ("wait", "_s", "seconds", "Median time to the next touch, if one comes"),
            "remaining": ("remaining", "_s", "seconds", "Median time to the last interaction"),
        }
        return {
            name: Estimate(
                value=row["next_probability" if stem == "next" else f"{stem}{unit}"],
                low=row[f"{stem}_low{unit}"],
                high=row[f"{stem}_high{unit}"],
                level=level,
                n=row["journeys"],
                unit=kind,
                method="like journeys, delete-a-bucket jackknife",
                name=name,
                definition=definition,
            )
            for name, (stem, unit, kind, definition) in told.items()
        }

    def next_best(
        self,
        prefix: Running,
        actions: Any,
        *,
        cost: Any = 0.0,
        value: float | None = None,
        randomised: str | None = None,
        level: float = 0.95,
    ) -> Recommendations:
        """Return what the company can do next for a journey, by expected value less cost.

        Parameters
        ----------
        prefix
            One running journey, as in `predict`.
        actions
            What can be done: names of touchpoints, or pairs (touchpoint, channel).
        cost
            What an action costs [currency], one number or a dict by action.
        value
            What a conversion is worth [currency]; None takes the mean of the journeys that it
            learned from, and 1 where they have no values.
        randomised
            Attribute of interactions or customers that says yes where what followed the
            interaction had been assigned at random. Only such visits are then looked at, and the
            result is an effect. Without it the result is an association.
        level
            Confidence level of the intervals, in (0, 1).

        Returns
        -------
        Recommendations
            `best` is None where fewer than 30 like journeys had an action, or none: too few to say.

        Raises
        ------
        InvalidValue
            If not exactly one journey is running, or an action or a cost is of another kind.
        UnknownName
            If an action is no touchpoint or channel, or `randomised` no attribute that says yes
            or no.
        """
        from cxjourney.predict._actions import next_best

        found = self._prefixes(prefix, None)
        return next_best(
            self, found, actions, cost=cost, value=value, randomised=randomised,
            level=check_level(level),
        )  # fmt: skip

    def simulate(
        self,
        prefixes: Running | None = None,
        n: int = 1,
        rng: np.random.Generator | int | None = 0,
        *,
        now: datetime | str | None = None,
    ) -> InteractionLog:
        """Return interactions as they may come: each prefix goes on n times.

        Parameters
        ----------
        prefixes
            Running journeys, as in `predict`; None begins n new journeys.
        n
            How often each goes on, from 1.
        rng
            A generator, a seed, or None for a fresh one.
        now
            As in `predict`.

        Returns
        -------
        InteractionLog
            What comes from now on, each going on as a customer of its own, "0/0" the first of the
            first prefix. A conversion is the first goal; who drops falls silent. Its end is later
            than every silence.

        Raises
        ------
        InvalidValue
            If `n` is not from 1, or prefixes are of another kind.
        TimesRequired
            If it learned from journeys without times.

        Examples
        --------
        >>> import cxjourney as cx
        >>> predictor = cx.predict.fit(cx.datasets.sample(seed=1, customers=300).journeys())
        >>> predictor.simulate(n=100, rng=1).n_customers
        100
        """
        from cxjourney.predict._simulate import simulated

        return simulated(self, None if prefixes is None else self._prefixes(prefixes, now), n, rng)

    # ------------------------------------------------------------------ what it is

    def card(self) -> dict[str, Any]:
        """Return what a reader must know of the predictor, as a JSON-ready dictionary.

        Returns
        -------
        dict of str
            The data window and counts, the features of contexts with those that are undated (known
            of a customer, nobody says since when, so that they may know the future), the visits
            that each level borrows from the shorter one, and the calibration: how the first two
            thirds of the journeys foretell those that began last.
        """
        words, model = self.words, self.model
        levels = ["node", *words.attributes]
        earlier = [f"{i} before" for i in range(1, words.order)]
        return {
            **self.facts,
            "by": grain_name(words.by),
            "order": words.order,
            "attributes": list(words.attributes),
            "undated_attributes": [name for name, dated in words.dated.items() if not dated],
            "horizon_s": None if self.horizon is None else self.horizon.total_seconds(),
            "next_touch_levels": _strengths([*levels, *earlier], model.next_touch.strength),
            "outcome_levels": _strengths(
                [*levels, "visits so far", *earlier[:2]], model.outcome.strength
            ),
            "randomised": sorted(self.acted.flags),
        }

    def to_bytes(self) -> bytes:
        """Return the predictor as bytes: arrays of numbers, and names as JSON, without ids."""
        return written(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the predictor that `to_bytes` wrote; nothing in the bytes is run.

        Raises
        ------
        InvalidValue
            If the bytes are damaged, or those of something else or of another version.
        """
        return read(cls, data)

    def __repr__(self) -> str:
        facts = self.facts
        return (
            f"JourneyPredictor: {counted(facts['n_journeys'], 'journey')} until "
            f"{facts['until'] or 'nobody knows when'}, {counted(len(self.words.names), 'node')}, "
            f"order {self.words.order}"
        )

    # ------------------------------------------------------------------ for the package

    def _prefixes(self, prefixes: Running, now: datetime | str | None) -> Prefixes:
        return prefixes_of(prefixes, self.words, self.rules, now)

    def _over(self, found: Prefixes) -> Any:
        limit = self.rules.inactivity
        if limit is None:
            return np.zeros(len(found), dtype=np.bool_)
        return found.silence_us >= duration_us(limit)

    def _symbols(self, found: Prefixes) -> tuple[Floats, Floats, list[Ints]]:
        """Return the probability of each symbol now and at the last visit, and the contexts."""
        before, cells = self.model.next_probabilities(found, self.words)
        p = before
        if self.model.waits is not None and found.silence_us.any():
            p = before * self.model.waits.outlasted(
                found.recent[0], found.silence_us, before.shape[1]
            )
            total = p.sum(axis=1, keepdims=True)
            p = p / np.where(total > 0, total, 1.0)
        over = self._over(found)
        p = np.where(over[:, None], 0.0, p)
        p[over, len(self.words.names) + SILENT] = 1.0
        return p, before, cells

    def _next(self, found: Prefixes) -> Floats:
        """Return the probability of nodes, conversion and drop-off next."""
        p, _, _ = self._symbols(found)
        k = len(self.words.names)
        p[:, k + EXITED] += p[:, k + SILENT]
        return p[:, : k + SILENT]

    def _conversion(
        self, found: Prefixes, within: timedelta | None, before: Floats | None = None
    ) -> tuple[Floats, Floats, Floats, Floats, Ints]:
        """Return conversion, drop-off, the share of each within the horizon, trials, journeys."""
        cells = self.model.outcome_cells(found, self.words)
        p = self.model.share(found, self.words, cells=cells, before=before)
        trials, journeys, _ = self.model.outcome_support.at(cells)
        p = np.where(self._over(found), 0.0, p)
        ends = self.model.ends
        soon = late = np.ones(len(found))
        if ends is not None and within is not None:
            state, us = ends.states(found.recent[0]), duration_us(within)
            soon = ends.within(state, found.silence_us, us, way="conversion")
            late = ends.within(state, found.silence_us, us, way="dropoff")
            late = np.where(self._over(found), 1.0, late)
        return p, soon, late, trials, journeys

    def _columns(self, found: Prefixes, within: timedelta | None, level: float) -> dict[str, Any]:
        words, support = self.words, self.model.outcome_support
        quantile = t_quantile(level, np.array(support.freedom))
        now, before, cells = self._symbols(found)
        p, soon, late, trials, journeys = self._conversion(found, within, before)
        low, high = _interval(p, trials, quantile)
        converts = self.model.next_touch.root[len(words.names) + CONVERTED] > 0
        if not converts:
            p, low, high = (np.full(len(found), np.nan) for _ in range(3))
        rest = [1 - x if converts else np.ones(len(found)) for x in (p, high, low)]
        k = len(words.names)
        ended = now[:, k + EXITED] + now[:, k + SILENT]
        touches = np.column_stack([now[:, : k + EXITED], ended])
        best = touches.argmax(axis=1)
        chance = touches[np.arange(len(found)), best]
        next_trials, next_journeys, _ = self.model.next_support.at(cells)
        next_low, next_high = _interval(
            chance, next_trials, t_quantile(level, np.array(self.model.next_support.freedom))
        )
        names = (*words.names, MISSING_NODE)
        told = (*words.names, CONVERSION, DROPOFF)
        columns: dict[str, Any] = {
            "node": [names[code] for code in found.recent[0].tolist()],
            "visits": found.position,
            "silence_s": found.silence_us / _SECOND,
            "conversion": p * soon,
            "conversion_low": low * soon,
            "conversion_high": high * soon,
            "dropoff": rest[0] * late,
            "dropoff_low": rest[1] * late,
            "dropoff_high": rest[2] * late,
            "next_touch": [told[code] for code in best.tolist()],
            "next_probability": chance,
            "next_low": next_low,
            "next_high": next_high,
        }
        columns |= self._times(found, before, next_trials, trials, quantile)
        columns["journeys"] = np.where(journeys > 0, journeys, next_journeys)
        return columns

    def _times(
        self, found: Prefixes, before: Floats, next_trials: Floats, trials: Floats, quantile: Floats
    ) -> dict[str, Floats]:
        """Return the medians of the times to come, and their intervals, by Woodruff's method."""
        waits, ends = self.model.waits, self.model.ends
        out = {}
        for name, m in (("wait", next_trials), ("remaining", trials)):
            half = np.full(len(found), 0.5)
            q = np.column_stack([half, *_interval(half, m, quantile)])
            values = np.full(q.shape, np.nan)
            if waits is not None and name == "wait":
                values = waits.until_touch(found.recent[0], found.silence_us, before, q)
            elif ends is not None and name == "remaining":
                state = ends.states(found.recent[0])
                values = ends.remaining(state, found.silence_us, q)
            for i, end in enumerate(_ENDS):
                out[f"{name}{end}_s"] = values[:, i] / _SECOND
        return out


MISSING_NODE = "(not known)"
"""What stands for a node that the predictor has never seen, and for no visit yet."""


def _interval(share: Floats, trials: Floats, quantile: Floats) -> tuple[Floats, Floats]:
    spread = share * (1 - share) / trials
    return share_interval(share, np.maximum(spread, 1e-300), trials, quantile)


def _blocks(n: int) -> list[Ints]:
    return np.array_split(np.arange(n), max(1, -(-n // _ROWS)))


def _joined(parts: list[Any]) -> Any:
    if isinstance(parts[0], list):
        return [value for part in parts for value in part]
    return np.concatenate(parts)


def _strengths(names: list[str], strength: tuple[float, ...]) -> dict[str, float | None]:
    """Return how many visits each level borrows; None where it is not used."""
    return {
        name: None if one == np.inf else one for name, one in zip(names, strength, strict=False)
    }
