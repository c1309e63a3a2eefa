"""Patterns of journeys: their text form, their automaton, and what is done with a match."""

from __future__ import annotations

from cxjourney.journeys._patterns._explanation import PatternMatch as PatternMatch
from cxjourney.journeys._patterns._methods import WithPatterns as WithPatterns
from cxjourney.journeys._patterns._pattern import Pattern as Pattern
from cxjourney.journeys._patterns._pattern import as_anchors as as_anchors
from cxjourney.journeys._patterns._pattern import as_pattern as as_pattern
from cxjourney.journeys._patterns._pattern import every_point as every_point
from cxjourney.journeys._patterns._pattern import labels_of as labels_of
from cxjourney.journeys._patterns._pattern import matches_of as matches_of
from cxjourney.journeys._patterns._pattern import points_of as points_of
