"""Features of journeys up to a cut, and their outcomes after it, for models of other libraries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.validation import check_count, check_duration, check_names, duration_us
from cxjourney._time.timestamps import utc_us
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._outcomes import DROPPED, IN_PROGRESS, OUTCOMES, mask_of
from cxjourney.kernels import ranges
from cxjourney.log import FOREVER, Coded, backend_of, framed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_MOST_COUNTS = 1_000


@attrs.frozen(kw_only=True, eq=False)
class Endings:
    """How and when journeys end.

    Attributes
    ----------
    stop
        The row of the goal or exit that ends each journey; the row after its last one where none.
    us
        When it converted, was lost or was seen last [µs].
    known_us
        When it is known to have ended; never where only what comes later tells.
    """

    stop: Ints
    us: Ints
    known_us: Ints

    @classmethod
    def of(cls, journeys: Journeys) -> Endings:
        rules, time, offsets = journeys.rules, journeys.columns.time, journeys.offsets
        assert time is not None  # noqa: S101 - the caller has refused aggregated paths
        last = offsets[1:] - 1
        stop = np.where(journeys.absorbed, last, offsets[1:])
        if not rules.absorbing:
            goals = np.flatnonzero(mask_of(journeys.columns, rules.goal))
            first = np.append(goals, len(time))[np.searchsorted(goals, offsets[:-1])]
            stop = np.minimum(stop, first)
        until = journeys.log.observed_until_us or 0
        ended = stop < offsets[1:]
        us = time[np.minimum(stop, last)]
        known = np.where(ended, us, FOREVER)
        silent = ~ended & (journeys.outcome == DROPPED)
        if rules.inactivity is not None:
            us = np.where(silent, us + duration_us(rules.inactivity), us)
            known = np.where(silent, us, known)
        if rules.all_closed:  # which is known when the log ends
            us = np.where(silent, np.minimum(us, np.maximum(until, time[last])), us)
        us = np.where(journeys.outcome == IN_PROGRESS, np.maximum(until, time[last]), us)
        return cls(stop=stop, us=us, known_us=known)


def features(
    journeys: Journeys,
    *,
    at: timedelta | datetime | str | None = None,
    prefixes: int | Sequence[int] | None = None,
    counts: By | None = "touchpoint",
    attributes: str | Iterable[str] = (),
    backend: str | None = None,
) -> Any:
    """Return one row a journey, or a prefix of it, of what was stamped before a cut.

    Parameters
    ----------
    at
        The cut: a length of time such as "7d" or a timedelta after the beginning of each journey,
        or a moment. Journeys that are known to have ended by then have no row, nor have those
        whose cut lies after the end of the observation. None cuts each journey just before the goal
        or exit that ends it, else after its last interaction.
    prefixes
        Instead of `at`: after how many interactions to cut, one number or several; a journey has a
        row for each number of interactions that it reached before its goal or exit.
    counts
        What is counted a name each, as columns `n_` and the name; None counts no names.
    attributes
        Attributes of interactions, of which the last value before the cut is taken, and of
        customers. What is said of customers has no date: name what was known at the cut.
    backend
        "pandas", "polars" or "pyarrow"; None takes the input's, else pandas or polars. Hence the
        type of the frame, which depends on what is installed, is Any.

    Returns
    -------
    frame
        Who and when, then features, then, in columns that begin with `outcome`, what came after.

        | column | what it is |
        |---|---|
        | `journey`, `customer`, `prefix`, `cut` | number of the journey, id, interactions, moment |
        | `interactions` | number of interactions before the cut |
        | `elapsed_s`, `silence_s` | from the first, and from the last of them to the cut [s] |
        | `touchpoints`, `channels`, `stages` | how many different ones |
        | `first_touchpoint`, `last_touchpoint`, `last_channel`, `last_stage` | their names |
        | `switches` | pairs of consecutive interactions in different channels |
        | `scores`, `score_mean`, `score_last` | answers, their mean, the last one |
        | `value` | value of the interactions [currency of the log] |
        | `earlier_journeys` | of this customer, among these journeys |
        | `n_…` | interactions at each node of `counts` |
        | names of `attributes` | their values |
        | `outcome` | "converted", "dropped" or "in_progress" |
        | `outcome_censored` | whether the outcome is not known: in progress |
        | `outcome_s` | from the cut to the goal, the loss or the end of the observation [s] |

    Raises
    ------
    InvalidValue
        If both `at` and `prefixes` are given, `at` is no length, no moment or lies after the end of
        the observation, a prefix is no number from 1, or more than 1,000 names are to be counted.
    UnknownName
        If there is no such attribute, or the log has no column of `counts`.
    TimesRequired
        If the journeys were made of aggregated paths.
    OutcomeUndetermined
        If nothing tells when a journey without the goal is over.

    Notes
    -----
    Whatever happens after the cut changes the outcome alone, in rows, columns and values. Three
    choices are the caller's: `attributes` of customers and labels of `journeys.label`, which may
    know the outcome; limits that were chosen by looking at everything, as `gaps=` does; and
    without `at` and `prefixes` the number of interactions, which is that of a journey that is over.
    Split rows for training and testing by customer, and by time.

    A journey lost to silence is lost when the inactivity limit is reached. It has its row as long
    as that was not known at the cut.

    References
    ----------
    Teinemaa et al. (2019), Outcome-oriented predictive process monitoring: review and benchmark.
    ACM TKDD 13(2); van Houwelingen (2007), Dynamic prediction by landmarking in event history
    analysis. Scandinavian Journal of Statistics 34(1).

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=200).journeys()
    >>> week = journeys.features(at="7d", counts="channel")
    >>> sorted(set(week["outcome"]))
    ['converted', 'dropped', 'in_progress']
    """
    journeys.require_times("features()")
    journeys.require_determined("features()")
    name = backend_of(backend or journeys.backend)
    journey, end, cut, prefix = _cuts(journeys, at, prefixes)
    own, time = journeys.offsets[:-1][journey], journeys.columns.time
    assert time is not None  # noqa: S101 - checked above
    lengths = end - own
    out = np.repeat(np.arange(len(journey)), lengths)
    row = np.arange(len(out)) + np.repeat(own - (np.cumsum(lengths) - lengths), lengths)
    ids = np.array([*journeys.log.customer_ids, None], dtype=object)
    number = np.arange(len(journeys.outcome)) if journeys.number is None else journeys.number
    data: dict[str, Any] = {
        "journey": number[journey],
        "customer": ids[journeys.customer[journey]].tolist(),
        **({} if prefix is None else {"prefix": prefix}),
        "cut": cut.view("M8[us]"),
        "interactions": lengths,
        "elapsed_s": (cut - time[own]) / 1e6,
        "silence_s": np.where(lengths > 0, (cut - time[np.maximum(end - 1, own)]) / 1e6, np.nan),
        **_names(journeys, out, row, lengths),
        **_scores(journeys, out, row, len(journey)),
        "earlier_journeys": _earlier(journeys.customer)[journey],
        **_counts(journeys, counts, out, row, len(journey)),
    }
    for attribute in check_names(attributes, "attributes"):
        if attribute in data:
            raise InvalidValue.of("attributes", "not name a feature", attribute)
        data[attribute] = _attribute(journeys, attribute, journey, out, row)
    ending, outcome = Endings.of(journeys), journeys.outcome[journey]
    words = np.array([one.value for one in OUTCOMES], dtype=object)
    data["outcome"] = words[outcome].tolist()
    data["outcome_censored"] = outcome == IN_PROGRESS
    data["outcome_s"] = np.maximum(ending.us[journey] - cut, 0) / 1e6
    return framed(data, name, ("cut",))


def _cuts(
    journeys: Journeys, at: timedelta | datetime | str | None, prefixes: Any
) -> tuple[Ints, Ints, Ints, Ints | None]:
    """Return journey, row after the last one, and moment of each cut, and the prefixes."""
    ending, begin, time = Endings.of(journeys), journeys.offsets[:-1], journeys.columns.time
    assert time is not None  # noqa: S101 - the caller has checked it
    if prefixes is not None:
        if at is not None:
            raise InvalidValue.of("at", "be left out beside prefixes", at)
        several = isinstance(prefixes, Iterable) and not isinstance(prefixes, str)
        given = prefixes if several else [prefixes]
        lengths = sorted({check_count(k, "prefixes") for k in given})
        reached = [np.flatnonzero(ending.stop - begin >= k) for k in lengths]
        journey = np.concatenate([np.zeros(0, dtype=np.int64), *reached])
        prefix = np.repeat(np.array(lengths, dtype=np.int64), [len(r) for r in reached])
        order = np.argsort(journey, kind="stable")
        journey, prefix = journey[order], prefix[order]
        end = begin[journey] + prefix
        return journey, end, time[end - 1], prefix
    if at is None:
        journey = np.arange(len(begin))
        return journey, ending.stop, time[np.maximum(ending.stop - 1, begin)], None
    until = journeys.log.observed_until_us or 0
    moment = _moment(journeys, at, until)
    cut = time[begin] + moment if isinstance(moment, _Length) else np.full(len(begin), moment)
    journey = np.flatnonzero((time[begin] < cut) & (ending.known_us >= cut) & (cut <= until))
    cut = cut[journey]
    # rows of a journey are in the order of time: the first one at or after the cut is searched for
    low, high = begin[journey], journeys.offsets[1:][journey]
    while (wide := low < high).any():
        middle = (low + high) // 2
        before = wide & (time[np.minimum(middle, len(time) - 1)] < cut)
        low = np.where(before, middle + 1, low)
        high = np.where(wide & ~before, middle, high)
    return journey, low, cut, None


class _Length(int):
    """A length of time [µs], against a moment."""


def _moment(journeys: Journeys, at: timedelta | datetime | str, until: int) -> int:
    try:
        return _Length(duration_us(check_duration(at, "at")))  # type: ignore[arg-type]
    except InvalidValue:
        pass
    try:
        moment = utc_us(at, "at", journeys.log.intake.tz)  # type: ignore[arg-type]
    except (InvalidValue, TypeError):
        raise InvalidValue.of("at", 'be a length of time such as "7d", or a moment', at) from None
    if moment > until:
        raise InvalidValue.of("at", "not lie after the end of the observation", at)
    return moment


def _names(journeys: Journeys, out: Ints, row: Ints, lengths: Ints) -> dict[str, Any]:
    columns, n = journeys.columns, len(lengths)
    end = np.cumsum(lengths)
    found: dict[str, Any] = {}
    for role in ("touchpoint", "channel", "stage"):
        if role not in columns.coded:
            continue
        coded = columns.coded[role]
        code = coded.codes[row].astype(np.int64)
        known = np.flatnonzero(code >= 0)
        pairs = np.unique(out[known] * np.int64(len(coded.names)) + code[known])
        distinct = np.bincount(pairs // max(len(coded.names), 1), minlength=n)
        found[f"{role}s"] = distinct
        if role == "touchpoint":
            found["first_touchpoint"] = _at(coded, code, end - lengths, lengths)
        found[f"last_{role}"] = _at(coded, code, end - 1, lengths)
        if role == "channel":
            pair = (out[1:] == out[:-1]) & (code[1:] >= 0) & (code[:-1] >= 0)
            switched = np.flatnonzero(pair & (code[1:] != code[:-1]))
            found["switches"] = np.bincount(out[switched], minlength=n)
    return found


def _at(coded: Coded, code: Ints, place: Ints, lengths: Ints) -> list[Any]:
    """Return the name at a place of each output; None where it has no row, or no name there."""
    here = np.append(code, -1)[np.where(lengths > 0, place, len(code))]
    return Coded(here, coded.names).values()


def _scores(journeys: Journeys, out: Ints, row: Ints, n: int) -> dict[str, Any]:
    numeric = journeys.columns.numeric
    found: dict[str, Any] = {}
    if "score" in numeric:
        score = numeric["score"][row]
        known = np.flatnonzero(~np.isnan(score))
        answers = np.bincount(out[known], minlength=n)
        total = np.bincount(out[known], weights=score[known], minlength=n)
        last = np.full(n, np.nan)
        last[out[known]] = score[known]  # the last one stays
        mean = np.divide(total, answers, out=np.full(n, np.nan), where=answers > 0)
        found |= {"scores": answers, "score_mean": mean, "score_last": last}
    if "value" in numeric:
        value = np.nan_to_num(numeric["value"][row])
        found["value"] = np.bincount(out, weights=value, minlength=n)
    return found


def _earlier(customer: Ints) -> Ints:
    """Return how many journeys of its customer stand before each one."""
    starts = np.flatnonzero(np.diff(customer, prepend=-1))
    lengths = np.diff(np.append(starts, len(customer)))
    return ranges(np.zeros_like(lengths), lengths)


def _counts(
    journeys: Journeys, by: By | None, out: Ints, row: Ints, n: int
) -> dict[str, NDArray[np.int64]]:
    if by is None:
        return {}
    from cxjourney.journeys._visits import grain_codes  # which imports Journeys

    nodes = grain_codes(journeys.columns, by, "counts")
    if len(nodes.names) > _MOST_COUNTS:
        rule = f"be of at most {_MOST_COUNTS:,} names, or None"
        raise InvalidValue.of("counts", rule, f"{by} with {len(nodes.names):,}")
    k = len(nodes.names)
    table = np.bincount(out * np.int64(k) + nodes.codes[row], minlength=n * k).reshape(n, k)
    order = sorted(range(k), key=lambda i: str(nodes.names[i]))
    return {f"n_{nodes.names[i]}": table[:, i] for i in order}


def _attribute(journeys: Journeys, name: str, journey: Ints, out: Ints, row: Ints) -> list[Any]:
    """Return the last value of an attribute of interactions, or that of the customer."""
    coded = journeys.columns.attributes.get(name)
    if coded is None:
        of_customer = journeys.log.customer_attributes.get(name)
        if of_customer is not None:
            return Coded(of_customer.codes[journeys.customer[journey]], of_customer.names).values()
        coded = attrs.evolve(journeys.log, columns=journeys.columns).attribute(name)
    code = coded.codes[row]
    known = np.flatnonzero(code >= 0)
    last = np.full(len(journey), -1, dtype=np.int64)
    last[out[known]] = code[known]
    return Coded(last, coded.names).values()
