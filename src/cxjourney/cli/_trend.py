"""`cxjourney trend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxjourney.cli._options import add_command
from cxjourney.cli._printing import print_result, progress

if TYPE_CHECKING:
    import argparse

    from cxjourney._support.result import Result


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "trend",
        _trend,
        brief="follow a figure over time",
        long="Print a figure by period, such as the conversion rate by week, and since when it is "
        "another. Periods that are too young to be judged are held against what earlier ones had "
        "reached at the same age.",
        example="events.csv --goal payment_done --inactivity 30d --figure exit_rate:cart",
    )
    parser.add_argument(
        "--figure",
        required=True,
        metavar="NAME",
        help="conversion_rate, exit_rate, visits_per_journey, value_per_conversion, score, "
        "emotion, journeys, conversions, visits; some can be of a touchpoint, as in exit_rate:cart "
        "and conversion_after:cart",
    )
    parser.add_argument(
        "--by",
        choices=("day", "week", "month", "quarter"),
        default="week",
        help="the length of a period (default: week)",
    )
    parser.add_argument(
        "--segment", metavar="COLUMN", help="one table for each value of this column"
    )


def _trend(arguments: argparse.Namespace) -> None:
    from cxjourney._trend import COUNTED, trend
    from cxjourney.cli._shards import opened_or_counted, opened_whole

    figure, segment = arguments.figure, arguments.segment
    found: Result
    with progress(2, "trend") as begin:
        begin("reading")
        if segment or figure.partition(":")[0] not in COUNTED:
            opened = opened_whole(arguments, [segment] if segment else [])
            begin(figure)
            said = opened.said
            found = trend(opened.journeys, figure, by=arguments.by, segment=segment)
        else:
            counting = {"trend": {"figure": figure, "tz": arguments.tz}}
            given = opened_or_counted(arguments, begin=begin.told, analyses=counting)
            begin(figure)
            said = given.said
            found = trend(given.journeys, figure, by=arguments.by)
    print_result(found, said, json=arguments.json)
