"""What findings say of real logs: run `python tests/calibration/findings_of_real_logs.py SHARED`.

SHARED is the folder of the data, those of the tests that are marked `shared_data`. The first five
of each log are printed; `docs/explanation/calibration-findings.md` judges them.
"""

from __future__ import annotations

import csv
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cxjourney as cx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxjourney import Findings
    from cxjourney.journeys import Journeys


def shop(data: Path, silence: str | None = None) -> Journeys:
    """Return the simple shop: `lost` ends a journey, or so long a silence does."""
    log = cx.read_csv(
        data / "retentioneering_simple_shop/simple-onlineshop.csv",
        customer="user_id",
        timestamp="timestamp",
        touchpoint="event",
    )
    if silence is None:
        return log.journeys(goal="payment_done", exit_touchpoints=["lost"])
    log = log.filter(touchpoints="lost", invert=True)  # the label was written afterwards
    return log.journeys(goal="payment_done", inactivity=silence)


def incidents(data: Path) -> Journeys:
    """Return the incidents of BPI 2013 by status."""
    log = cx.read_xes(
        data / "bpic2013_incidents/bpic2013_incidents.xes.gz", touchpoint="lifecycle:transition"
    )
    return log.journeys(goal="Closed", all_closed=True)


def cases(file: Path, goal: str, *attributes: str) -> Journeys:
    """Return the closed cases of a log of bupaR."""
    log = cx.read_csv(
        file,
        customer="case_id",
        timestamp="timestamp",
        touchpoint="activity",
        attributes=attributes,
    )
    return log.journeys(goal=goal, all_closed=True)


def pipeline(data: Path) -> Journeys:
    """Return the sales pipeline: engaged, then won or lost."""
    with (data / "maven_crm_pipeline/sales_pipeline.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    table = {name: [row[name] or None for row in rows] for name in rows[0]}
    log = cx.io.from_wide(
        table,
        customer="opportunity_id",
        steps={"engage_date": "engaged", "close_date": cx.io.StepColumn(named_by="deal_stage")},
        timestamp_format="%m/%d/%Y",
        attributes=["product"],
    )
    return log.journeys(goal="Won", exit_touchpoints=["Lost"])


LOGS: dict[str, Callable[[Path], Journeys]] = {
    "simple shop, `lost` ends a journey": shop,
    "simple shop, 27 days of silence end it": lambda data: shop(data, "27d"),
    "simple shop, 2 days of silence end it": lambda data: shop(data, "2d"),
    "incidents of BPI 2013": incidents,
    "traffic fines": lambda data: cases(
        data / "bupar_traffic_fines/traffic_fines.csv.gz", "Payment"
    ),
    "sepsis": lambda data: cases(
        data / "bupar_sepsis/sepsis.csv.gz", "Release A", "infectionsuspected"
    ),
    "sales pipeline": pipeline,
}
SEGMENTS = {"sepsis": ["infectionsuspected"]}  # one case in four begins before it is answered


def first_five(found: Findings) -> Iterator[str]:
    """Yield the first five, then what is worth watching."""
    yield found.headline
    for one in found.sure[:5]:
        gain = f"{one.gain.value:,.0f} [{one.gain.low:,.0f}, {one.gain.high:,.0f}]"
        yield f"  sure: {one.kind} | {one.where} | {one.who} | {one.sentence} Gain {gain}."
    for one in found.watching[:5]:
        yield f"  to watch: {one.kind} | {one.where} | {one.who} | {one.sentence}"
    for name in found.ends["touchpoint"]:
        yield f"  an end: {name}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, made in LOGS.items():
        print(name)
        journeys = made(Path(sys.argv[1]) / "data")
        print("\n".join(first_five(cx.findings(journeys, segments=SEGMENTS.get(name)))))
