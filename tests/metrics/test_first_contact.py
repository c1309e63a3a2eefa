"""Which issues needed one contact, by issue label or by gaps, decided or still open."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import (
    Tally,
    first_contact_resolution,
    wilson,
)

END = datetime(2026, 3, 1, tzinfo=UTC)
CONTACTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=25)


def day(d, hour=0):
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=d - 1, hours=hour)


def test_one_contact_and_a_quiet_week_resolve_an_issue():
    fcr = first_contact_resolution(
        [day(1), day(2), day(4), day(5)], issue=["a", "b", "b", "c"], observed_until=END
    )
    assert (fcr.numerator, fcr.denominator) == (2, 3)
    assert (fcr.low, fcr.high) == wilson(2, 3)


def test_a_silence_of_exactly_the_window_is_quiet():
    almost = timedelta(microseconds=1)
    for gap, resolved in ((timedelta(days=7), 1), (timedelta(days=7) - almost, 0)):
        fcr = first_contact_resolution([day(1), day(1) + gap], issue=["a", "a"], observed_until=END)
        assert (fcr.numerator, fcr.denominator) == (resolved, 1)


def test_without_issues_contacts_within_the_window_are_one_issue():
    fcr = first_contact_resolution(
        [day(20), day(1), day(6), day(2), day(2)],
        customer=["a", "a", "a", "b", "c"],
        observed_until=END,
    )
    # a: 1 and 6 are one issue, 20 another; b and c one each
    assert (fcr.numerator, fcr.denominator) == (3, 4)


def test_categories_keep_the_issues_of_a_customer_apart():
    contacts = [day(1), day(2)]
    apart = first_contact_resolution(
        contacts, customer=["a", "a"], category=["bill", "router"], observed_until=END
    )
    assert (apart.numerator, apart.denominator) == (2, 2)


def test_a_window_that_has_not_passed_decides_nothing_whatever_happened():
    fcr = first_contact_resolution(
        [day(1), day(25), day(26), day(27)],
        issue=["a", "b", "b", "c"],
        observed_until=day(30),
    )
    # b already failed, but counting failures early and successes late would be unfair
    assert (fcr.numerator, fcr.denominator, fcr.n_censored) == (1, 1, 2)


def test_with_closings_the_window_starts_at_the_closing():
    fcr = first_contact_resolution(
        [day(1), day(1), day(12), day(1), day(1), day(3)],
        issue=["a", "b", "b", "c", "d", "d"],
        closed=[day(2), day(6), day(6), None, day(4), day(4)],
        observed_until=END,
    )
    # a: quiet; b: again 6 days after closing; c: open; d: two contacts before closing
    assert (fcr.numerator, fcr.denominator, fcr.n_censored) == (1, 3, 1)


def test_closed_after_the_end_is_still_open():
    fcr = first_contact_resolution([day(1)], issue=["a"], closed=[day(90)], observed_until=day(30))
    assert (fcr.denominator, fcr.n_censored) == (0, 1)


def test_net_leaves_out_what_could_not_be_resolved_at_the_first_level():
    fcr = first_contact_resolution(
        [day(1), day(2), day(3)],
        issue=["a", "a", "b"],
        not_resolvable=[False, True, False],
        observed_until=END,
    )
    assert (fcr.numerator, fcr.denominator) == (1, 1)
    assert dict(fcr.exclusions) == {"not resolvable": 1}


def test_contacts_without_time_or_issue_are_counted_as_missing():
    fcr = first_contact_resolution(
        pl.Series([day(1), None, day(3)]), issue=["a", "b", None], observed_until=END
    )
    assert (fcr.denominator, fcr.n_missing) == (1, 2)
    with pytest.raises(InvalidData, match="missing"):
        first_contact_resolution([None], issue=["a"], observed_until=END, nan_policy="raise")
    lost = first_contact_resolution(
        [None, day(1)], issue=["a", "b"], observed_until=END, nan_policy="propagate"
    )
    assert math.isnan(lost.value)


def test_issues_of_one_customer_may_be_clustered():
    contacts = [day(d, hour) for d in range(1, 11) for hour in (0, 5)]
    issue = [f"i{d}" if d > 5 else f"i{d}-{h}" for d in range(1, 11) for h in (0, 5)]
    customer = [f"c{d}" for d in range(1, 11) for _ in (0, 5)]
    plain = first_contact_resolution(contacts, issue=issue, customer=customer, observed_until=END)
    clustered = first_contact_resolution(
        contacts, issue=issue, customer=customer, observed_until=END, clustered=True
    )
    assert plain.value == clustered.value == 10 / 15
    assert clustered.high - clustered.low > plain.high - plain.low


def test_an_issue_of_nobody_cannot_be_clustered():
    with pytest.raises(InvalidData, match="customer has missing values") as caught:
        first_contact_resolution(
            [day(1), day(2)],
            issue=["a", "b"],
            customer=["x", None],
            observed_until=END,
            clustered=True,
        )
    assert caught.value.rows == (1,)


def test_arguments_that_do_not_belong_together_are_refused():
    one = {"contacted": [day(1)], "observed_until": END}
    for options, message in (
        ({}, "issue or customer"),
        ({"issue": ["a"], "category": ["x"]}, "category"),
        ({"customer": ["a"], "closed": [day(2)]}, "closed must come with issue"),
        ({"issue": ["a"], "clustered": True}, "customer must be given"),
        ({"issue": ["a", "b"]}, "one length"),
        ({"issue": ["a"], "window": 7}, "window"),
    ):
        with pytest.raises(InvalidValue, match=message):
            first_contact_resolution(**one, **options)


def test_impossible_contacts_are_refused_by_position():
    with pytest.raises(InvalidData, match="after observed_until") as caught:
        first_contact_resolution([day(1), day(99)], issue=["a", "b"], observed_until=END)
    assert caught.value.rows == (1,)
    with pytest.raises(InvalidData, match="closed before its first contact"):
        first_contact_resolution([day(5)], issue=["a"], closed=[day(1)], observed_until=END)
    with pytest.raises(InvalidData, match="disagree about closed"):
        first_contact_resolution(
            [day(1), day(2)], issue=["a", "a"], closed=[day(3), None], observed_until=END
        )


def test_no_contacts_give_nan():
    fcr = first_contact_resolution([], issue=[], observed_until=END)
    assert math.isnan(fcr.value)
    assert "empty" in fcr.notes


@given(CONTACTS, st.randoms())
def test_issues_from_gaps_equal_a_loop_by_hand(contacts, rng):
    resolved = decided = 0
    for customer in {c for c, _ in contacts}:
        days = sorted(d for c, d in contacts if c == customer)
        issues = [[days[0]]]
        for d in days[1:]:
            if d - issues[-1][-1] < 7:
                issues[-1].append(d)
            else:
                issues.append([d])
        for issue in issues:
            if issue[0] + 7 <= 41:
                decided += 1
                resolved += not any(i > 0 and d < issue[0] + 7 for i, d in enumerate(issue))
    rng.shuffle(contacts)
    fcr = first_contact_resolution(
        [day(1 + d) for _, d in contacts],
        customer=[c for c, _ in contacts],
        observed_until=day(42),
    )
    assert (fcr.numerator, fcr.denominator) == (resolved, decided)


@given(CONTACTS)
def test_shards_of_customers_add_up(contacts):
    tally = Tally(first_contact_resolution, observed_until=day(42))
    for shard in range(2):
        part = [(c, d) for c, d in contacts if c % 2 == shard]
        tally.update([day(1 + d) for _, d in part], customer=[c for c, _ in part])
    whole = first_contact_resolution(
        [day(1 + d) for _, d in contacts],
        customer=[c for c, _ in contacts],
        observed_until=day(42),
    )
    assert tally.result().to_dict() == whole.to_dict()
