"""Statistics of journeys that add up over disjoint customers, and what is made of them."""

from __future__ import annotations

from cxjourney.journeys._adding._contacts import contacts_of_statistics as contacts_of_statistics
from cxjourney.journeys._adding._edges import edges_of as edges_of
from cxjourney.journeys._adding._finishing import by_unit as by_unit
from cxjourney.journeys._adding._finishing import conversions_of as conversions_of
from cxjourney.journeys._adding._finishing import grid_notes as grid_notes
from cxjourney.journeys._adding._finishing import left_out_of as left_out_of
from cxjourney.journeys._adding._finishing import mean_worth as mean_worth
from cxjourney.journeys._adding._finishing import outcomes_of as outcomes_of
from cxjourney.journeys._adding._finishing import touches_counted as touches_counted
from cxjourney.journeys._adding._finishing import transitions_of as transitions_of
from cxjourney.journeys._adding._finishing import worth_of_conversions as worth_of_conversions
from cxjourney.journeys._adding._journey_statistics import JourneyStatistics as JourneyStatistics
from cxjourney.journeys._adding._later import conversion_later as conversion_later
from cxjourney.journeys._adding._later import usual_window_of as usual_window_of
