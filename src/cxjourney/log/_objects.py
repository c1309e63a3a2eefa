"""Conversion between typed interactions and the columns of a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from cxjourney._support.strings import canonical
from cxjourney.domain import (
    Account,
    Channel,
    Customer,
    Emotion,
    Interaction,
    Stage,
    Touchpoint,
)
from cxjourney.exceptions import InvalidData, InvalidValue, TimesRequired, UnknownName
from cxjourney.log._columns import Coded, Columns
from cxjourney.log._encode import narrow
from cxjourney.log._ingest import (
    EPOCH,
    MICROSECOND,
    NO_SEQ,
    Intake,
    observation_window,
    on_scale,
    one_currency,
    sort_columns,
)
from cxjourney.log._pseudonyms import refuse_copies
from cxjourney.privacy import check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from cxjourney.log._interaction_log import InteractionLog
    from cxjourney.metrics import Scale
    from cxjourney.privacy import Kind, PseudonymKey

T = TypeVar("T")
L = TypeVar("L", bound="InteractionLog")


@attrs.frozen(kw_only=True)
class Catalogue:
    """The typed objects behind the names of a log, where more than the name is known."""

    touchpoints: Mapping[str, Touchpoint]
    channels: Mapping[str, Channel]

    @classmethod
    def empty(cls) -> Catalogue:
        """Return a catalogue that knows names only."""
        return cls(touchpoints={}, channels={})

    def touchpoint(self, name: str) -> Touchpoint:
        """Return the touchpoint of a name."""
        return self.touchpoints.get(name) or Touchpoint(name)

    def channel(self, name: str) -> Channel:
        """Return the channel of a name."""
        return self.channels.get(name) or Channel(name)


def log_of_interactions(
    cls: type[L],
    interactions: Iterable[Interaction],
    *,
    scale: Scale | None,
    pseudonyms: PseudonymKey | None,
    observed_from: datetime | None,
    observed_until: datetime | None,
) -> L:
    """Return the log of typed interactions; see `InteractionLog.from_interactions`."""
    if not isinstance(interactions, Iterable):
        raise InvalidValue.of("interactions", "be a list of Interactions", interactions)
    items = list(interactions)
    for position, item in enumerate(items):
        if not isinstance(item, Interaction):
            kind = type(item).__name__
            raise InvalidValue.of(f"interactions[{position}]", "be an Interaction", kind)
    if (key := check_key(pseudonyms)) is not None:
        items = _pseudonymous(items, key)
    customers = _one_each("customer", (i.customer for i in items), key=lambda c: c.id)
    _one_each(
        "frontstage of touchpoint", (_named(i.touchpoint) for i in items), key=lambda t: t.name
    )
    channels = _one_each("channel", (i.channel for i in items if i.channel), key=lambda c: c.name)
    columns, ids, _, out_of_order = sort_columns(
        _in_order_of_appearance([i.customer.id for i in items]),
        np.array([(i.timestamp - EPOCH) // MICROSECOND for i in items], dtype=np.int64),
        seq=_sequence_numbers(items),
        coded=_coded(items),
        numeric=on_scale(_numeric(items), scale),
        attributes=_attributes([i.attributes for i in items]),
    )
    of_customer = [customers[customer] for customer in ids]
    accounts = [c.account for c in of_customer]
    since, until = observation_window(columns.time, observed_from, observed_until, "UTC")
    return cls(
        columns=columns,
        customer_ids=ids,
        account=_in_order_of_appearance(accounts) if any(accounts) else None,
        customer_attributes=_attributes([c.attributes for c in of_customer]),
        catalogue=Catalogue(
            touchpoints={
                i.touchpoint.name: _named(i.touchpoint)
                for i in items
                if not i.touchpoint.frontstage
            },
            channels={
                name: channel for name, channel in channels.items() if channel != Channel(name)
            },
        ),
        currency=one_currency({i.currency for i in items if i.currency is not None}),
        scale=scale,
        key_id=None if key is None else key.key_id,
        observed_from_us=since,
        observed_until_us=until,
        intake=Intake(rows=len(items), out_of_order=out_of_order),
    )


def _pseudonymous(items: Sequence[Interaction], key: PseudonymKey) -> list[Interaction]:
    """Return interactions with pseudonyms for ids, customer by customer in the order of these."""
    customers = _one_each("customer", (i.customer for i in items), key=lambda c: c.id)
    ids = _in_order_of_appearance([i.customer.id for i in items])
    refuse_copies(
        _attributes([i.attributes for i in items]),
        customer=ids,
        journey=_in_order_of_appearance([i.journey for i in items]),
        issue=_in_order_of_appearance([i.issue for i in items]),
    )
    of_customers = _attributes([customers[name].attributes for name in ids.names])
    refuse_copies(of_customers, customer=Coded(np.arange(len(ids.names)), ids.names))

    def renamed(names: Iterable[str | None], kind: Kind) -> dict[Any, Any]:
        distinct = [name for name in dict.fromkeys(names) if name is not None]
        found = key.pseudonyms([canonical(name) or name for name in distinct], kind)
        return {None: None, **dict(zip(distinct, found, strict=True))}

    customer = renamed(customers, "customer")
    account = renamed((c.account.id for c in customers.values() if c.account), "account")
    journey = renamed((i.journey for i in items), "journey")
    issue = renamed((i.issue for i in items), "issue")
    new = {
        name: attrs.evolve(
            one,
            id=customer[name],
            account=one.account and attrs.evolve(one.account, id=account[one.account.id]),
        )
        for name, one in customers.items()
    }
    found = [
        attrs.evolve(
            i, customer=new[i.customer.id], journey=journey[i.journey], issue=issue[i.issue]
        )
        for i in items
    ]
    return sorted(found, key=lambda i: i.customer.id)


def interaction_objects(
    columns: Columns,
    customers: Sequence[Customer],
    catalogue: Catalogue,
    currency: str | None,
) -> Iterator[Interaction]:
    """Yield the rows as typed interactions, in the order of the log."""
    if columns.time is None:
        return
    touchpoints = [catalogue.touchpoint(name) for name in columns.coded["touchpoint"].names]
    optional: dict[str, list[Any]] = {
        "channel": _decoded(columns, "channel", catalogue.channel),
        "stage": _decoded(columns, "stage", Stage),
        "owner": _decoded(columns, "owner", str),
        "journey": _decoded(columns, "journey", str),
        "issue": _decoded(columns, "issue", str),
        "score": _known(columns, "score"),
        "expectation": _known(columns, "expectation"),
        "value": _known(columns, "value"),
        "duration": [
            None if us is None else timedelta(microseconds=us)
            for us in _known(columns, "duration_us")
        ],
        "emotion": _emotions(columns),
        "attributes": _attribute_mappings(columns),
    }
    if columns.seq is not None:
        optional["seq"] = [None if s == NO_SEQ else s for s in columns.seq.tolist()]
    if currency is not None:
        optional["currency"] = [None if v is None else currency for v in optional["value"]]
    optional = {name: values for name, values in optional.items() if values}
    rows = zip(
        columns.customer.tolist(),
        columns.coded["touchpoint"].codes.tolist(),
        columns.time.tolist(),
        strict=True,
    )
    for row, (customer, touchpoint, us) in enumerate(rows):
        yield Interaction(
            customer=customers[customer],
            touchpoint=touchpoints[touchpoint],
            timestamp=EPOCH + timedelta(microseconds=us),
            **{name: values[row] for name, values in optional.items()},
        )


def interactions(log: InteractionLog, customer: str | None = None) -> Iterator[Interaction]:
    """Yield the interactions as typed objects, by customer and time.

    Parameters
    ----------
    customer
        Only those of this customer; None yields all.

    Raises
    ------
    UnknownName
        If the log has no such customer.
    TimesRequired
        If the log was made of aggregated paths.
    """
    if log.columns.time is None:
        raise TimesRequired("interactions() needs times; aggregated paths have none")
    columns, numbers = log.columns, range(log.n_customers)
    if customer is not None:
        number = log.customer_number(customer)
        start, stop = columns.offsets[number : number + 2].tolist()
        columns = columns.take(np.arange(start, stop), np.array([0, stop - start]))
        numbers = range(number, number + 1)
    customers = [
        customer_object(n, log.customer_ids, log.account, log.customer_attributes) for n in numbers
    ]
    return interaction_objects(columns, customers, log.catalogue, log.currency)


def customer_number(log: InteractionLog, customer: str) -> int:
    """Return the number under which the columns know a customer.

    Raises
    ------
    UnknownName
        If the log has no such customer. Other ids are not named: they stay out of messages.
    """
    known = log.memo.get(
        "numbers of customers", lambda: {one: n for n, one in enumerate(log.customer_ids)}
    )
    if log.key_id is not None:
        if customer in known:
            return known[customer]
        raise UnknownName(
            "the customer is not in the log, where ids are pseudonyms of key "
            f"{log.key_id}: key.pseudonym(id) gives that of an id"
        )
    # typed customers keep any id that they were given
    number = known.get(str(customer), known.get(canonical(str(customer)) or ""))
    if number is None:
        raise UnknownName(f"customer {customer!r} is not in the log", name=str(customer))
    return number


def customer(log: InteractionLog, customer: str) -> Customer:
    """Return a customer as a typed object, attributes and account included.

    Raises
    ------
    UnknownName
        If the log has no such customer.
    """
    number = log.customer_number(customer)
    return customer_object(number, log.customer_ids, log.account, log.customer_attributes)


def customer_object(
    number: int,
    ids: Sequence[str],
    account: Coded | None,
    attributes: Mapping[str, Coded],
) -> Customer:
    """Return customer `number` of a log as a typed object."""
    known = {
        name: coded.names[coded.codes[number]]
        for name, coded in attributes.items()
        if coded.codes[number] >= 0
    }
    of = None if account is None or account.codes[number] < 0 else account.codes[number]
    return Customer(
        ids[number],
        account=None if of is None or account is None else _account(account.names[of]),
        attributes=known,
    )


def _account(value: Account | str) -> Account:
    return value if isinstance(value, Account) else Account(value)


def _named(touchpoint: Touchpoint) -> Touchpoint:
    """Return the touchpoint without what its interactions already carry."""
    return attrs.evolve(touchpoint, channel=None, stage=None, owner=None)


def _one_each(what: str, objects: Iterable[T], key: Callable[[T], str]) -> dict[str, T]:
    found: dict[str, T] = {}
    for item in objects:
        if found.setdefault(key(item), item) != item:
            if what == "customer":  # whose id is not shown
                raise InvalidData(
                    "a customer is described in two ways: account or attributes differ"
                )
            raise InvalidData(
                f"{what} {key(item)!r} is described in two ways: {found[key(item)]!r} and {item!r}"
            )
    return found


def _in_order_of_appearance(values: Sequence[Any]) -> Coded:
    """Return values as codes into the distinct ones in order of appearance; None is -1."""
    distinct = tuple(v for v in dict.fromkeys(values) if v is not None)
    place: dict[Any, int] = {value: i for i, value in enumerate(distinct)}
    place[None] = -1
    codes = np.fromiter(map(place.__getitem__, values), dtype=np.int32, count=len(values))
    return Coded(codes, distinct)


def _sorted_names(values: Sequence[str | None]) -> Coded:
    distinct = tuple(sorted({v for v in values if v is not None}))
    place: dict[str | None, int] = {value: i for i, value in enumerate(distinct)}
    place[None] = -1
    codes = np.fromiter(map(place.__getitem__, values), dtype=np.int64, count=len(values))
    return Coded(narrow(codes, len(distinct)), distinct)


def _coded(items: Sequence[Interaction]) -> dict[str, Coded]:
    columns: dict[str, list[str | None]] = {
        "channel": [None if i.channel is None else i.channel.name for i in items],
        "stage": [None if i.stage is None else i.stage.name for i in items],
        "owner": [i.owner for i in items],
        "emotion_label": [None if i.emotion is None else i.emotion.label for i in items],
    }
    coded = {"touchpoint": _sorted_names([i.touchpoint.name for i in items])}
    coded |= {name: _sorted_names(v) for name, v in columns.items() if _any_known(v)}
    for name, values in (
        ("journey", [i.journey for i in items]),
        ("issue", [i.issue for i in items]),
    ):
        if _any_known(values):
            coded[name] = _in_order_of_appearance(values)
    return coded


def _any_known(values: Sequence[object]) -> bool:
    return any(value is not None for value in values)


def _numeric(items: Sequence[Interaction]) -> dict[str, NDArray[np.float64]]:
    columns: dict[str, list[float | None]] = {
        "score": [i.score for i in items],
        "expectation": [i.expectation for i in items],
        "value": [i.value for i in items],
        "emotion": [None if i.emotion is None else i.emotion.valence for i in items],
        "arousal": [None if i.emotion is None else i.emotion.arousal for i in items],
        "duration_us": [None if i.duration is None else i.duration // MICROSECOND for i in items],
    }
    return {
        name: np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        for name, values in columns.items()
        if _any_known(values)
    }


def _attributes(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Coded]:
    """Return attribute columns; 1, True and 1.0 stay three values."""
    names = sorted({name for mapping in mappings for name in mapping})
    columns = {}
    for name in names:
        typed = [(type(m[name]), m[name]) if name in m else None for m in mappings]
        coded = _in_order_of_appearance(typed)
        columns[name] = Coded(coded.codes, tuple(value for _, value in coded.names))
    return columns


def _sequence_numbers(items: Sequence[Interaction]) -> NDArray[np.int64] | None:
    if all(i.seq is None for i in items):
        return None
    return np.array([NO_SEQ if i.seq is None else i.seq for i in items], dtype=np.int64)


def _decoded(columns: Columns, name: str, make: Callable[[str], Any]) -> list[Any]:
    if name not in columns.coded:
        return []
    coded = columns.coded[name]
    made = [*(make(value) for value in coded.names), None]
    return [made[code] for code in coded.codes.tolist()]


def _known(columns: Columns, name: str) -> list[Any]:
    if name not in columns.numeric:
        return [None] * len(columns)
    return [None if v != v else v for v in columns.numeric[name].tolist()]  # noqa: PLR0124 - NaN


def _emotions(columns: Columns) -> list[Emotion | None]:
    labels = _decoded(columns, "emotion_label", str) or [None] * len(columns)
    triples = zip(_known(columns, "emotion"), _known(columns, "arousal"), labels, strict=True)
    return [None if v is None else Emotion(v, arousal=a, label=label) for v, a, label in triples]


def _attribute_mappings(columns: Columns) -> list[dict[str, Any]]:
    mappings: list[dict[str, Any]] = [{} for _ in range(len(columns))]
    for name, coded in columns.attributes.items():
        for mapping, code in zip(mappings, coded.codes.tolist(), strict=True):
            if code >= 0:
                mapping[name] = coded.names[code]
    return mappings
