"""Identities at read time: invariants, an independent resolver, and what the audit counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import DataQualityWarning, InvalidData, InvalidValue, TimesRequired

DAY = datetime(2026, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings("ignore:.*known ids at the time")


def at(n: float) -> datetime:
    return DAY + timedelta(minutes=n)


def log_of(rows: list[tuple[str, int]], **more: object) -> cx.InteractionLog:
    return cx.InteractionLog.from_frame(
        {
            "who": [who for who, _ in rows],
            "when": [at(n) for _, n in rows],
            "what": [f"e{i}" for i in range(len(rows))],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        **more,
    )


def owners(log: cx.InteractionLog) -> dict[str, str]:
    """Return the customer of each interaction, whose touchpoints have a name each."""
    return {i.touchpoint.name: i.customer.id for i in log.interactions()}


IDS = st.sampled_from("abcdef")
MINUTES = st.integers(0, 6)
SPANS = st.tuples(st.none() | MINUTES, st.none() | MINUTES).filter(
    lambda s: s[0] is None or s[1] is None or s[0] < s[1]
)
TABLES = st.lists(st.tuples(IDS, IDS, SPANS), max_size=8)
ROWS = st.lists(st.tuples(IDS, MINUTES), min_size=1, max_size=12)


def table(links: list[tuple[str, str, tuple[int | None, int | None]]]) -> cx.identity.IdentityLinks:
    return cx.identity.links(
        {
            "a": [a for a, _, _ in links],
            "k": [k for _, k, _ in links],
            "s": np.array([None if s is None else at(s) for _, _, (s, _) in links], dtype=object),
            "u": np.array([None if u is None else at(u) for _, _, (_, u) in links], dtype=object),
        },
        anonymous="a",
        known="k",
        since="s",
        until="u",
    )


def holds(span: tuple[int | None, int | None], t: int) -> bool:
    since, until = span
    return (since is None or since <= t) and (until is None or t < until)


def walked(links: list, one: str, t: int) -> str:
    """Return where links lead, one after the other, with sets and without any array.

    Links that always hold make several ids one before it is asked whether two ids contradict.
    """
    same = {i: i for i in "abcdef"}
    while True:
        found = [(same[a], same[k], span) for a, k, span in links if same[a] != same[k]]
        always = {}
        for a in {a for a, _, _ in found}:
            to = {k for x, k, _ in found if x == a}
            spans = [span for x, _, span in found if x == a]
            covered = all(any(holds(span, m) for span in spans) for m in [-1, *range(8)])
            if len(to) == 1 and covered:
                always[a] = min(to)
        if not always:
            break
        ends = {}
        for start in "abcdef":
            path = [start]
            while path[-1] in always and always[path[-1]] not in path:
                path.append(always[path[-1]])
            closes = always.get(path[-1])
            ends[start] = min(path[path.index(closes) :]) if closes in path else path[-1]
        same = {i: ends[j] for i, j in same.items()}
    here, seen = same[one], []
    while True:
        if here in seen:
            return min(seen[seen.index(here) :])
        seen.append(here)
        to = {k for a, k, span in found if a == here and holds(span, t)}
        if len(to) != 1:
            return here
        here = to.pop()


@given(ROWS, TABLES)
def test_rows_go_where_links_lead_one_after_the_other(rows, links):
    resolved = log_of(rows).resolve_identities(table(links))
    assert owners(resolved) == {f"e{i}": walked(links, *row) for i, row in enumerate(rows)}


SIGHTINGS = st.lists(
    st.tuples(st.sampled_from("xyz"), MINUTES, st.sampled_from([None, None, "A", "B", "out"])),
    min_size=1,
    max_size=12,
)


@given(SIGHTINGS)
def test_sightings_go_to_whoever_was_signed_in_else_to_who_signs_in_next(rows):
    outs = {(d, t) for d, t, user in rows if user == "out"}
    # what happens at the moment of a logout is before or after it: nobody can tell
    rows = [r for r in rows if r[2] == "out" or (r[0], r[1]) not in outs]
    signed = [(d, t, user) for d, t, user in rows if user in ("A", "B")]
    events = [(user or d, t) for d, t, user in rows if user != "out"]
    if not events:
        return
    links = cx.identity.links(
        {
            "d": [d for d, _, _ in rows],
            "u": [None if user == "out" else user for _, _, user in rows],
            "t": [at(t) for _, t, _ in rows],
            "out": [user == "out" for _, _, user in rows],
        },
        anonymous="d",
        known="u",
        timestamp="t",
        logout="out",
    )
    found = owners(log_of(events).resolve_identities(links))
    for i, (device, t) in enumerate(events):
        expected = {device}
        if device in "xyz":
            resets = [r for d, r in outs if d == device]
            before = [
                s
                for d, s, _ in signed
                if d == device and s <= t and not any(s < r <= t for r in resets)
            ]
            after = [
                s
                for d, s, _ in signed
                if d == device and s > t and not any(t < r <= s for r in resets)
            ]
            moment = max(before) if before else min(after, default=None)
            who = {u for d, s, u in signed if d == device and s == moment}
            expected = who if len(who) == 1 else {device}
        assert {found[f"e{i}"]} == expected


@given(ROWS, TABLES, st.randoms())
def test_order_of_rows_and_of_links_and_names_of_ids_do_not_matter(rows, links, random):
    log = log_of(rows)
    expected = log.resolve_identities(table(links))
    assert len(expected) == len(log)
    assert expected.audit().identities.get("customers", 0) == expected.n_customers
    shuffled = links[:]
    random.shuffle(shuffled)
    again = log.resolve_identities(table(shuffled))
    assert owners(again) == owners(expected)
    # ids that stand in the same order under other names give the same customers
    other = [(f"id-{a}", t) for a, t in rows]
    renamed = [(f"id-{a}", f"id-{k}", span) for a, k, span in links]
    found = owners(log_of(other).resolve_identities(table(renamed)))
    assert found == {e: f"id-{who}" for e, who in owners(expected).items()}


def test_the_original_id_stays_and_resolving_twice_keeps_the_first():
    log = log_of([("d1", 1), ("d1", 2), ("u", 3)])
    once = log.resolve_identities(table([("d1", "u", (None, None))]))
    assert once.attribute("original_customer").values() == ["d1", "d1", "u"]
    twice = once.resolve_identities(table([("u", "v", (None, None))]))
    assert twice.customer_ids == ("v",)
    assert twice.attribute("original_customer").values() == ["d1", "d1", "u"]
    assert log.customer_ids == ("d1", "u")


def test_at_one_moment_the_linked_id_comes_first():
    log = log_of([("A", 1), ("d", 1), ("c", 1)])
    resolved = log.resolve_identities(table([("d", "A", (None, None)), ("c", "A", (None, None))]))
    assert [i.touchpoint.name for i in resolved.interactions("A")] == ["e2", "e1", "e0"]


def test_what_is_said_of_customers_is_that_of_the_known_id_first():
    customers = {
        "who": ["d", "e", "u"],
        "plan": ["free", "free", "pro"],
        "land": ["pl", "de", None],
    }
    log = log_of([("e", 1), ("d", 2), ("u", 3)], customers=customers)
    resolved = log.resolve_identities(table([("d", "u", (None, None)), ("e", "u", (None, None))]))
    assert resolved.customer("u").attributes == {"plan": "pro", "land": "de"}
    assert resolved.audit().identities["customers whose ids disagree on an attribute"] == 1


def test_two_known_customers_of_a_device_stay_two_and_the_audit_says_so():
    chain = [("d1", "A"), ("d2", "A"), ("d2", "B"), ("d3", "B"), ("d3", "C")]
    rows = {"d": [d for d, _ in chain], "u": [u for _, u in chain], "t": [at(i) for i in range(5)]}
    links = cx.identity.links(rows, anonymous="d", known="u", timestamp="t")
    resolved = log_of([("A", 0), ("B", 2), ("C", 4), ("d1", 5)]).resolve_identities(links)
    assert set(resolved.customer_ids) == {"A", "B", "C"}
    counts = resolved.audit().identities
    assert counts["known ids in that group"] == 3
    assert counts["ids in the largest group that links tie together"] == 6
    assert counts["ids linked to several known ids"] == 2
    assert "known ids in that group" in str(resolved.audit())


def test_sightings_never_make_a_known_id_that_of_another():
    rows = {"d": ["A", "d", "A"], "u": ["B", "A", "A"], "t": [at(1), at(2), at(3)]}
    links = cx.identity.links(rows, anonymous="d", known="u", timestamp="t")
    assert len(links) == 1
    assert dict(links.counts) == {"rows whose two ids are known ids": 1}


def test_long_chains_of_links_with_and_without_dates_end():
    n = 3000
    always = [(f"i{i:04}", f"i{i + 1:04}", (None, None)) for i in range(n)]
    log = log_of([("i0000", 1)])
    assert log.resolve_identities(table(always)).customer_ids == (f"i{n:04}",)
    circle = [*always, (f"i{n:04}", "i0000", (None, None))]
    assert log.resolve_identities(table(circle)).customer_ids == ("i0000",)
    dated = [(a, k, (0, None)) for a, k, _ in circle[-400:]]
    assert log_of([(dated[7][0], 1)]).resolve_identities(table(dated)).customer_ids == ("i0000",)


def test_no_id_is_in_any_text():
    links = table([("secret", "hidden", (1, 5)), ("secret", "private", (3, None))])
    with pytest.warns(DataQualityWarning) as caught:
        resolved = log_of([("secret", 4)]).resolve_identities(links)
    texts = [repr(links), repr(resolved), str(resolved.audit()), *map(str, caught)]
    assert not any(word in text for text in texts for word in ("secret", "hidden", "private"))
    assert links.to_frame("pandas").anonymous.tolist() == ["secret", "secret"]


def test_pseudonyms_of_log_and_links_are_of_one_key():
    key = cx.privacy.PseudonymKey.generate()
    log = log_of([("d", 1), ("u", 2)], pseudonyms=key)
    rows = {"a": ["d"], "k": ["u"]}
    links = cx.identity.links(rows, anonymous="a", known="k", pseudonyms=key)
    assert log.resolve_identities(links).customer_ids == (key.pseudonym("u"),)
    with pytest.raises(InvalidValue, match="no pseudonyms: give both"):
        log.resolve_identities(cx.identity.links(rows, anonymous="a", known="k"))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"known": "kk"}, cx.exceptions.UnknownName, "known= column 'kk'"),
        ({"logout": "k"}, InvalidValue, "logout must be left out"),
        ({"since": "u", "until": "s"}, InvalidData, "until does not lie after since in 1 row: 0"),
        ({"timestamp": "s", "since": "s"}, InvalidValue, "since must be left out beside timestamp"),
        ({"timestamp": "s", "logout": "k"}, InvalidValue, "column of truth values"),
        ({"timestamp": "n"}, InvalidData, "timestamp is missing in 1 row: 0"),
    ],
)
def test_what_is_no_link_is_refused(change, error, match):
    rows = {"a": ["d"], "k": ["u"], "s": [at(1)], "u": [at(2)], "n": [None]}
    with pytest.raises(error, match=match):
        cx.identity.links(rows, **({"anonymous": "a", "known": "k"} | change))


def test_edges_empty_tables_empty_logs_and_paths():
    log = log_of([("a", 1)])
    for links in (table([]), table([("x", "y", (None, None))])):
        assert log.resolve_identities(links).customer_ids == ("a",)
    assert len(log_of([]).resolve_identities(table([("a", "b", (None, 3))]))) == 0
    with pytest.raises(InvalidValue, match=r"as cx\.identity\.links\(\) returns it"):
        log.resolve_identities({"a": "b"})
    paths = cx.Journeys.from_paths([["web"]], converted=[1]).log
    with pytest.raises(TimesRequired):
        paths.resolve_identities(table([]))


def test_sensitivity_finds_a_planted_split_and_nothing_where_links_do_not_matter():
    n = 60
    rows = [(f"d{i}", 1) for i in range(n)] + [(f"u{i}", 5) for i in range(n)]
    frame = {
        "who": [who for who, _ in rows],
        "when": [at(t) for _, t in rows],
        "what": ["ad"] * n + ["buy"] * n,
        "where": ["web"] * n + ["store"] * n,
    }
    roles = {"customer": "who", "timestamp": "when", "touchpoint": "what", "channel": "where"}
    log = cx.InteractionLog.from_frame(frame, **roles)
    links = table([(f"d{i}", f"u{i}", (None, None)) for i in range(n)])
    rules = {"goal": "buy", "all_closed": True}
    found = cx.identity.sensitivity(log, links, **rules, shares=[0.5, 0.25], repeats=3)
    by = {(r["figure"], r["fault"], r["share"]): r for r in found.table}
    # k missed links leave k customers who saw the ad and never bought: n of n + k convert
    assert by["conversion rate", "missed", 0.5]["mean"] == pytest.approx(60 / 90)
    assert by["conversion rate", "missed", 0.25]["low"] == pytest.approx(60 / 75)
    assert by["conversion rate", "missed", 1.0]["mean"] == pytest.approx(0.5)
    assert by["conversion rate", "missed", 0.5]["value"] == 1
    assert by["switches per transition", "wrong", 0.5]["value"] == 1
    null = cx.identity.sensitivity(
        log,
        table([(f"u{i}", f"v{i}", (None, None)) for i in range(n)]),
        **rules,
        shares=[0.5],
        repeats=2,
    )
    missed = [r for r in null.table if r["fault"] == "missed" and r["figure"][0] == "c"]
    assert all(r["low"] == r["high"] == r["value"] for r in missed)
    again = cx.identity.sensitivity(log, links, **rules, shares=[0.5, 0.25], repeats=3)
    assert again == found == type(found).from_dict(found.to_dict())
    with pytest.raises(InvalidValue, match="links must be of ids that are in the log"):
        cx.identity.sensitivity(log, table([("x", "y", (None, None))]), **rules)
    assert found.plot().get_title(loc="left") or found.title
