"""Journeys: how they are cut from a log, their outcomes, visits and transitions."""

from __future__ import annotations

from cxjourney.journeys._adding import LIMB as LIMB
from cxjourney.journeys._adding import MICRO as MICRO
from cxjourney.journeys._adding import Ages as Ages
from cxjourney.journeys._adding import Analyses as Analyses
from cxjourney.journeys._adding import Analysis as Analysis
from cxjourney.journeys._adding import AuditCounts as AuditCounts
from cxjourney.journeys._adding import Ends as Ends
from cxjourney.journeys._adding import Found as Found
from cxjourney.journeys._adding import Grid as Grid
from cxjourney.journeys._adding import JourneyStatistics
from cxjourney.journeys._adding import Kind as Kind
from cxjourney.journeys._adding import LaterFigures as LaterFigures
from cxjourney.journeys._adding import LifecycleCounts as LifecycleCounts
from cxjourney.journeys._adding import Plan as Plan
from cxjourney.journeys._adding import RetentionCounts as RetentionCounts
from cxjourney.journeys._adding import Settled as Settled
from cxjourney.journeys._adding import Side as Side
from cxjourney.journeys._adding import SilenceCounts as SilenceCounts
from cxjourney.journeys._adding import SpreadSums as SpreadSums
from cxjourney.journeys._adding import Uses as Uses
from cxjourney.journeys._adding import added_uses as added_uses
from cxjourney.journeys._adding import aged as aged
from cxjourney.journeys._adding import ages_of as ages_of
from cxjourney.journeys._adding import analyses_of as analyses_of
from cxjourney.journeys._adding import analyses_read as analyses_read
from cxjourney.journeys._adding import by_unit as by_unit
from cxjourney.journeys._adding import contacts_of_statistics as contacts_of_statistics
from cxjourney.journeys._adding import conversion_later as conversion_later
from cxjourney.journeys._adding import conversion_of_journeys as conversion_of_journeys
from cxjourney.journeys._adding import conversions_of as conversions_of
from cxjourney.journeys._adding import counted_analysis as counted_analysis
from cxjourney.journeys._adding import days_of as days_of
from cxjourney.journeys._adding import exchanged as exchanged
from cxjourney.journeys._adding import grid_notes as grid_notes
from cxjourney.journeys._adding import later_bounds as later_bounds
from cxjourney.journeys._adding import lost_of_journeys as lost_of_journeys
from cxjourney.journeys._adding import low_and_high as low_and_high
from cxjourney.journeys._adding import of_own_bytes as of_own_bytes
from cxjourney.journeys._adding import of_some as of_some
from cxjourney.journeys._adding import outcomes_of as outcomes_of
from cxjourney.journeys._adding import part_of as part_of
from cxjourney.journeys._adding import quick_bytes as quick_bytes
from cxjourney.journeys._adding import settled_customers as settled_customers
from cxjourney.journeys._adding import side_of as side_of
from cxjourney.journeys._adding import sides_of as sides_of
from cxjourney.journeys._adding import spread_of_journeys as spread_of_journeys
from cxjourney.journeys._adding import spread_of_statistics as spread_of_statistics
from cxjourney.journeys._adding import text_of as text_of
from cxjourney.journeys._adding import together as together
from cxjourney.journeys._adding import touches_counted as touches_counted
from cxjourney.journeys._adding import uses_of as uses_of
from cxjourney.journeys._adding import usual_days as usual_days
from cxjourney.journeys._adding import whole_number as whole_number
from cxjourney.journeys._adding import words_of as words_of
from cxjourney.journeys._adding import words_of_money as words_of_money
from cxjourney.journeys._adding import worth_of_conversions as worth_of_conversions
from cxjourney.journeys._arms import UNLIKELY as UNLIKELY
from cxjourney.journeys._arms import Arms as Arms
from cxjourney.journeys._arms import arms_of as arms_of
from cxjourney.journeys._chain_figures import MOST_WITH_DIAGONAL as MOST_WITH_DIAGONAL
from cxjourney.journeys._chain_figures import ChainFigures as ChainFigures
from cxjourney.journeys._chain_figures import chain_figures as chain_figures
from cxjourney.journeys._chain_figures import conversion_rate_of as conversion_rate_of
from cxjourney.journeys._chain_figures import without_buckets as without_buckets
from cxjourney.journeys._checks import check_counted as check_counted
from cxjourney.journeys._checks import check_journeys as check_journeys
from cxjourney.journeys._checks import check_log as check_log
from cxjourney.journeys._checks import check_own_grain as check_own_grain
from cxjourney.journeys._checks import check_source as check_source
from cxjourney.journeys._chosen_rows import chosen_rows as chosen_rows
from cxjourney.journeys._chosen_rows import said as said
from cxjourney.journeys._chosen_rows import says_yes as says_yes
from cxjourney.journeys._graph_building import chain_of as chain_of
from cxjourney.journeys._graph_building import graph_of as graph_of
from cxjourney.journeys._graph_building import journey_graph
from cxjourney.journeys._graph_building import stages_of as stages_of
from cxjourney.journeys._graph_building import stages_of_graph as stages_of_graph
from cxjourney.journeys._graph_statistics import left_out_of_graph as left_out_of_graph
from cxjourney.journeys._inactivity import InactivitySuggestion
from cxjourney.journeys._inactivity import suggest_inactivity as suggest_inactivity
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._kept import kept_rows as kept_rows
from cxjourney.journeys._mean_value import mean_value as mean_value
from cxjourney.journeys._mean_value import mean_value_of_graph as mean_value_of_graph
from cxjourney.journeys._node_waits import NodeWaits as NodeWaits
from cxjourney.journeys._node_waits import waits_of as waits_of
from cxjourney.journeys._outcomes import CONVERTED as CONVERTED
from cxjourney.journeys._outcomes import DROPPED as DROPPED
from cxjourney.journeys._outcomes import IN_PROGRESS as IN_PROGRESS
from cxjourney.journeys._outcomes import OUTCOMES as OUTCOMES
from cxjourney.journeys._outcomes import JourneyRules as JourneyRules
from cxjourney.journeys._outcomes import planned_touchpoints as planned_touchpoints
from cxjourney.journeys._patterns import Pattern, PatternMatch
from cxjourney.journeys._patterns import as_anchors as as_anchors
from cxjourney.journeys._patterns import as_pattern as as_pattern
from cxjourney.journeys._patterns import every_point as every_point
from cxjourney.journeys._patterns import matches_of as matches_of
from cxjourney.journeys._patterns import points_of as points_of
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
from cxjourney.journeys._sharing import FEWEST as FEWEST
from cxjourney.journeys._sharing import few as few
from cxjourney.journeys._sharing import is_few as is_few
from cxjourney.journeys._sharing import shareable as shareable
from cxjourney.journeys._statistics import LeftOut as LeftOut
from cxjourney.journeys._statistics import left_out as left_out
from cxjourney.journeys._statistics import left_out_at as left_out_at
from cxjourney.journeys._statistics import masses_of as masses_of
from cxjourney.journeys._statistics import parts_of as parts_of
from cxjourney.journeys._statistics import statistics_of as statistics_of
from cxjourney.journeys._transition_gaps import TransitionGaps
from cxjourney.journeys._units import bucket_of_each as bucket_of_each
from cxjourney.journeys._units import first_bytes_of as first_bytes_of
from cxjourney.journeys._units import units_of as units_of
from cxjourney.journeys._units import units_of_customers as units_of_customers
from cxjourney.journeys._until import goal_rows as goal_rows
from cxjourney.journeys._until import until_goal_us as until_goal_us
from cxjourney.journeys._until import until_next_us as until_next_us
from cxjourney.journeys._visits import CARRY_CHANNELS as CARRY_CHANNELS
from cxjourney.journeys._visits import By as By
from cxjourney.journeys._visits import Visits as Visits
from cxjourney.journeys._visits import check_grain as check_grain
from cxjourney.journeys._visits import contacts_of as contacts_of
from cxjourney.journeys._visits import grain_codes as grain_codes
from cxjourney.journeys._visits import grain_name as grain_name
from cxjourney.journeys._visits import is_visit as is_visit
from cxjourney.journeys._visits import missing_note as missing_note
from cxjourney.journeys._visits import missing_note_of as missing_note_of
from cxjourney.journeys._visits import missing_note_of_graph as missing_note_of_graph
from cxjourney.journeys._visits import visits_of as visits_of

__all__ = [
    "BySegment",
    "InactivitySuggestion",
    "JourneyStatistics",
    "Journeys",
    "Pattern",
    "PatternMatch",
    "TransitionGaps",
    "journey_graph",
]


def __dir__() -> list[str]:
    return list(__all__)
