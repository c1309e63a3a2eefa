"""Journeys: how they are cut from a log, their outcomes, visits and transitions."""

from __future__ import annotations

from cxjourney.journeys._adding import JourneyStatistics
from cxjourney.journeys._adding import by_unit as by_unit
from cxjourney.journeys._adding import contacts_of_statistics as contacts_of_statistics
from cxjourney.journeys._adding import conversion_later as conversion_later
from cxjourney.journeys._adding import conversions_of as conversions_of
from cxjourney.journeys._adding import grid_notes as grid_notes
from cxjourney.journeys._adding import outcomes_of as outcomes_of
from cxjourney.journeys._adding import touches_counted as touches_counted
from cxjourney.journeys._adding import usual_window_of as usual_window_of
from cxjourney.journeys._adding import worth_of_conversions as worth_of_conversions
from cxjourney.journeys._chain_figures import MOST_WITH_DIAGONAL as MOST_WITH_DIAGONAL
from cxjourney.journeys._chain_figures import ChainFigures as ChainFigures
from cxjourney.journeys._chain_figures import chain_figures as chain_figures
from cxjourney.journeys._chain_figures import conversion_rate_of as conversion_rate_of
from cxjourney.journeys._chain_figures import without_buckets as without_buckets
from cxjourney.journeys._checks import check_counted as check_counted
from cxjourney.journeys._checks import check_journeys as check_journeys
from cxjourney.journeys._checks import check_log as check_log
from cxjourney.journeys._graph_building import chain_of as chain_of
from cxjourney.journeys._graph_building import graph_of as graph_of
from cxjourney.journeys._graph_building import journey_graph
from cxjourney.journeys._graph_statistics import left_out_of_graph as left_out_of_graph
from cxjourney.journeys._inactivity import InactivitySuggestion
from cxjourney.journeys._inactivity import suggest_inactivity as suggest_inactivity
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._mean_value import mean_value as mean_value
from cxjourney.journeys._mean_value import mean_value_of_graph as mean_value_of_graph
from cxjourney.journeys._outcomes import CONVERTED as CONVERTED
from cxjourney.journeys._outcomes import DROPPED as DROPPED
from cxjourney.journeys._outcomes import IN_PROGRESS as IN_PROGRESS
from cxjourney.journeys._outcomes import OUTCOMES as OUTCOMES
from cxjourney.journeys._outcomes import JourneyRules as JourneyRules
from cxjourney.journeys._outcomes import planned_touchpoints as planned_touchpoints
from cxjourney.journeys._people import Ending as Ending
from cxjourney.journeys._people import WithPeople as WithPeople
from cxjourney.journeys._people import ended as ended
from cxjourney.journeys._people import visited as visited
from cxjourney.journeys._people import with_people as with_people
from cxjourney.journeys._segments import BySegment
from cxjourney.journeys._segments import SegmentBy as SegmentBy
from cxjourney.journeys._segments import by_segment as by_segment
from cxjourney.journeys._segments import level_of as level_of
from cxjourney.journeys._segments import segments_of as segments_of
from cxjourney.journeys._sequences import Sequences as Sequences
from cxjourney.journeys._sequences import sequences_of as sequences_of
from cxjourney.journeys._sequences import slices_of as slices_of
from cxjourney.journeys._statistics import LeftOut as LeftOut
from cxjourney.journeys._statistics import left_out as left_out
from cxjourney.journeys._statistics import left_out_at as left_out_at
from cxjourney.journeys._statistics import masses_of as masses_of
from cxjourney.journeys._statistics import parts_of as parts_of
from cxjourney.journeys._statistics import statistics_of as statistics_of
from cxjourney.journeys._times import TransitionTimes as TransitionTimes
from cxjourney.journeys._times import times_of as times_of
from cxjourney.journeys._times import times_without_buckets as times_without_buckets
from cxjourney.journeys._transition_gaps import TransitionGaps
from cxjourney.journeys._units import units_of as units_of
from cxjourney.journeys._units import units_of_customers as units_of_customers
from cxjourney.journeys._until import until_goal_us as until_goal_us
from cxjourney.journeys._until import until_next_us as until_next_us
from cxjourney.journeys._visits import CARRY_CHANNELS as CARRY_CHANNELS
from cxjourney.journeys._visits import By as By
from cxjourney.journeys._visits import Visits as Visits
from cxjourney.journeys._visits import contacts_of as contacts_of
from cxjourney.journeys._visits import grain_codes as grain_codes
from cxjourney.journeys._visits import grain_name as grain_name
from cxjourney.journeys._visits import missing_note as missing_note
from cxjourney.journeys._visits import missing_note_of as missing_note_of
from cxjourney.journeys._visits import missing_note_of_graph as missing_note_of_graph
from cxjourney.journeys._visits import visits_of as visits_of

__all__ = [
    "BySegment",
    "InactivitySuggestion",
    "JourneyStatistics",
    "Journeys",
    "TransitionGaps",
    "journey_graph",
]


def __dir__() -> list[str]:
    return list(__all__)
