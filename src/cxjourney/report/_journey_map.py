"""Journey map: stages by lanes, filled from data, with counts, intervals and assumptions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_flag, check_level, check_names
from cxjourney.domain import JourneyBlueprint, StageModel, check_blueprint
from cxjourney.exceptions import (
    InvalidValue,
    MissingDependency,
    NotAbsorbing,
    OutcomeUndetermined,
    TimesRequired,
    UnknownName,
)
from cxjourney.journeys import check_journeys, shareable
from cxjourney.log import Coded, moment
from cxjourney.report._lanes import LANES, Lane, MapEntry, filled, planned
from cxjourney.report._map_text import map_markdown, map_mermaid
from cxjourney.report._map_views import map_axes, map_html, map_png, map_svg
from cxjourney.report._stages import stages_in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxjourney.critical import CriticalPoints
    from cxjourney.journeys import Journeys

ALL = "all"
OFF_PLAN = "not in the blueprint"


@attrs.frozen(kw_only=True, repr=False)
class JourneyMap(Result):
    """A journey map: what happens in each stage, lane by lane.

    Attributes
    ----------
    name
        What the map is called.
    stages
        The columns, in the order of the journey.
    entries
        What stands in the cells.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    persona
        Whose journeys these are; "" where nobody said.
    since, until
        When the first and the last interaction was; None where there are no times.
    n_journeys
        How many journeys the map is of; 0 for a blueprint.
    """

    title: ClassVar[str] = "Journey map"

    name: str
    stages: tuple[str, ...]
    entries: tuple[MapEntry, ...]
    level: float
    notes: tuple[str, ...]
    persona: str = ""
    since: datetime | None = None
    until: datetime | None = None
    n_journeys: int = 0

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes in which something stands, in order."""
        used = {entry.lane for entry in self.entries}
        return tuple(lane for lane in LANES if lane in used)

    def cell(self, lane: Lane, stage: str) -> tuple[MapEntry, ...]:
        """Return what stands in a cell; nothing where nobody knows.

        Parameters
        ----------
        lane, stage
            The cell.

        Raises
        ------
        UnknownName
            If there is no such lane or stage.
        """
        if lane not in LANES:
            raise UnknownName.among("lane", lane, LANES, where="a journey map")
        if stage not in self.stages:
            raise UnknownName.among("stage", stage, self.stages, where="the map")
        return tuple(e for e in self.entries if e.lane == lane and e.stage == stage)

    def to_html(self, *, beside: JourneyMap | None = None) -> str:
        """Return the map as a picture with its evidence, and below it as a table.

        Parameters
        ----------
        beside
            Another map that is drawn into the same picture, as in `to_svg`.

        Raises
        ------
        InvalidValue
            If `beside` is no journey map.
        MissingDependency
            If jinja2 is not installed.
        """
        return map_html(self, _other(beside))

    def to_svg(self, *, beside: JourneyMap | None = None) -> str:
        """Return the map as an SVG picture that stands by itself.

        Parameters
        ----------
        beside
            Another map that is drawn into the same picture: a later period, another segment, or
            the journey as it was designed. It says where more or fewer leave; in bold where the
            intervals do not overlap.

        Raises
        ------
        InvalidValue
            If `beside` is no journey map.
        """
        return map_svg(self, _other(beside))

    def to_png(self, *, beside: JourneyMap | None = None) -> bytes:
        """Return the map as a PNG picture.

        Parameters
        ----------
        beside
            Another map that is drawn into the same picture, as in `to_svg`.

        Raises
        ------
        InvalidValue
            If `beside` is no journey map.
        MissingDependency
            If matplotlib is not installed.
        """
        return map_png(self, _other(beside))

    def plot(
        self, *, beside: JourneyMap | None = None, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the map.

        Parameters
        ----------
        beside
            Another map that is drawn into the same picture, as in `to_svg`.
        title
            A heading above the picture, which has the name of the map in it.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        InvalidValue
            If `beside` is no journey map.
        MissingDependency
            If matplotlib is not installed.
        """
        return map_axes(self, _other(beside), title=title, ax=ax)

    def to_markdown(self) -> str:
        """Return the map as a Markdown table; assumed entries are in italics."""
        return map_markdown(self)

    def to_mermaid(self) -> str:
        """Return the map as a Mermaid `journey`: its score of 1 to 5 is 3 + 2 × emotion.

        Notes
        -----
        Mermaid knows no missing score: where no emotion is known it says 3, and a comment says so.
        """
        return map_mermaid(self)

    def to_text(self) -> str:
        """Return the map as plain text, stage by stage."""
        lines = []
        for stage in self.stages:
            lines.append(f"[{stage}]")
            for lane in self.lanes:
                said = "; ".join(
                    f"{entry}{'' if entry.basis == 'data' else ' (assumed)'}"
                    for entry in self.cell(lane, stage)
                )
                lines.append(f"  {lane}: {said or '-'}")
        return "\n".join(lines)

    def _table(self) -> Table:
        rows = sorted(self.entries, key=lambda e: (self.stages.index(e.stage), LANES.index(e.lane)))
        return Table(
            {
                "stage": [e.stage for e in rows],
                "lane": [e.lane for e in rows],
                "text": [e.text for e in rows],
                "value": np.array([e.value for e in rows], dtype=np.float64),
                "low": np.array([e.low for e in rows], dtype=np.float64),
                "high": np.array([e.high for e in rows], dtype=np.float64),
                "n": np.array([e.n for e in rows], dtype=np.int64),
                "kind": [e.kind for e in rows],
                "basis": [e.basis for e in rows],
            }
        )

    def _notes(self) -> tuple[str, ...]:
        return self.notes

    def __repr__(self) -> str:
        notes = [f"* {note}" for note in self.notes]
        return "\n".join([self.title, self.to_text(), *notes])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        # what notebooks ask for, in the types of their protocol
        del include, exclude
        try:
            page = self.to_html()
        except MissingDependency:  # without jinja2 a notebook still gets the table
            page = self._repr_html_()
        return {"text/plain": repr(self), "text/html": page}


def journey_map(
    journeys: Journeys | JourneyBlueprint,
    *,
    blueprint: JourneyBlueprint | None = None,
    stages: StageModel | Sequence[str] | None = None,
    actions: str | None = None,
    assumed: Iterable[MapEntry] = (),
    points: CriticalPoints | None = None,
    expected_exits: str | Iterable[str] = (),
    name: str | None = None,
    persona: str | None = None,
    level: float = 0.95,
    share: bool = False,
) -> JourneyMap:
    """Return the journey map: stages × lanes, each cell backed by data or marked as assumed.

    Parameters
    ----------
    journeys
        The journeys. Without stages in the log they come from the blueprint; without one either,
        the map has one column, "all". A blueprint here gives the map as designed, before there are
        data; nothing but `stages`, `assumed`, `name` and `persona` may then be given.
    blueprint
        The journey as designed: what it holds and the data do not show is there as assumed.
    stages
        The order of the stages, as a model or names; None takes that of the blueprint, of the model
        whose stages these are, or the mean place of their visits.
    actions
        Name of an attribute of interactions that says what the customer does.
    assumed
        Further entries, such as what customers think, which no log tells; never marked as data.
    points
        The critical points, where they have been computed; None computes them.
    expected_exits
        Touchpoints at which it is no fault that journeys end: they are neither pain points nor
        opportunities. `points` that are given have their own.
    name
        What the map is called; None means "Journey map", or the name of the blueprint.
    persona
        Whose journeys these are, such as the name of a segment; None takes that of the blueprint.
    level
        Confidence level, in (0, 1).
    share
        Whether it is to leave the house: nothing in it is about fewer than five customers, or all
        but fewer than five, and it knows days, no times of day.

    Returns
    -------
    JourneyMap
        Its frame has one row an entry, with these columns:

        - `stage`, `lane`: where the entry stands;
        - `text`: what it says, or what its number is about;
        - `value`, `low`, `high`: the number with its interval, NaN where there is none;
        - `n`: observations behind it, 0 for what is assumed;
        - `kind`: how the number is shown: "percent", "number", "integer", "duration" or "";
        - `basis`: "data" or "assumed".

    Raises
    ------
    InvalidValue
        If a stage of the log is missing in `stages`, or an assumed entry claims to be data; if
        `share` is asked with `actions` or `points`, which know what may not be shared, of
        aggregated paths, or of too few customers.
    UnknownName
        If the log has no attribute `actions`, no touchpoint has a name in `expected_exits`, or an
        assumed entry stands in an unknown stage.

    Notes
    -----
    Volume is the share of journeys that come by before they end; touchpoints, channels, owners and
    feelings are those of all contacts, the goal and the exit touchpoints among them. Emotion is a
    mean of valences from -1 to 1, the gap is experience minus expectation, waiting the mean time to
    the next interaction of those who came back, drop-off the exit probability of
    `cxjourney.dropoff.exits`. Pain points are touchpoints whose exits are clearly above those of
    their peers, or where customers feel bad (below 0) and worse than elsewhere; moments of truth
    are those that at least 5% of the conversions go through; opportunities are what fixing would
    gain at most: `cxjourney.critical.points` has them all.

    Examples
    --------
    >>> import cxjourney as cx
    >>> paths = [["ad", "web", "cart"], ["web"]]
    >>> journeys = cx.Journeys.from_paths(paths, converted=[30, 5], dropped=[10, 45])
    >>> drawn = cx.report.journey_map(journeys)
    >>> drawn.stages
    ('all',)
    >>> [str(entry) for entry in drawn.cell("touchpoints", "all")]
    ['web n=90', 'ad n=40', 'cart n=40']
    """
    check_level(level)
    check_flag(share, "share")
    extra = _entries(assumed)
    for what, value in (("name", name), ("persona", persona)):
        if not isinstance(value, (str, NoneType)):
            raise InvalidValue.of(what, "be text or None", value)
    if isinstance(journeys, JourneyBlueprint):
        others: dict[str, object] = {
            "blueprint": blueprint,
            "actions": actions,
            "points": points,
            "expected_exits": expected_exits or None,
        }
        _check_left_out("where a blueprint is drawn without journeys", others)
        return _designed(journeys, stages, extra, name=name, persona=persona, level=level)
    check_journeys(journeys)
    if blueprint is not None:
        check_blueprint(blueprint)
    _check_points(points)
    expected = check_names(expected_exits, "expected_exits")
    if share:
        _check_left_out("where share=True", {"actions": actions, "points": points})
        journeys = shareable(journeys)
        expected = tuple(one for one in expected if one in journeys.log.touchpoints)
    staged, order, how = _staged(journeys, blueprint, stages)
    if actions is not None:
        journeys.log.attribute(actions)
    if points is None:
        points = _points(staged, expected, level)
    found, empty = filled(staged, order, actions=actions, points=points, level=level)
    _check_assumed(extra, order)
    if blueprint is not None:
        found += tuple(planned(blueprint, order, found))
    intervals = (
        f"Intervals have a confidence level of {100 * level:g}% and allow for several visits of "
        "one customer; n counts visits, journeys or answers."
    )
    notes = [how, intervals, *empty]
    if points is not None:
        notes.append(
            "Opportunities are upper bounds and not causal, and they do not add up; the gains of "
            "findings are lower, since they are corrected for having been selected."
        )
    else:
        notes.append(
            "Pain points, moments of truth and opportunities need a goal and an inactivity limit."
        )
    time, who = journeys.columns.time, None if blueprint is None else blueprint.persona
    drawn = JourneyMap(
        name="Journey map" if name is None else name,
        stages=order,
        entries=found + extra,
        level=level,
        notes=tuple(notes),
        persona=(who if persona is None else persona) or "",
        since=moment(int(time.min())) if time is not None and len(time) else None,
        until=moment(int(time.max())) if time is not None and len(time) else None,
        n_journeys=len(journeys),
    )
    return by_day(drawn) if share else drawn


def by_day(drawn: JourneyMap) -> JourneyMap:
    """Return a map that knows no times of day, which are those of single customers."""
    since, until = (
        None if at is None else at.replace(hour=0, minute=0, second=0, microsecond=0)
        for at in (drawn.since, drawn.until)
    )
    return attrs.evolve(drawn, since=since, until=until)


def _designed(
    blueprint: JourneyBlueprint,
    stages: StageModel | Sequence[str] | None,
    extra: tuple[MapEntry, ...],
    *,
    name: str | None,
    persona: str | None,
    level: float,
) -> JourneyMap:
    """Return the map of a journey as designed."""
    if stages is None:
        stages = blueprint.stages
    if stages is None:
        stages = [step.stage for step in blueprint.steps if step.stage is not None] or [ALL]
        stages = list(dict.fromkeys(stages))
    order = stages.names if isinstance(stages, StageModel) else check_names(stages, "stages")
    for i, step in enumerate(blueprint.steps):
        if len(order) > 1 and step.stage not in order:
            raise UnknownName.among(f"steps[{i}].stage", str(step.stage), order, where="stages")
    _check_assumed(extra, order)
    return JourneyMap(
        name=blueprint.name if name is None else name,
        stages=order,
        entries=(*planned(blueprint, order, ()), *extra),
        level=level,
        notes=("Everything here is designed; nothing has been observed.",),
        persona=(blueprint.persona if persona is None else persona) or "",
    )


def _check_left_out(where: str, arguments: dict[str, object]) -> None:
    for argument, given in arguments.items():
        if given is not None:
            raise InvalidValue.of(argument, f"be left out {where}", given)


def _check_assumed(extra: tuple[MapEntry, ...], order: tuple[str, ...]) -> None:
    for entry in extra:
        if entry.stage not in order:
            raise UnknownName.among("assumed: stage", entry.stage, order, where="the map")
        if entry.basis != "assumed":
            rule = "hold entries whose basis is 'assumed'"
            raise InvalidValue.of("assumed", rule, entry.basis)


def _other(beside: JourneyMap | None) -> JourneyMap | None:
    if not isinstance(beside, (JourneyMap, NoneType)):
        raise InvalidValue.of("beside", "be a JourneyMap or None", beside)
    return beside


def _entries(assumed: Iterable[MapEntry]) -> tuple[MapEntry, ...]:
    if not isinstance(assumed, Iterable):
        raise InvalidValue.of("assumed", "be a list of MapEntry", assumed)
    entries = tuple(assumed)
    for entry in entries:
        if not isinstance(entry, MapEntry):
            raise InvalidValue.of("assumed", "hold MapEntry only", entry)
    return entries


def _check_points(points: CriticalPoints | None) -> None:
    from cxjourney.critical import CriticalPoints

    if not isinstance(points, (CriticalPoints, NoneType)):
        rule = "be the result of cxjourney.critical.points(journeys), or None"
        raise InvalidValue.of("points", rule, points)


def _points(journeys: Journeys, expected: tuple[str, ...], level: float) -> CriticalPoints | None:
    from cxjourney.critical import points

    if not journeys.rules.goal and journeys.columns.time is not None:
        return None
    try:
        return points(journeys, expected_exits=expected, level=level, rng=0)
    except (NotAbsorbing, OutcomeUndetermined, TimesRequired):
        return None


def _staged(
    journeys: Journeys,
    blueprint: JourneyBlueprint | None,
    stages: StageModel | Sequence[str] | None,
) -> tuple[Journeys, tuple[str, ...], str]:
    """Return journeys whose rows have a stage, the stages in order, and how they came about."""
    if journeys.log.stages:
        if stages is None and blueprint is not None:
            stages = blueprint.stages
        return journeys, *stages_in_order(journeys, stages)
    if blueprint is None or blueprint.stages is None:
        how = "The log has no stages, so everything stands in one column."
        return _with_stages(journeys, {}, ALL), (ALL,), how
    homes: dict[str, str] = {}
    for step in blueprint.steps:
        if step.stage is not None:
            homes.setdefault(step.touchpoint, step.stage)
    staged = _with_stages(journeys, homes, OFF_PLAN)
    off = (OFF_PLAN,) if OFF_PLAN in staged.log.stages else ()
    how = "The log has no stages; touchpoints stand in the stages of the blueprint."
    return staged, (*blueprint.stages.names, *off), how


def _with_stages(journeys: Journeys, homes: dict[str, str], otherwise: str) -> Journeys:
    """Return the journeys with a stage for each row, by its touchpoint."""

    def staged(columns: Any) -> Any:  # any Columns; attrs.evolve gives the same back
        touchpoint = columns.coded["touchpoint"]
        of_each = [homes.get(str(name), otherwise) for name in touchpoint.names]
        names = tuple(dict.fromkeys(of_each))
        codes = np.array([names.index(stage) for stage in of_each], dtype=np.int64)
        stage = Coded(codes[touchpoint.codes], names)
        return attrs.evolve(columns, coded={**columns.coded, "stage": stage})

    log = attrs.evolve(journeys.log, columns=staged(journeys.log.columns))
    return attrs.evolve(journeys, log=log, columns=staged(journeys.columns))
