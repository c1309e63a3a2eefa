"""`Stage` and `StageModel`: the phases of a journey, in order, and how models map."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import check_names
from cxjourney.domain import _fields
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence


@attrs.frozen(repr=False)
class Stage:
    """A phase of the journey.

    Parameters
    ----------
    name
        The stage's name, not one that the graph keeps for itself.

    Raises
    ------
    InvalidValue
        If the name is not a non-empty str, or is reserved.
    """

    name: str = attrs.field(validator=_fields.is_name("stage"))

    def __repr__(self) -> str:
        return _fields.brief(self)

    def __str__(self) -> str:
        return self.name


def to_stage(value: Stage | str) -> Stage:
    """Return a stage, made of its name if need be."""
    return value if isinstance(value, Stage) else Stage(value)


def _stages(values: Iterable[Stage | str]) -> tuple[Stage, ...]:
    if isinstance(values, str):
        raise InvalidValue.of("stages", "be several stages, not one str", values)
    stages = tuple(to_stage(value) for value in values)
    if not stages:
        raise InvalidValue.of("stages", "hold at least one stage", stages)
    if len(set(stages)) < len(stages):
        raise InvalidValue.of("stages", "differ from each other", [s.name for s in stages])
    return stages


@attrs.frozen
class StageModel:
    """An ordered set of stages.

    `StageModel.FIVE`, `StageModel.FOUR` and `StageModel.THREE` are the usual ones. Models map
    many-to-one, from the finer to the coarser, and never back.

    Parameters
    ----------
    name
        The model's name.
    stages
        The stages, as `Stage` or as names, earliest first.

    Raises
    ------
    InvalidValue
        If there is no stage, or one occurs twice.

    Examples
    --------
    >>> model = StageModel.FIVE
    >>> model.names
    ('awareness', 'consideration', 'purchase', 'retention', 'advocacy')
    >>> model.index("purchase")
    2
    >>> model.mapping_to(StageModel.THREE)["advocacy"]
    'post-purchase'

    A model of one's own, with a mapping of its own:

    >>> own = StageModel("car", ["lead", "test drive", "contract", "service"]).with_mapping(
    ...     StageModel.THREE,
    ...     {
    ...         "lead": "information",
    ...         "test drive": "information",
    ...         "contract": "purchase",
    ...         "service": "post-purchase",
    ...     },
    ... )
    >>> own.mapping_to(StageModel.THREE)["test drive"]
    'information'
    """

    FIVE: ClassVar[StageModel]
    FOUR: ClassVar[StageModel]
    THREE: ClassVar[StageModel]

    name: str = attrs.field(validator=_fields.is_name("stage model"))
    stages: tuple[Stage, ...] = attrs.field(converter=_stages)
    _mappings: tuple[tuple[StageModel, FrozenMapping[str]], ...] = attrs.field(
        default=(), kw_only=True, repr=False
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __contains__(self, stage: object) -> bool:
        return stage in self.stages or stage in self.names

    def stage(self, name: str) -> Stage:
        """Return the stage of this name.

        Raises
        ------
        UnknownName
            If the model has none.
        """
        return self.stages[self.index(name)]

    def index(self, stage: Stage | str) -> int:
        """Return the place of a stage in the order, from 0.

        Raises
        ------
        UnknownName
            If the model has no such stage.
        """
        name = stage.name if isinstance(stage, Stage) else stage
        try:
            return self.names.index(name)
        except ValueError:
            raise UnknownName.among(
                "stage", name, self.names, where=f"stage model {self.name!r}"
            ) from None

    def with_mapping(self, other: StageModel, mapping: Mapping[str, str]) -> StageModel:
        """Return this model with a mapping onto a coarser one.

        Parameters
        ----------
        other
            The model to map onto.
        mapping
            For every stage of this model the stage of `other` that it belongs to.

        Raises
        ------
        UnknownName
            If the mapping names a stage that its model does not have.
        InvalidValue
            If a stage of this model is left out, or the other model already maps onto this one.
        """
        for source, target in mapping.items():
            self.index(source)
            other.index(target)
        left_out = [name for name in self.names if name not in mapping]
        if left_out:
            raise InvalidValue.of(
                "mapping", f"place every stage of {self.name!r}; left out: {left_out}", mapping
            )
        if other._find(self) is not None:
            raise self._one_way(other)
        ordered = FrozenMapping({name: mapping[name] for name in self.names})
        kept = tuple(m for m in self._mappings if not _same(m[0], other))
        return attrs.evolve(self, mappings=(*kept, (other, ordered)))

    def mapping_to(self, other: StageModel) -> Mapping[str, str]:
        """Return the stage of `other` that each stage of this model belongs to.

        Raises
        ------
        InvalidValue
            If the mapping goes the other way only, or there is none.
        """
        if _same(self, other):
            return FrozenMapping({name: name for name in self.names})
        found = self._find(other)
        if found is not None:
            return found
        if other._find(self) is not None:
            raise self._one_way(other)
        raise InvalidValue(
            f"stage model {self.name!r} has no mapping onto {other.name!r}; "
            f"give it one with {self.name}.with_mapping(...)"
        )

    def _find(self, other: StageModel) -> FrozenMapping[str] | None:
        return next((m for model, m in self._mappings if _same(model, other)), None)

    def _one_way(self, other: StageModel) -> InvalidValue:
        finer = other.mapping_to(self)
        parts = {n: [f for f, coarse in finer.items() if coarse == n] for n in self.names}
        stage, several = max(parts.items(), key=lambda item: len(item[1]))
        return InvalidValue(
            f"stages map from {other.name!r} onto {self.name!r} only, not back: "
            f"{stage!r} stands for {' and '.join(map(repr, several))}"
        )


def _same(a: StageModel, b: StageModel) -> bool:
    """Tell whether two models have one name and the same stages, whatever they map onto."""
    return a.name == b.name and a.stages == b.stages


# Verhoef and Lemon (2016) speak of three phases; the finer models split them.
StageModel.THREE = StageModel("three", ("information", "purchase", "post-purchase"))
StageModel.FOUR = StageModel(
    "four", ("awareness", "consideration", "purchase", "after-sales")
).with_mapping(
    StageModel.THREE,
    {
        "awareness": "information",
        "consideration": "information",
        "purchase": "purchase",
        "after-sales": "post-purchase",
    },
)
StageModel.FIVE = (
    StageModel("five", ("awareness", "consideration", "purchase", "retention", "advocacy"))
    .with_mapping(
        StageModel.FOUR,
        {
            "awareness": "awareness",
            "consideration": "consideration",
            "purchase": "purchase",
            "retention": "after-sales",
            "advocacy": "after-sales",
        },
    )
    .with_mapping(
        StageModel.THREE,
        {
            "awareness": "information",
            "consideration": "information",
            "purchase": "purchase",
            "retention": "post-purchase",
            "advocacy": "post-purchase",
        },
    )
)

STANDARD_MODELS = (StageModel.FIVE, StageModel.FOUR, StageModel.THREE)
"""The models of the library, the finest first."""


def standard_model(found: Collection[str]) -> StageModel | None:
    """Return the first standard model that has all these stages; None if none has."""
    return next((model for model in STANDARD_MODELS if set(found) <= set(model.names)), None)


def stage_order(
    found: Collection[str], stages: StageModel | Sequence[str] | None
) -> tuple[str, ...] | None:
    """Return the stages in their order.

    Parameters
    ----------
    found
        The stages that the data have.
    stages
        Their order; None takes the standard model that has all of them.

    Returns
    -------
    tuple of str or None
        None where no order is given and no standard model has all of them.

    Raises
    ------
    UnknownName
        If a stage found is not among `stages`.
    InvalidValue
        If `stages` is neither a model nor names.
    """
    if stages is None:
        model = standard_model(found)
        return None if model is None else model.names
    order = stages.names if isinstance(stages, StageModel) else check_names(stages, "stages")
    for name in found:
        if name not in order:
            raise UnknownName.among("stage", name, order, where="stages")
    return order
