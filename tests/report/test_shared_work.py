"""Work that the sections of a report share: each figure is computed once."""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
from collections import Counter

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.report import build

# a name for the work, and the function that does it
WORK = {
    "waits": ("cxjourney.journeys._visits", "_waits"),
    "nodes": ("cxjourney.journeys._visits", "coded_visits"),
    "masses": ("cxjourney.journeys._statistics", "_masses"),
    "left out": ("cxjourney._stats.aalen_johansen", "left_out_by_cells"),
    "graph": ("cxjourney.journeys._graph_building", "build_graph"),
    "chain": ("cxjourney.markov._transitions", "read"),
    "prior": ("cxjourney._stats.beta_shrinkage", "beta_prior"),
}


KEPT: list[object] = []  # an id is not given again while its object is alive


def fingerprint(value: object) -> object:
    """Return what is equal for equal arguments; arrays are compared by their bytes."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, hashlib.sha256(value.tobytes()).hexdigest()
    if isinstance(value, cx.Journeys | cx.JourneyGraph):
        KEPT.append(value)
        return id(value)
    if hasattr(value, "codes"):
        return fingerprint(value.codes), value.names
    return repr(value)


class Counted:
    """The calls of functions of the package, by name and by arguments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: Counter[str] = Counter()
        self.same: Counter[tuple[object, ...]] = Counter()
        for name, (module, function) in WORK.items():
            self._count(monkeypatch, name, importlib.import_module(module), function)

    def _count(self, monkeypatch, name, module, function) -> None:
        done = getattr(module, function)

        @functools.wraps(done)
        def counted(*arguments, **options):
            self.calls[name] += 1
            key = (*map(fingerprint, arguments), *((k, fingerprint(v)) for k, v in options.items()))
            self.same[name, *key] += 1
            return done(*arguments, **options)

        for loaded in [m for n, m in sys.modules.items() if n.startswith("cxjourney")]:
            for place, value in list(vars(loaded).items()):
                if value is done:
                    monkeypatch.setattr(loaded, place, counted)


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    build(cx.datasets.sample(seed=5, customers=100).journeys())  # all modules are loaded
    return cx.datasets.sample(seed=5, customers=400).journeys()


def test_one_report_computes_each_figure_once_a_grain(journeys, monkeypatch):
    counted = Counted(monkeypatch)
    build(journeys)
    again = {key[0]: n for key, n in counted.same.items() if n > 1}
    assert again == {}, "the same work was done again"
    grains = 2  # touchpoints for most sections, stages for the journey map
    segments = 2 + 4 + 3  # members or not, regions, and segments of the sample have their own rate
    assert counted.calls["waits"] == 1  # those of segments are looked at in passing
    assert counted.calls["masses"] <= grains + segments
    # transitions, and for bottlenecks how long they took and how many of them have times
    assert counted.calls["left out"] <= 3 * grains + segments
    assert counted.calls["graph"] == grains
    assert counted.calls["chain"] <= grains + segments


def test_a_large_log_is_no_exception(journeys, monkeypatch):
    # above this size visits are not kept, only their nodes and waits
    monkeypatch.setattr("cxjourney.journeys._visits._SMALL", 0)
    large = cx.datasets.sample(seed=5, customers=400).journeys()
    counted = Counted(monkeypatch)
    build(large)
    assert {key[0]: n for key, n in counted.same.items() if n > 1} == {}
