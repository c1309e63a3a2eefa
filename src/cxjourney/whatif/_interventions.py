"""Scenarios of one change: fewer leave, touchpoints close or are skipped, customers are led on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack, overload

from cxjourney.whatif._changes import Bypass, ReduceExit, Remove, Reroute
from cxjourney.whatif._model import check_source
from cxjourney.whatif._scenario import Scenario, changed, names_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import By, BySegment, Journeys, JourneyStatistics, SegmentBy
    from cxjourney.whatif._model import ModelOptions


@overload
def reduce_exit(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    touchpoint: str,
    relative: float = 0.1,
    *,
    to: str | None = None,
    segment: None = None,
    **options: Unpack[ModelOptions],
) -> Scenario: ...
@overload
def reduce_exit(
    journeys: Journeys,
    touchpoint: str,
    relative: float = 0.1,
    *,
    to: str | None = None,
    segment: SegmentBy,
    **options: Unpack[ModelOptions],
) -> BySegment[Scenario]: ...
def reduce_exit(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    touchpoint: str,
    relative: float = 0.1,
    *,
    to: str | None = None,
    by: By | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Scenario | BySegment[Scenario]:
    """Return what would happen if fewer left at a touchpoint.

    Parameters
    ----------
    journeys
        The journeys, or their graph.
    touchpoint
        Where fewer leave.
    relative
        Share of the exits there that is prevented, in [0, 1].
    to
        Where those go who are kept: a touchpoint or `cxjourney.CONVERSION`; None spreads them
        over where the others go.
    by, level, segment
        As in `baseline`.

    Returns
    -------
    Scenario
        NaN where everybody leaves and `to` does not say where they go instead.

    Raises
    ------
    InvalidValue
        If `relative` is not in [0, 1].
    UnknownName
        If a touchpoint is not in the chain.

    Notes
    -----
    With `t = δ e / (1 - e)`: `p' = p + v_x t h_x / (1 - t (N_xx - 1))`. It assumes that who
    is kept does as those who stay on their own. They are usually weaker prospects: an upper
    bound, and no causal claim. A change of several touchpoints is solved anew, not added up.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {
    ...         (cx.START, "web"): 100,
    ...         ("web", "cart"): 50,
    ...         ("web", cx.DROPOFF): 50,
    ...         ("cart", cx.CONVERSION): 40,
    ...         ("cart", cx.DROPOFF): 10,
    ...     }
    ... )
    >>> scenario = cx.whatif.reduce_exit(graph, "web", 0.1)
    >>> round(scenario.base.value, 6), round(scenario.conversion.value, 6)
    (0.4, 0.44)
    >>> round(scenario.remove("cart").conversion.value, 6)
    0.0
    """
    change = ReduceExit(touchpoint, relative, to)
    return changed(journeys, change, by=by, level=level, segment=segment)


@overload
def remove(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    touchpoints: str | Collection[str],
    *,
    segment: None = None,
    **options: Unpack[ModelOptions],
) -> Scenario: ...
@overload
def remove(
    journeys: Journeys,
    touchpoints: str | Collection[str],
    *,
    segment: SegmentBy,
    **options: Unpack[ModelOptions],
) -> BySegment[Scenario]: ...
def remove(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    touchpoints: str | Collection[str],
    *,
    by: By | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Scenario | BySegment[Scenario]:
    """Return what would happen if touchpoints were closed and who comes there were lost.

    Parameters
    ----------
    journeys
        The journeys, or their graph.
    touchpoints
        One, or several that are closed together, such as all of a channel.
    by, level, segment
        As in `baseline`.

    Returns
    -------
    Scenario
        Its change is minus the removal effect, as a share of the conversions.

    Raises
    ------
    UnknownName
        If a touchpoint is not in the chain.

    Notes
    -----
    The pessimistic end: nobody finds another way. The optimistic one is `bypass`.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["ad", "web"], ["web"]], converted=[30, 20], dropped=[20, 30]
    ... )
    >>> cx.whatif.remove(journeys, "ad").conversion.value
    0.25
    """
    check_source(journeys)
    change = Remove(names_of(touchpoints))
    return changed(journeys, change, by=by, level=level, segment=segment)


@overload
def bypass(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    touchpoints: str | Collection[str],
    *,
    segment: None = None,
    **options: Unpack[ModelOptions],
) -> Scenario: ...
@overload
def bypass(
    journeys: Journeys,
    touchpoints: str | Collection[str],
    *,
    segment: SegmentBy,
    **options: Unpack[ModelOptions],
) -> BySegment[Scenario]: ...
def bypass(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    touchpoints: str | Collection[str],
    *,
    by: By | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Scenario | BySegment[Scenario]:
    """Return what would happen if touchpoints were skipped: who came there goes on at once.

    Parameters
    ----------
    journeys
        The journeys, or their graph.
    touchpoints
        One, or several that are skipped together.
    by, level, segment
        As in `baseline`.

    Returns
    -------
    Scenario
        Conversion stays as it is, contacts are saved.

    Raises
    ------
    UnknownName
        If a touchpoint is not in the chain.

    Notes
    -----
    The stochastic complement (Meyer 1989). It keeps the exits: who left there leaves before. To
    prevent those as well, use `reduce_exit` first.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["ad", "web"], ["web"]], converted=[30, 20], dropped=[20, 30]
    ... )
    >>> without = cx.whatif.bypass(journeys, "ad")
    >>> without.conversion.value, round(without.contacts.value, 6)
    (0.5, -50.0)
    """
    check_source(journeys)
    change = Bypass(names_of(touchpoints))
    return changed(journeys, change, by=by, level=level, segment=segment)


@overload
def reroute(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    source: str,
    target: str,
    share: float = 0.1,
    *,
    at: str | None = None,
    segment: None = None,
    **options: Unpack[ModelOptions],
) -> Scenario: ...
@overload
def reroute(
    journeys: Journeys,
    source: str,
    target: str,
    share: float = 0.1,
    *,
    at: str | None = None,
    segment: SegmentBy,
    **options: Unpack[ModelOptions],
) -> BySegment[Scenario]: ...
def reroute(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    source: str,
    target: str,
    share: float = 0.1,
    *,
    at: str | None = None,
    by: By | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Scenario | BySegment[Scenario]:
    """Return what would happen if customers came to one touchpoint instead of another.

    Parameters
    ----------
    journeys
        The journeys, or their graph.
    source
        Where they would come: a touchpoint, `cxjourney.CONVERSION` or `cxjourney.DROPOFF`.
    target
        Where they come instead: the same.
    share
        Share of the arrivals at `source` that comes to `target`, in [0, 1].
    at
        Only who comes from there is led elsewhere: a touchpoint or `cxjourney.START`.
    by, level, segment
        As in `baseline`.

    Returns
    -------
    Scenario

    Raises
    ------
    InvalidValue
        If `share` is not in [0, 1], both places are the same, or nobody comes to `source`.
    UnknownName
        If a touchpoint is not in the chain.

    Notes
    -----
    It assumes that who is led there does as those who come on their own: a call that is led to
    the chat is as easily solved there as the chats are.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["call"], ["chat"]], converted=[20, 30], dropped=[30, 20]
    ... )
    >>> round(cx.whatif.reroute(journeys, "call", "chat", 0.5).conversion.value, 6)
    0.55
    """
    change = Reroute(source, target, share, at)
    return changed(journeys, change, by=by, level=level, segment=segment)
