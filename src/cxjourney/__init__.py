"""cxjourney: customer-journey modelling with honest uncertainty.

A customer's contacts become interactions, interactions become journeys with an outcome, journeys
become a NetworkX graph, and analyses return frozen results that say how sure they are.

Names load when they are first used: `import cxjourney` alone loads no other package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxjourney import (
        attribution,
        blueprint,
        compare,
        critical,
        datasets,
        domain,
        dropoff,
        exceptions,
        experience,
        graph,
        io,
        journeys,
        log,
        markov,
        metrics,
        omnichannel,
        plot,
        report,
        sequences,
        whatif,
    )
    from cxjourney._versions import show_versions
    from cxjourney.domain import (
        CONVERSION,
        DROPOFF,
        MISSING,
        START,
        Account,
        Channel,
        ChannelKind,
        Customer,
        Emotion,
        Interaction,
        Journey,
        JourneyBlueprint,
        Outcome,
        Stage,
        StageModel,
        Touchpoint,
    )
    from cxjourney.exceptions import CxJourneyError, CxJourneyWarning
    from cxjourney.graph import JourneyGraph
    from cxjourney.io import from_sequences, from_wide, read_csv, read_parquet, read_xes
    from cxjourney.journeys import Journeys, TransitionGaps, journey_graph
    from cxjourney.log import InteractionLog
    from cxjourney.markov import AbsorbingChain
    from cxjourney.metrics import Estimate

__all__ = [
    "CONVERSION",
    "DROPOFF",
    "MISSING",
    "START",
    "AbsorbingChain",
    "Account",
    "Channel",
    "ChannelKind",
    "Customer",
    "CxJourneyError",
    "CxJourneyWarning",
    "Emotion",
    "Estimate",
    "Interaction",
    "InteractionLog",
    "Journey",
    "JourneyBlueprint",
    "JourneyGraph",
    "Journeys",
    "Outcome",
    "Stage",
    "StageModel",
    "Touchpoint",
    "TransitionGaps",
    "attribution",
    "blueprint",
    "compare",
    "critical",
    "datasets",
    "domain",
    "dropoff",
    "exceptions",
    "experience",
    "from_sequences",
    "from_wide",
    "graph",
    "io",
    "journey_graph",
    "journeys",
    "log",
    "markov",
    "metrics",
    "omnichannel",
    "plot",
    "read_csv",
    "read_parquet",
    "read_xes",
    "report",
    "sequences",
    "show_versions",
    "whatif",
]

# Where each name lives; a module of the package itself stands under its own name.
# The imports above say the same to type checkers, and a test holds the two together.
_HOMES = {
    "attribution": "attribution",
    "blueprint": "blueprint",
    "compare": "compare",
    "critical": "critical",
    "log": "log",
    "journey_graph": "journeys",
    "Journeys": "journeys",
    "InteractionLog": "log",
    "CONVERSION": "domain",
    "DROPOFF": "domain",
    "MISSING": "domain",
    "START": "domain",
    "AbsorbingChain": "markov",
    "Account": "domain",
    "Channel": "domain",
    "ChannelKind": "domain",
    "Customer": "domain",
    "CxJourneyError": "exceptions",
    "CxJourneyWarning": "exceptions",
    "Emotion": "domain",
    "Estimate": "metrics",
    "Interaction": "domain",
    "Journey": "domain",
    "JourneyBlueprint": "domain",
    "JourneyGraph": "graph",
    "Outcome": "domain",
    "Stage": "domain",
    "StageModel": "domain",
    "Touchpoint": "domain",
    "TransitionGaps": "journeys",
    "datasets": "datasets",
    "domain": "domain",
    "dropoff": "dropoff",
    "exceptions": "exceptions",
    "experience": "experience",
    "from_sequences": "io",
    "from_wide": "io",
    "graph": "graph",
    "metrics": "metrics",
    "omnichannel": "omnichannel",
    "plot": "plot",
    "read_csv": "io",
    "read_parquet": "io",
    "read_xes": "io",
    "report": "report",
    "show_versions": "_versions",
    "sequences": "sequences",
    "io": "io",
    "journeys": "journeys",
    "markov": "markov",
    "whatif": "whatif",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("cxjourney")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cxjourney' has no attribute {name!r}")
    module = importlib.import_module(f"cxjourney.{home}")
    value = module if name == home else getattr(module, name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
