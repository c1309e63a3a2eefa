"""A metric of another tool, as the how-to shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from cxjourney.metrics import Estimate, all_metrics, pool, proportion


class EscalationRate:
    """Share of contacts that were handed to a supervisor."""

    name: str = "escalation_rate"
    unit: str = "fraction"
    direction: Literal["higher", "lower", "neither"] = "lower"
    definition: str = "contacts handed to a supervisor / contacts"

    def compute(self, escalated: Sequence[bool]) -> Estimate:
        """Return the share of a column of flags."""
        return proportion(
            sum(escalated), len(escalated), name=self.name, definition=self.definition
        )

    def merge(self, parts: Iterable[Estimate]) -> Estimate:
        """Return the share of all parts together, from the counts on their cards."""
        return pool(parts)


metrics = all_metrics(EscalationRate())
rate = EscalationRate()
days = [rate.compute([True, False, False]), rate.compute([False])]
assert rate.merge(days).value == 0.25
assert metrics["escalation_rate"].direction == "lower"
