"""What takes a log or journeys says so, and how to make them, when it is handed something else."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pandas as pd
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue


def readers():
    """Yield every public function whose first argument is a log, journeys or a graph."""
    for module in pkgutil.iter_modules(cx.__path__):
        if module.name.startswith("_") or not module.ispkg:
            continue
        package = importlib.import_module(f"cxjourney.{module.name}")
        for name in getattr(package, "__all__", ()):
            function = getattr(package, name)
            if inspect.isfunction(function):
                first, *_ = [*inspect.signature(function).parameters.values(), None]
                if first is not None and re.match("Journeys|InteractionLog", str(first.annotation)):
                    yield pytest.param(function, first, id=f"{module.name}.{name}")


def call(function, wrong):
    """Call a function with a wrong first argument, and None for the others that it needs."""
    needed = [
        parameter
        for parameter in [*inspect.signature(function).parameters.values()][1:]
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
    ]
    by_place = [None for p in needed if p.kind is not p.KEYWORD_ONLY]
    return function(wrong, *by_place, **{p.name: None for p in needed if p.kind is p.KEYWORD_ONLY})


KIND = "(Journeys, not|an InteractionLog, not|an InteractionLog or Journeys; got)"
READERS = list(readers())
OF_JOURNEYS = [p for p in READERS if "Log" not in str(p.values[1].annotation)]


@pytest.mark.parametrize(("function", "argument"), READERS)
@pytest.mark.parametrize(
    "wrong",
    [pd.DataFrame({"customer": ["ana"]}), {"customer": ["ana"]}, None, 7],
    ids=["frame", "dict", "none", "number"],
)
def test_what_is_neither_log_nor_journeys_is_refused_by_name(function, argument, wrong):
    with pytest.raises(
        InvalidValue, match=f"^{argument.name} must be {KIND}.*{type(wrong).__name__}"
    ):
        call(function, wrong)


@pytest.mark.parametrize(("function", "argument"), OF_JOURNEYS)
def test_a_log_is_told_to_be_cut_into_journeys(function, argument):
    log = cx.datasets.sample(customers=20).log
    with pytest.raises(
        InvalidValue, match=f"^{argument.name} must be Journeys, not InteractionLog: .*log.journeys"
    ):
        call(function, log)


def test_a_sample_is_asked_for_its_journeys_or_its_log():
    sample = cx.datasets.sample(customers=20)
    with pytest.raises(InvalidValue, match=r"not Sample: hand over what its journeys\(\) returns"):
        cx.dropoff.exits(sample)
    for holder in (sample, sample.journeys()):
        with pytest.raises(InvalidValue, match=r"hand over its \.log$"):
            cx.dropoff.sensitivity(holder, goal="payment_done")
