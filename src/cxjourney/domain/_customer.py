"""`Customer` and `Account`: who makes a journey."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from cxjourney._support.mapping import EMPTY
from cxjourney.domain import _fields
from cxjourney.domain._fields import Attribute, freeze_attributes


@attrs.frozen(repr=False)
class Account:
    """A group of customers that buy together: a company, a household.

    Parameters
    ----------
    id
        Any str that is not blank.
    attributes
        What is known about it: str to str, int, float or bool; read-only from then on.

    Raises
    ------
    InvalidValue
        If the id is blank or not a str, or an attribute is of another type or not finite.
    """

    id: str = attrs.field(validator=_fields.is_id("account"))
    attributes: Mapping[str, Attribute] = attrs.field(default=EMPTY, converter=freeze_attributes)

    def __repr__(self) -> str:
        return _fields.brief(self)


def _to_account(value: Account | str) -> Account:
    return value if isinstance(value, Account) else Account(value)


@attrs.frozen(repr=False)
class Customer:
    """One person, or whatever else is followed through a journey.

    Parameters
    ----------
    id
        Any str that is not blank; "NA" and "007" are ids like others.
    account
        The account that the customer belongs to, as an `Account` or its id.
    attributes
        What is known about the customer: str to str, int, float or bool; read-only from then on.

    Raises
    ------
    InvalidValue
        If an id is blank or not a str, or an attribute is of another type or not finite.

    Examples
    --------
    >>> anna = Customer("anna", account="acme", attributes={"segment": "business", "age": 41})
    >>> anna.account.id, anna.attributes["segment"]
    ('acme', 'business')
    """

    id: str = attrs.field(validator=_fields.is_id("customer"))
    account: Account | None = attrs.field(
        default=None, converter=attrs.converters.optional(_to_account), kw_only=True
    )
    attributes: Mapping[str, Attribute] = attrs.field(
        default=EMPTY, converter=freeze_attributes, kw_only=True
    )

    def __repr__(self) -> str:
        return _fields.brief(self)


def to_customer(value: Customer | str) -> Customer:
    """Return a customer, made of an id if need be."""
    return value if isinstance(value, Customer) else Customer(value)
