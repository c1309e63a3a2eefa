"""Journeys of accounts: a committee buys once, and the account is the unit of variance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney._stats.buckets import bucket_of
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.journeys import bucket_of_each

DAY = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[str, str | None, int, str]


def log_of(rows: list[Row], **more: object) -> cx.InteractionLog:
    who, account, when, what = zip(*rows, strict=True)
    return cx.InteractionLog.from_frame(
        {
            "who": who,
            "firm": account,
            "when": [DAY + timedelta(days=n) for n in when],
            "what": what,
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        account="firm",
        **more,
    )


COMMITTEE: list[Row] = [
    ("ann", "acme", 0, "ad"),
    ("bob", "acme", 2, "demo"),
    ("cid", "acme", 3, "order"),
    ("dan", None, 1, "ad"),
    ("eve", "bolt", 1, "ad"),
]
ROLES = {"who": ["ann", "bob", "cid", "eve"], "role": ["user", "buyer", "finance", "user"]}


def test_a_committee_of_three_that_buys_is_one_converted_journey():
    log = log_of(COMMITTEE, customers=ROLES, observed_until="2026-01-31")
    rules = {"goal": "order", "inactivity": timedelta(days=10)}
    assert log.journeys(**rules).outcomes[cx.Outcome.DROPPED] == 4
    journeys = log.journeys(**rules, unit="account", roles="role")
    assert repr(journeys) == (
        "Journeys: 3 (1 converted, 2 dropped, 0 in_progress) of 2 accounts and 1 customer without "
        "one"
    )
    by = {journeys.log.customer_ids[c]: i for i, c in enumerate(journeys.customer)}
    assert set(by) == {"acme", "bolt", "dan"}
    told = next(j for j in journeys if j.customer.id == "acme")
    assert [i.touchpoint.name for i in told.interactions] == ["ad", "demo", "order"]
    assert [i.attributes["original_customer"] for i in told.interactions] == ["ann", "bob", "cid"]
    assert told.customer.account.id == "acme"
    roles, members = journeys.segment("roles").values(), journeys.segment("members").values()
    assert (roles[by["acme"]], members[by["acme"]]) == ("buyer + finance + user", 3)
    assert (roles[by["dan"]], members[by["dan"]]) == (None, 1)
    assert journeys.segment("account").values()[by["dan"]] is None
    assert "unit=" in cx.report.build(journeys).to_html()
    assert journeys.log.audit().without_account == log.audit().without_account == 1


def test_variance_is_by_account():
    rows = [(f"c{i}", f"a{i // 3}", i % 5, "ad") for i in range(90)]
    journeys = log_of(rows).journeys(all_closed=True, unit="account")
    ids = [journeys.log.customer_ids[c] for c in journeys.customer]
    assert sorted(ids) == sorted({f"a{i // 3}" for i in range(90)})
    np.testing.assert_array_equal(bucket_of_each(journeys), bucket_of(ids))


ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 20), st.sampled_from(["ad", "web", "order"])),
    min_size=1,
    max_size=15,
)


@given(ROWS, st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["x", "y"])))
def test_it_is_the_log_whose_customer_column_is_the_account(rows, firms):
    rules = {"goal": "order", "inactivity": timedelta(days=4), "touchpoints": ["order"]}
    # several touchpoints of one moment have the order of their customers
    rows = [(who, n * 10 + "abcd".index(who), what) for who, n, what in rows]
    log = log_of([(who, firms.get(who), n, what) for who, n, what in rows])
    if log.account is None or (log.account.codes < 0).all():
        return
    plain = log_of([(firms.get(who, who), None, n, what) for who, n, what in rows])

    def told(journeys: cx.Journeys) -> list[tuple[object, ...]]:
        return sorted(
            (j.customer.id, tuple(i.timestamp for i in j.interactions), j.outcome.value)
            for j in journeys
        )

    assert told(log.journeys(**rules, unit="account")) == told(plain.journeys(**rules))


def test_an_id_that_a_customer_shares_with_an_account_stays_apart():
    log = log_of([("acme", None, 0, "ad"), ("ann", "acme", 1, "ad")])
    journeys = log.journeys(all_closed=True, unit="account")
    assert set(journeys.log.customer_ids) == {"acme", "acme (customer)"}


def test_what_accounts_do_not_have_is_refused():
    log = log_of(COMMITTEE, customers=ROLES)
    with pytest.raises(UnknownName, match="account"):
        cx.datasets.sample(seed=1, customers=20).log.filter().journeys(unit="account")
    with pytest.raises(InvalidValue, match="unit must be one of 'customer', 'account'"):
        log.journeys(unit="firm")
    with pytest.raises(InvalidValue, match='roles must be left out where unit= is not "account"'):
        log.journeys(roles="role")
    with pytest.raises(UnknownName, match="attribute 'rolle'"):
        log.journeys(unit="account", roles="rolle")
    with pytest.raises(InvalidValue, match='with unit="customer"'):
        log.journeys(unit="account").statistics()
    taken = log_of(COMMITTEE, customers={"who": ["ann"], "members": [3]})
    with pytest.raises(InvalidValue, match="'members' free"):
        taken.journeys(unit="account")
    paths = cx.Journeys.from_paths([["web"]], converted=[1]).log
    with pytest.raises(TimesRequired):
        paths.journeys(unit="account")
