from __future__ import annotations

import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney import InteractionLog
from cxjourney.exceptions import DataQualityWarning, InvalidData, InvalidValue, TimesRequired
from cxjourney.testing import interaction_lists

ROLES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}


def log_of(rows, *, until=None, **columns) -> InteractionLog:
    """Return the log of rows of customer, day of January 2026, and touchpoint."""
    frame = {
        "who": [who for who, *_ in rows],
        "when": [datetime(2026, 1, day, tzinfo=UTC) for _, day, _ in rows],
        "what": [what for *_, what in rows],
        **{name: values for name, (_, values) in columns.items()},
    }
    roles = {role: name for name, (role, _) in columns.items()}
    return InteractionLog.from_frame(frame, observed_until=until, **ROLES, **roles)


def rows_of(log: InteractionLog) -> list[tuple[str, int, str]]:
    return [(i.customer.id, i.timestamp.day, i.touchpoint.name) for i in log.interactions()]


@given(interaction_lists(), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_parts_of_a_log_put_together_are_the_log(interactions, n, seed):
    whole = InteractionLog.from_interactions(interactions)
    of_customer = np.random.default_rng(seed).integers(0, n, whole.n_customers)
    parts = [whole.filter(rows=of_customer[whole.columns.customer] == k) for k in range(n)]
    joined = InteractionLog.concat(parts)
    expected = [i for part in parts for i in part.interactions()]
    assert Counter(map(repr, joined.interactions())) == Counter(map(repr, expected))
    assert joined.observed_until == whole.observed_until
    assert set(joined.customer_ids) == set(whole.customer_ids)


def test_times_interleave_and_columns_that_a_log_lacks_are_missing():
    web = log_of([("a", 1, "web"), ("a", 5, "web")], device=("channel", ["phone", "tablet"]))
    shop = log_of(
        [("b", 2, "order"), ("a", 3, "order")], until="2026-01-05", worth=("value", [7.0, 9.0])
    )
    joined = InteractionLog.concat([web, shop])
    assert rows_of(joined) == [
        ("a", 1, "web"),
        ("a", 3, "order"),
        ("a", 5, "web"),
        ("b", 2, "order"),
    ]
    assert [i.channel and i.channel.name for i in joined.interactions()] == [
        "phone", None, "tablet", None,
    ]  # fmt: skip
    assert [i.value for i in joined.interactions()] == [None, 9.0, None, 7.0]


def test_attributes_of_customers_are_united_and_must_agree():
    frame = {"who": ["a"], "when": ["2026-01-01"], "what": ["web"]}

    def of(**known):
        return InteractionLog.from_frame(frame, customers={"who": ["a"], **known}, **ROLES)

    joined = InteractionLog.concat([of(plan=["pro"]), of(age=[7])], duplicates="keep")
    assert joined.customer("a").attributes == {"plan": "pro", "age": 7}
    with pytest.raises(InvalidData, match="1 customer has more than one 'plan'"):
        InteractionLog.concat([of(plan=["pro"]), of(plan=["free"])], duplicates="keep")


def test_values_of_attributes_keep_their_types():
    parts = [log_of([("a", day, "web")]) for day in (1, 2, 3)]
    kept = [
        InteractionLog.from_frame(part.to_frame("pandas").assign(x=[value]), customer="customer",
                                  timestamp="timestamp", touchpoint="touchpoint", attributes=["x"])
        for part, value in zip(parts, [1, True, "1"], strict=True)
    ]  # fmt: skip
    values = [i.attributes["x"] for i in InteractionLog.concat(kept).interactions()]
    assert [(type(v), v) for v in values] == [(int, 1), (bool, True), (str, "1")]


def test_interactions_of_two_logs_are_refused_left_out_or_kept():
    first = log_of([("a", 1, "web"), ("a", 1, "web"), ("a", 2, "call")])
    second = log_of([("a", 1, "web"), ("a", 1, "web"), ("a", 1, "web"), ("a", 3, "call")])
    with pytest.raises(InvalidData, match="3 interactions stand in an earlier log too: dupl"):
        InteractionLog.concat([first, second])
    dropped = InteractionLog.concat([first, second], duplicates="drop")
    # the two equal ones of the first log are its own
    assert rows_of(dropped) == [
        ("a", 1, "web"),
        ("a", 1, "web"),
        ("a", 2, "call"),
        ("a", 3, "call"),
    ]
    audit = dropped.audit()
    assert (audit.rows_received, audit.rows, sum(audit.dropped.values())) == (7, 4, 3)
    assert len(InteractionLog.concat([first, second], duplicates="keep")) == 7
    # what differs in a column is no duplicate
    other = log_of([("a", 1, "web")], device=("channel", ["phone"]))
    assert len(InteractionLog.concat([first, other])) == 4


def test_the_common_window_keeps_what_every_log_observed():
    long = log_of([("a", 1, "web"), ("a", 9, "web"), ("b", 20, "web")], until="2026-01-20")
    short = log_of([("a", 4, "call"), ("a", 10, "call")], until="2026-01-10")
    with pytest.warns(DataQualityWarning, match=r"\(2026-01-10 and 2026-01-20\)"):
        whole = InteractionLog.concat([long, short])
    assert whole.observed_until == datetime(2026, 1, 20, tzinfo=UTC)
    assert len(whole) == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        common = InteractionLog.concat([long, short], window="common")
    assert common.observed_until == datetime(2026, 1, 10, tzinfo=UTC)
    assert rows_of(common) == [
        ("a", 1, "web"),
        ("a", 4, "call"),
        ("a", 9, "web"),
        ("a", 10, "call"),
    ]
    assert dict(common.audit().dropped) == {"timestamp is outside the common window": 1}


def test_the_end_of_one_export_is_no_silence_in_the_common_window():
    web = log_of([("a", 1, "web"), ("b", 20, "web")], until="2026-01-20")
    shop = log_of([("a", 2, "ask")], until="2026-01-03")  # what "a" asked on the 4th is not in it
    with pytest.warns(DataQualityWarning, match="look like silence"):
        whole = InteractionLog.concat([web, shop])
    common = InteractionLog.concat([web, shop], window="common")
    rules = {"all_closed": False, "inactivity": timedelta(days=5)}
    outcomes = [next(j.outcome for j in log.journeys(**rules)) for log in (whole, common)]
    assert outcomes == [cx.Outcome.DROPPED, cx.Outcome.IN_PROGRESS]


def test_parts_that_follow_each_other_do_not_warn():
    january = log_of([("a", 1, "web"), ("a", 4, "web")])
    later = log_of([("a", 20, "web"), ("a", 30, "web")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(InteractionLog.concat([january, later])) == 4
        assert len(InteractionLog.concat([later, january])) == 4


def test_windows_without_a_common_moment_are_refused():
    early = log_of([("a", 1, "web")], until="2026-01-02")
    late = InteractionLog.from_frame(
        {"who": ["a"], "when": ["2026-01-05"], "what": ["web"]}, observed_from="2026-01-04", **ROLES
    )
    with pytest.raises(InvalidValue, match="window"):
        InteractionLog.concat([early, late], window="common")
    whole = InteractionLog.concat([early, late])
    assert whole.observed_from is None  # the first log holds every beginning that it has


def test_what_cannot_be_put_together_is_refused():
    log = log_of([("a", 1, "web")])
    with pytest.raises(InvalidValue, match="logs"):
        InteractionLog.concat([])
    with pytest.raises(InvalidValue, match="logs"):
        InteractionLog.concat(log)
    with pytest.raises(InvalidValue, match=r"logs\[1\]"):
        InteractionLog.concat([log, "events.csv"])
    with pytest.raises(InvalidValue, match="duplicates"):
        InteractionLog.concat([log], duplicates="both")
    paths = cx.Journeys.from_paths([["a", "b"]], converted=[3]).log
    with pytest.raises(TimesRequired):
        InteractionLog.concat([log, paths])
    euro, dollar = (
        InteractionLog.from_frame(
            {"who": [who], "when": ["2026-01-01"], "what": ["buy"], "worth": [1.0]},
            value="worth", currency=code, **ROLES,
        )
        for who, code in (("a", "EUR"), ("b", "USD"))
    )  # fmt: skip
    with pytest.raises(InvalidData, match=r"2 values \(EUR, USD\)"):
        InteractionLog.concat([euro, dollar])
    assert InteractionLog.concat([euro, log]).currency == "EUR"


def test_an_empty_log_adds_nothing():
    log = log_of([("a", 1, "web")])
    empty = InteractionLog.from_interactions([])
    assert InteractionLog.concat([empty, log, empty]) == log
    assert len(InteractionLog.concat([empty])) == 0


def test_logs_that_are_no_list_are_told_how_to_give_them():
    log = log_of([("a", 1, "web")])
    with pytest.raises(InvalidValue, match=r"InteractionLog\.concat takes one list of logs"):
        InteractionLog.concat(log, log)  # type: ignore[arg-type]


def test_counts_of_resolved_identities_add_up():
    links = cx.identity.links(
        {"device": ["d1", "d2"], "user": ["ann", "bob"]}, anonymous="device", known="user"
    )
    first = log_of([("d1", 1, "web"), ("ann", 2, "shop")]).resolve_identities(links)
    second = log_of([("d2", 1, "web"), ("d2", 2, "shop"), ("eve", 3, "web")])
    parts = [first, second.resolve_identities(links, known_at="2026-01-09")]
    joined = InteractionLog.concat(parts)
    expected = sum((Counter(part.intake.identities) for part in parts), Counter())
    assert joined.intake.identities == expected
    assert sum(expected.values()) > max(sum(part.intake.identities.values()) for part in parts)
    assert joined.audit().identities_known_at == datetime(2026, 1, 9, tzinfo=UTC)
    assert InteractionLog.concat([second]).intake.identities == {}
