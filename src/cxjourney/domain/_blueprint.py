"""`JourneyBlueprint`: the journey as designed, as code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from cxjourney.domain import _blueprint_file, _fields
from cxjourney.domain._channel import Channel
from cxjourney.domain._fields import finite
from cxjourney.domain._stage import Stage, StageModel
from cxjourney.domain._touchpoint import Touchpoint
from cxjourney.exceptions import InvalidValue, UnknownName

if TYPE_CHECKING:
    from os import PathLike


def _name(value: object) -> object:
    """Return the name of a typed object, and anything else as it is: validators judge it."""
    return value.name if isinstance(value, (Channel, Stage, Touchpoint)) else value


def _touchpoint_name(value: Touchpoint | str) -> str:
    return _name(value)  # type: ignore[return-value]  # the validator refuses what is no str


def _stage_name(value: Stage | str) -> str:
    return _name(value)  # type: ignore[return-value]  # the validator refuses what is no str


def _channel_names(value: Iterable[Channel | str] | Channel | str) -> tuple[str, ...]:
    if isinstance(value, (Channel, str)):
        value = (value,)
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise InvalidValue.of("channels", "be names of channels", value)
    names = tuple(_name(item) for item in value)
    for i, name in enumerate(names):
        _fields.is_name(f"channels[{i}]")(None, None, name)  # type: ignore[arg-type]  # by value
        if name in names[:i]:
            raise InvalidValue.of(f"channels[{i}]", "occur once", name)
    return names  # type: ignore[return-value]  # checked above


def _emotion(value: float) -> float:
    return finite(value, "emotion", low=-1, high=1)


@attrs.frozen(repr=False)
class BlueprintStep:
    """A step of the journey as designed.

    Parameters
    ----------
    touchpoint
        Where it happens, as a `Touchpoint` or its name.
    stage
        The stage of the journey that it belongs to, as a `Stage` or its name.
    channels
        The channels in which it may happen; none means any.
    optional
        Whether a journey may leave it out.
    repeatable
        Whether it may come again right after itself.
    emotion
        The valence that a customer shall feel, from -1 (unpleasant) to 1 (pleasant).
    expectation
        The score that a customer shall give, on the scale of the surveys.
    promise
        What is promised here, in words.
    owner
        Who in the company answers for it.
    frontstage
        Whether the customer sees it.

    Raises
    ------
    InvalidValue
        If a field breaks its rule; the message names field, rule and value.

    Examples
    --------
    >>> BlueprintStep("cart", stage="purchase", channels=["web", "app"], repeatable=True)
    BlueprintStep('cart', stage='purchase', channels=('web', 'app'), repeatable=True)
    """

    touchpoint: str = attrs.field(
        converter=_touchpoint_name, validator=_fields.is_name("touchpoint")
    )
    stage: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(_stage_name),
        validator=_fields.is_name("stage", required=False),
        kw_only=True,
    )
    channels: tuple[str, ...] = attrs.field(default=(), converter=_channel_names, kw_only=True)
    optional: bool = attrs.field(default=False, validator=_fields.is_flag, kw_only=True)
    repeatable: bool = attrs.field(default=False, validator=_fields.is_flag, kw_only=True)
    emotion: float | None = attrs.field(
        default=None, converter=attrs.converters.optional(_emotion), kw_only=True
    )
    expectation: float | None = attrs.field(
        default=None, converter=attrs.converters.optional(_fields.expectation), kw_only=True
    )
    promise: str | None = attrs.field(
        default=None, validator=_fields.is_str("promise", required=False), kw_only=True
    )
    owner: str | None = attrs.field(
        default=None, validator=_fields.is_name("owner", required=False), kw_only=True
    )
    frontstage: bool = attrs.field(default=True, validator=_fields.is_flag, kw_only=True)

    def __repr__(self) -> str:
        return _fields.brief(self)


def _steps(values: Iterable[BlueprintStep | str]) -> tuple[BlueprintStep, ...]:
    if isinstance(values, (str, Mapping)) or not isinstance(values, Iterable):
        raise InvalidValue.of("steps", "be several steps", values)
    steps = []
    for i, value in enumerate(values):
        if isinstance(value, str):
            value = BlueprintStep(value)
        if not isinstance(value, BlueprintStep):
            raise InvalidValue.of(f"steps[{i}]", "be a BlueprintStep or a name", value)
        steps.append(value)
    if not steps:
        raise InvalidValue.of("steps", "hold at least one step", tuple(steps))
    return tuple(steps)


def _is_model(_: object, __: object, value: StageModel | None) -> None:
    if value is not None and not isinstance(value, StageModel):
        raise InvalidValue.of("stages", "be a StageModel or None", value)


@attrs.frozen
class JourneyBlueprint:
    """The journey as designed: ordered steps with what they promise.

    Observed journeys are compared with it by `cxjourney.blueprint.fit`, two versions of it by
    `cxjourney.blueprint.diff`. It is kept as a file of JSON or YAML, under version control.

    Parameters
    ----------
    name
        The blueprint's name.
    steps
        The steps in the order of the journey, as `BlueprintStep` or names of touchpoints; a
        touchpoint may come more than once.
    stages
        The stages that the steps belong to; None where stages are not modelled.
    persona
        Whose journey it is.
    scenario
        What the customer wants to get done.

    Raises
    ------
    InvalidValue
        If there is no step, or a field breaks its rule; the message names path and value.
    UnknownName
        If a step is in a stage that the model does not have.

    Examples
    --------
    >>> from cxjourney import JourneyBlueprint, StageModel
    >>> from cxjourney.domain import BlueprintStep
    >>> shop = JourneyBlueprint(
    ...     "shop",
    ...     [
    ...         BlueprintStep("ad", stage="awareness", optional=True),
    ...         BlueprintStep("catalog", stage="consideration", repeatable=True),
    ...         BlueprintStep("cart", stage="purchase", channels=["web", "app"], emotion=0.5),
    ...     ],
    ...     stages=StageModel.FIVE,
    ... )
    >>> shop.touchpoints
    ('ad', 'catalog', 'cart')
    >>> JourneyBlueprint.from_dict(shop.to_dict()) == shop
    True
    """

    name: str = attrs.field(validator=_fields.is_name("name"))
    steps: tuple[BlueprintStep, ...] = attrs.field(converter=_steps)
    stages: StageModel | None = attrs.field(default=None, validator=_is_model, kw_only=True)
    persona: str | None = attrs.field(
        default=None, validator=_fields.is_str("persona", required=False), kw_only=True
    )
    scenario: str | None = attrs.field(
        default=None, validator=_fields.is_str("scenario", required=False), kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        for i, step in enumerate(self.steps):
            if step.stage is None or self.stages is None or step.stage in self.stages:
                continue
            where = f"stage model {self.stages.name!r}"
            raise UnknownName.among(f"steps[{i}].stage", step.stage, self.stages.names, where=where)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def touchpoints(self) -> tuple[str, ...]:
        """The touchpoint of each step, in order."""
        return tuple(step.touchpoint for step in self.steps)

    def labels(self) -> tuple[str, ...]:
        """Return a name of each step: its touchpoint, numbered where that comes again."""
        seen: dict[str, int] = {}
        labels = []
        for name in self.touchpoints:
            seen[name] = seen.get(name, 0) + 1
            labels.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
        return tuple(labels)

    # ------------------------------------------------------------------ as code

    def to_dict(self) -> dict[str, Any]:
        """Return the blueprint as a JSON-ready dictionary with its schema version.

        What is at its default is left out.
        """
        return _blueprint_file.dict_of_blueprint(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the blueprint whose `to_dict` is `data`.

        Raises
        ------
        InvalidValue
            If the dictionary is of another type or schema, or something in it breaks its rule; the
            message names its path, such as `steps[2].emotion`, and the value.
        UnknownName
            If a field or stage is not known.
        """
        return _blueprint_file.blueprint_of_dict(cls, BlueprintStep, data)

    def to_yaml(self) -> str:
        """Return the blueprint as YAML; needs the extra `yaml`.

        Raises
        ------
        MissingDependency
            If the extra is not installed.
        """
        return _blueprint_file.to_yaml(self.to_dict())

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Return the blueprint of a YAML text; needs the extra `yaml`.

        Raises
        ------
        MissingDependency
            If the extra is not installed.
        InvalidValue
            If the text is no YAML mapping, or as in `from_dict`.
        """
        return cls.from_dict(_blueprint_file.mapping_of_yaml(text))

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Self:
        """Return the blueprint of a file: ".json", ".yaml" or ".yml".

        Parameters
        ----------
        path
            The file, in UTF-8.

        Raises
        ------
        InputFileError
            If there is no such file.
        InvalidValue
            If the file has another ending, or as in `from_dict`.
        """
        return cls.from_dict(_blueprint_file.read_mapping(path))

    def write(self, path: str | PathLike[str]) -> None:
        """Write the blueprint to a file: ".json", ".yaml" or ".yml".

        Parameters
        ----------
        path
            The file, written in UTF-8.

        Raises
        ------
        InvalidValue
            If the file has another ending.
        """
        _blueprint_file.write_mapping(self.to_dict(), path)


def check_blueprint(blueprint: JourneyBlueprint, name: str = "blueprint") -> JourneyBlueprint:
    """Return `blueprint` if it is one, else raise InvalidValue that says how to make it."""
    if not isinstance(blueprint, JourneyBlueprint):
        rule = 'be a JourneyBlueprint, as in JourneyBlueprint("shop", ["web", "cart"])'
        raise InvalidValue.of(name, rule, blueprint)
    return blueprint
