"""Journeys as data frames of the shape that other libraries expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cxjourney._support.validation import check_choice
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._features import Endings
from cxjourney.journeys._outcomes import CONVERTED, DROPPED, OUTCOMES
from cxjourney.kernels import ranges
from cxjourney.log import backend_of, framed

if TYPE_CHECKING:
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By

_SHAPES = ("pm4py", "lifelines", "sts", "spell")


def to_frame(
    journeys: Journeys,
    shape: Literal["pm4py", "lifelines", "sts", "spell"],
    *,
    by: By = "touchpoint",
    backend: str | None = None,
) -> Any:
    """Return the journeys as a data frame of the shape that another library expects.

    Parameters
    ----------
    shape
        "pm4py": one row a visit, with `case:concept:name` (number of the journey), `concept:name`,
        `time:timestamp`, `case:customer` and `case:outcome`. "lifelines": one row a journey, with
        `duration` [days] from its beginning to its end, `event` (1 converted, 2 dropped, 0
        censored) and `converted`. "sts" and "spell": the forms of TraMineR, one row a journey with
        its states in columns "1", "2", …, or one row a run of equal states, with `begin` and `end`
        as positions from 1.
    by
        What a state or an activity is.
    backend
        "pandas", "polars" or "pyarrow"; None takes the input's, else pandas or polars. Hence the
        type of the frame, which depends on what is installed, is Any.

    Returns
    -------
    frame
        Each shape has `journey`, the number of the journey, and `customer`, its id; "pm4py" has
        them as above. The goal or exit that ends a journey is its outcome and no state.

    Raises
    ------
    InvalidValue
        If there is no such shape.
    UnknownName
        If the log has no such column.
    TimesRequired
        If the journeys were made of aggregated paths.
    OutcomeUndetermined
        If "lifelines" is asked for, and nothing tells when a journey without the goal is over.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=100).journeys()
    >>> durations = journeys.to_frame("lifelines", backend="pandas")
    >>> list(durations.columns)
    ['journey', 'customer', 'duration', 'event', 'converted']
    """
    check_choice(shape, "shape", _SHAPES)
    journeys.require_times("to_frame()")
    name = backend_of(backend or journeys.backend)
    number = np.arange(len(journeys.outcome)) if journeys.number is None else journeys.number
    ids = np.array([*journeys.log.customer_ids, None], dtype=object)[journeys.customer]
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - checked above
    if shape == "lifelines":
        journeys.require_determined('to_frame("lifelines")')
        took = (Endings.of(journeys).us - time[journeys.offsets[:-1]]) / 86_400e6
        event = np.select([journeys.outcome == CONVERTED, journeys.outcome == DROPPED], [1, 2], 0)
        of_journeys = {"journey": number, "customer": ids.tolist()}
        ends = {"duration": took, "event": event, "converted": event == 1}
        return framed(of_journeys | ends, name)
    from cxjourney.journeys._visits import grain_codes, is_visit  # which import Journeys

    nodes = grain_codes(journeys.columns, by)
    visit = np.flatnonzero(is_visit(journeys))
    code = nodes.codes[visit].astype(np.int64)
    names = np.array([*map(str, nodes.names), None], dtype=object)
    journey = np.repeat(np.arange(len(number)), journeys.lengths)
    if shape == "pm4py":
        words = np.array([one.value for one in OUTCOMES], dtype=object)
        data = {
            "case:concept:name": number[journey].astype(str).tolist(),
            "concept:name": names[code].tolist(),
            "time:timestamp": time[visit].view("M8[us]"),
            "case:customer": ids[journey].tolist(),
            "case:outcome": words[journeys.outcome[journey]].tolist(),
        }
        return framed(data, name, ("time:timestamp",))
    place = ranges(np.zeros_like(journeys.lengths), journeys.lengths)
    if shape == "sts":
        wide = int(journeys.lengths.max(initial=0))
        if len(number) * wide > 2**30:
            raise InvalidValue.of(
                "shape", f'be "spell" for {len(number):,} journeys of up to {wide:,} visits', shape
            )
        states = np.full((len(number), wide), len(names) - 1, dtype=np.int64)
        states[journey, place] = code
        columns = {str(i + 1): names[states[:, i]].tolist() for i in range(wide)}
        return framed({"journey": number, "customer": ids.tolist()} | columns, name)
    begins = np.flatnonzero((np.diff(journey, prepend=-1) != 0) | (np.diff(code, prepend=-1) != 0))
    ends_at = np.append(begins[1:], len(journey))[: len(begins)] - 1
    spells = {
        "journey": number[journey[begins]],
        "customer": ids[journey[begins]].tolist(),
        "begin": place[begins] + 1,
        "end": place[ends_at] + 1,
        "status": names[code[begins]].tolist(),
    }
    return framed(spells, name)
