"""A misspelt choice is refused by the name of its argument, with the choice that was meant."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def aliases() -> dict[str, str]:
    """Return the source of every name that stands for some literals, by name."""
    found = {}
    for file in Path(cx.__path__[0]).rglob("*.py"):
        text = file.read_text()
        if not re.search(r"= \(?\s*(Literal|Grain \|)", text):
            continue
        for node in ast.parse(text).body:
            if not isinstance(node, (ast.Assign, ast.AnnAssign)):
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and isinstance(node.value, (ast.Subscript, ast.BinOp)):
                source = ast.unparse(node.value)
                if re.match(r"(Literal|Grain \|)", source):
                    found[target.id] = source
    return found


def choices(annotation: str) -> list:
    """Return the literals of an annotation, those of its aliases too."""
    found = []
    for inner in re.findall(r"Literal\[([^\]]*)\]", annotation):
        found += ast.literal_eval(f"({inner},)")
    for name in re.findall(r"\b[A-Z]\w*\b", annotation):
        if name in aliases():
            found += choices(aliases()[name])
    return list(dict.fromkeys(found))


def arguments():
    """Yield every argument of a public function or method that takes one of a few words.

    Those that are either True or False take no word.
    """
    for module in pkgutil.iter_modules(cx.__path__):
        if module.name.startswith("_") or not module.ispkg:
            continue
        package = importlib.import_module(f"cxjourney.{module.name}")
        for name in package.__all__:
            item = getattr(package, name)
            found = {name: item}
            if inspect.isclass(item):
                found = {f"{name}.{key}": getattr(item, key) for key in vars(item) if key[0] != "_"}
            for label, function in found.items():
                if not inspect.isroutine(function) or label in ELSEWHERE:
                    continue
                for parameter in inspect.signature(function).parameters.values():
                    # a direction is that of a picture, not the one of the metrics of that name;
                    # a mark such as "," cannot be misspelt
                    words = [c for c in choices(str(parameter.annotation)) if isinstance(c, str)]
                    flag = str(parameter.annotation) == "bool"
                    if flag or (words and parameter.name not in {"direction", "decimal"}):
                        case = f"{module.name}.{label}-{parameter.name}"
                        yield pytest.param(label, parameter.name, words, function, id=case)


ELSEWHERE = {
    "JourneyMap.cell",  # takes a lane from a closed list and says which there are
    "JourneyGraph.plot",  # shade= may be a mapping of numbers too
    "Journeys.of_log",  # is log.journeys
    "handoff_loss",  # strata= is also the name of any attribute
}


@cache
def journeys() -> cx.Journeys:
    """Return journeys of the sample, once."""
    return cx.datasets.sample(customers=150).journeys()


HOLDERS = {
    "EmotionCurve": lambda: cx.experience.emotion_curve(journeys()),
    "Feedback": lambda: cx.experience.Feedback.from_frame(
        journeys().log,
        {"id": journeys().log.customer_ids[:1], "when": ["2026-01-01"], "code": ["slow"]},
        customer="id",
        timestamp="when",
        codes="code",
    ),
    "InteractionLog": lambda: journeys().log,
    "JourneyGraph": lambda: journeys().graph(),
    "Journeys": journeys,
    "JourneyStatistics": lambda: journeys().statistics(),
    "PseudonymKey": cx.privacy.PseudonymKey.generate,
    "Report": lambda: cx.report.build(journeys()),
    "Transitions": lambda: cx.omnichannel.transitions(journeys()),
}
BY_KIND = {  # what an argument of a kind may be, where its name does not tell
    "Journeys": journeys,
    "Sequence[str] | Journeys": journeys,
    "InteractionLog": lambda: journeys().log,
    "IdentityLinks": lambda: cx.identity.links(
        {"a": journeys().log.customer_ids[:1], "k": ["z"]}, anonymous="a", known="k"
    ),
    "nx.DiGraph": lambda: journeys().graph(),
    "Mapping[str, Values] | Journeys": journeys,
    "Mapping[str, Values]": lambda: {"a": [*range(12)], "b": [1, 0, 2, 1, 1, 0] * 2},
    "Mapping[str, str": lambda: {"when": "visited"},
    "Mapping[str, Moment]": lambda: {"where": "2026-01-01"},
    "Sequence[StepLike]": lambda: ["app home", "basket"],
    "Drivers": lambda: cx.critical.drivers(
        BY_KIND["Mapping[str, Values]"](), [1, 2, 3, 5, 4, 6] * 2
    ),
    "SurvivalCurve": lambda: cx.metrics.kaplan_meier([timedelta(days=1)], [True]),
    "ArrayLike": lambda: [0],
    "Estimate": lambda: cx.metrics.proportion(3, 7),
    "Sequence[Values]": lambda: [[1, 2, 3], [2, 3, 4]],
}
BY_NAME = {
    "frame": lambda: {"id": ["a"], "when": ["2026-01-01"], "where": ["web"]},
    "customer": lambda: "id",
    "id": lambda: "a",
    "table": lambda: "events",
    "dialect": lambda: "duckdb",
    "timestamp": lambda: "when",
    "touchpoint": lambda: "where",
    "path": lambda: __file__,
    "interactions": list,
    "names": lambda: ["web"],
    "segment": lambda: "region",
    "goal": lambda: journeys().rules.goal,
    "shape": lambda: "sts",
    "touchpoints": lambda: "basket",
    "elapsed": lambda: [timedelta(hours=1)],
    "contacted": lambda: [BEGIN, BEGIN],
    "received": lambda: [BEGIN, BEGIN],
    "responded": lambda: [BEGIN, BEGIN],
    "opened": lambda: [BEGIN, BEGIN],
    "resolved": lambda: [BEGIN, BEGIN],
    "outcome": lambda: [1, 2, 3, 5, 4, 6] * 2,
    "timestamps": lambda: [BEGIN, BEGIN],
    "at": lambda: [BEGIN, BEGIN],
    "observed_until": lambda: BEGIN + timedelta(days=30),
    "target": lambda: timedelta(hours=1),
    "period": lambda: timedelta(days=30),
    "periods": lambda: 2,
    "benchmark": lambda: 0.5,
    "margin": lambda: 10.0,
    "retention": lambda: 0.8,
    "discount": lambda: 0.1,
    "count": lambda: 1,
    "n": lambda: 2,
}


FURTHER = {
    "first_contact_resolution": {"issue": [1, 1]},
    "JourneyStatistics.cohort_retention": {"unit": "week"},
}


def given(parameter: inspect.Parameter):
    """Return a value with which a function comes as far as its choices."""
    for kind, make in BY_KIND.items():
        if str(parameter.annotation).startswith(kind):
            return make()
    return BY_NAME.get(parameter.name, lambda: [1, 1])()


def call(label: str, function, argument: str, value: object):
    owner, _, name = label.rpartition(".")
    parameters = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.name != "self" and p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}
    ]
    if owner and next(iter(inspect.signature(function).parameters)) == "self":
        function = getattr(HOLDERS[owner](), name)
    needed = [p for p in parameters if p.default is p.empty and p.name != argument]
    places = [given(p) for p in needed if p.kind is not p.KEYWORD_ONLY]
    named = {p.name: given(p) for p in needed if p.kind is p.KEYWORD_ONLY}
    return function(*places, **{**named, **FURTHER.get(label, {}), argument: value})


FOUND = list(arguments())
CASES = [case for case in FOUND if case.values[2]]
FLAGS = [case for case in FOUND if not case.values[2]]


def misspelt(word: str) -> str:
    """Return a word without its letter in the middle."""
    middle = len(word) // 2
    return word[:middle] + word[middle + 1 :]


@pytest.mark.parametrize(("label", "argument", "words", "function"), CASES)
def test_a_misspelt_choice_is_answered_with_the_one_that_was_meant(
    label, argument, words, function
):
    meant = max(words, key=len)
    wrong = misspelt(meant)
    with pytest.raises(InvalidValue) as refused:
        call(label, function, argument, wrong)
    message = str(refused.value)
    assert message.startswith(f"{argument} must be one of {words[0]!r}")
    assert f"; got {wrong!r}; did you mean {meant!r}" in message


@pytest.mark.parametrize(("label", "argument", "words", "function"), CASES)
def test_what_is_no_word_is_refused_by_the_name_of_its_argument(label, argument, words, function):
    with pytest.raises(InvalidValue, match=rf"^{argument} must be .*; got 7\b"):
        call(label, function, argument, 7)


@pytest.mark.parametrize(("label", "argument", "words", "function"), FLAGS)
def test_a_flag_is_true_or_false_and_no_word_or_array(label, argument, words, function):
    for wrong in ("no", 1, None, np.array([True, False])):
        with pytest.raises(InvalidValue, match=rf"^{argument} must be True or False; got"):
            call(label, function, argument, wrong)


def test_what_is_said_about_one_of_a_pair_of_grains():
    with pytest.raises(InvalidValue, match=r"^by must be one of .*; got 'stag'; .* 'stage'"):
        journeys().graph(by=("channel", "stag"))
    with pytest.raises(InvalidValue, match=r"^by must be .* a tuple of two of them; got \["):
        journeys().graph(by=["channel", "stage"])
    with pytest.raises(InvalidValue, match=r"^states must be one of .* did you mean 'stage'"):
        cx.attribution.markov(journeys(), states="stge")
