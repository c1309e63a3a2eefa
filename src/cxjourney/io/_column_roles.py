"""Roles that the columns of a table could have, and the kind of its rows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from cxjourney._support.table import format_value
from cxjourney._support.units import EPOCH_UNITS
from cxjourney._support.words import counted
from cxjourney.io._column_facts import ISO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxjourney.io._column_facts import ColumnFacts
    from cxjourney.io._file_sample import Cells, FileSample

    Scored = tuple[float, str]

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+|[0-9]+")
# Words in the names of columns: those that say what a column is, then those that speak for it.
_HINTS = {
    role: tuple(frozenset(words.split()) for words in pair.split("|"))
    for role, pair in {
        "customer": "customer client user visitor member buyer shopper subscriber patient guest "
        "distinct anonymous requester caller reporter applicant passenger contact person "
        "kontakt kunde kunden kundennr kundennummer cust who "
        "| email mail profile cookie device account respondent pseudo",
        "case": "case ticket session order deal opportunity conversation claim application invoice "
        "basket booking vorgang auftrag bestellnummer bestellung response trace | ",
        "timestamp": "timestamp time datetime ts date datum zeit zeitpunkt zeitstempel at when "
        "| created recorded occurred submitted started start end on day",
        "touchpoint": "event activity action touchpoint step aktion ereignis kontaktpunkt page "
        "interaction screen | type name concept stage status topic url path subject",
        "channel": "channel kanal | source medium platform via device referrer origin",
        "value": "value amount revenue total turnover sales umsatz betrag wert preis price "
        "| sum subtotal paid cost",
        "score": "score rating nps csat ces satisfaction bewertung zufriedenheit "
        "| stars recommend answer likert q",
        "seq": "seq sequence index hit | order position number nr rank step",
    }.items()
}


def _words(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


NO_STEP = _words(
    "update updated modified changed synced loaded due birth expected expect next last",
    "planned target estimated forecast deadline scheduled activity erwartet erwartetes",
    "geplant fällig letzte letzter nächste geändert aktualisiert",
)
_SECOND = NO_STEP | {"received", "sent"}
_OUTCOMES = _words(
    "won lost close closed resolved solved cancelled canceled paid shipped delivered completed",
    "fulfilled refunded rejected gewonnen verloren geschlossen gelöst erledigt storniert",
    "bezahlt versandt abgeschlossen",
)
_NO_TOUCHPOINT = _words("country plan city region language gender segment")
_PRIVATE = _words(  # which nothing else in a name makes public
    "surname lastname firstname email mail phone telephone mobile fax address street city zip",
    "postal postcode ip birth born iban card agent assignee owner author company organisation",
    "organization contact vorname nachname strasse straße ort plz firma telefon adresse",
)
_OF_PEOPLE = _PRIVATE | {"name", "first", "last", "resource"}
_BESIDE = _words(  # words beside those that name a customer
    "name full ref reference code token address hashed external primary recipient billing",
    "unique crm internal global",
)
_OF_KINDS = _words("category type brand model language segment group status age gender country os")
_ID = _words("id ids uuid guid key nr no number nummer hash")
_FLAGS = frozenset({"true", "false", "yes", "no", "0", "1", "y", "n", "t", "f", "ja", "nein"})
_NO_NAMES = ("an e-mail", "a UUID", "digits with", "an IP", "a time of the day")


@attrs.frozen
class Candidate:
    """A column that could have a role, how much speaks for it, and what."""

    column: str
    score: float
    reason: str


@attrs.frozen
class Roles:
    """The columns of each role, the best first, and those whose values are of one customer each."""

    candidates: Mapping[str, Sequence[Candidate]]
    of_one: frozenset[str]

    def best(self, role: str) -> str | None:
        """Return the column that speaks most for a role."""
        return next((one.column for one in self.candidates[role]), None)


def in_words(name: str) -> list[str]:
    """Return the words of a name such as "userId" or "Created at"."""
    return [word.lower() for word in _WORDS.findall(name)]


def words_of(name: str) -> frozenset[str]:
    """Return the words of a name in no order."""
    return frozenset(in_words(name))


def is_of_people(name: str) -> bool:
    """Return whether a name speaks of what tells persons or cases apart."""
    return bool(words_of(name) & (_OF_PEOPLE | _ID | _HINTS["customer"][0]))


def may_be_shown(one: ColumnFacts, roles: Roles) -> bool:
    """Return whether neither the name nor the cells of a column speak of single persons."""
    public = 2 in {hint("touchpoint", one.name), hint("channel", one.name)}
    personal = one.name in roles.of_one or is_of_people(one.name)
    private = bool(words_of(one.name) & _PRIVATE) or one.shape.startswith("an ")
    return one.kind != "id" and not private and (public or not personal)


def hint(role: str, name: str) -> int:
    """Return how much a name says for a role: 0 nothing, 1 a little, 2 it says so."""
    strong, weak = _HINTS[role]
    words = words_of(name)
    return 2 if words & strong else 1 if words & weak else 0


def roles_of(facts: Mapping[str, ColumnFacts], columns: Mapping[str, Cells]) -> Roles:
    """Return what each column could be, by its name and its cells."""
    found = {role: _ranked(score, facts.values()) for role, score in _FIRST.items()}
    found["customer"] = _fullest_first(found["customer"], facts)
    if not found["customer"]:  # a process is followed by its cases
        found["customer"] = found["case"]
    varies: dict[str, float] = {}
    of_one: set[str] = set() if found["customer"] else {*facts}  # nobody knows
    if found["customer"]:
        customers = columns[found["customer"][0].column]
        for name, one in facts.items():
            if one.kind in {"category", "id"} and columns[name] is not customers:
                varies[name], alone = _variation(customers, columns[name])
                of_one |= {name} if alone else set()

    def touchpoint(one: ColumnFacts) -> Scored:
        return _as_touchpoint(one, varies.get(one.name, math.nan))

    then = {"touchpoint": touchpoint, **_THEN}
    found |= {role: _ranked(score, facts.values()) for role, score in then.items()}
    return Roles(found, frozenset(of_one))


def _ranked(
    score: Callable[[ColumnFacts], Scored], facts: Iterable[ColumnFacts]
) -> list[Candidate]:
    ranked = [Candidate(one.name, *score(one)) for one in facts if one.filled]
    return sorted((one for one in ranked if one.score >= 2), key=lambda one: -one.score)


def _fullest_first(ranked: list[Candidate], facts: Mapping[str, ColumnFacts]) -> list[Candidate]:
    """Return candidates behind one, if any, that leaves markedly fewer rows without a customer."""
    fuller = [
        one
        for one in ranked
        if one.score >= 3.5 and facts[one.column].missing < facts[ranked[0].column].missing - 0.05
    ]
    if not fuller:
        return ranked
    first, shares = fuller[0], {one.column: facts[one.column].missing for one in ranked}
    why = f"{first.reason}, missing in {shares[first.column]:.1%} of the rows and "
    why += f"{ranked[0].column!r} in {shares[ranked[0].column]:.1%}"
    return [attrs.evolve(first, reason=why), *(one for one in ranked if one is not first)]


def _said(role: str, one: ColumnFacts, *reasons: str) -> str:
    named = ("", "named so, perhaps", "named so")[hint(role, one.name)]
    return ", ".join(filter(None, (named, *reasons)))


def _repeats(one: ColumnFacts) -> str:
    rows = format_value(one.filled / one.distinct)
    return f"{one.distinct:,} values, {rows} row{'s' * (rows != '1')} each"


def _as_time(one: ColumnFacts) -> Scored:
    if one.time is None:
        return 0, ""
    named, in_units = hint("timestamp", one.name), one.time.form in EPOCH_UNITS
    points: float = 3 + named - (3 if in_units and not named else 0) + (one.time.step != "days")
    points -= 2 * bool(words_of(one.name) & _SECOND) + (one.missing > 0.02)
    points += one.time.with_zone == 1.0
    return max(points, 2 * (not in_units)), _said("timestamp", one, f"reads as {one.time.called}")


def _as_customer(one: ColumnFacts) -> Scored:
    words = words_of(one.name)
    named = hint("customer", one.name) or words <= {"id", "uuid", "key"}
    strong, weak = _HINTS["customer"]
    ids = bool(words & _ID)
    few = one.distinct < max(8, 0.2 * one.filled) or words & _OF_KINDS
    if named and not ids and ((few and words - strong - weak - _BESIDE) or words <= {"device"}):
        return 0, ""  # as the type of a visitor
    is_time = one.time is not None and (one.time.form == ISO or hint("timestamp", one.name))
    fits = one.kind in {"id", "category", "number"} and one.distinct > 1 and one.missing <= 0.5
    if not fits or is_time or (one.numeric > 0.99 and not one.whole):
        return 0, ""
    if not named and (one.kind != "id" or hint("touchpoint", one.name) == 2):
        return 0, ""
    repeats = one.filled / one.distinct
    points: float = 2 * named + 2 * ids + (repeats > 1.1) + (named == 0)
    points += (one.shape == "an e-mail address") - 2 * (hint("case", one.name) == 2)
    points -= 2 * (named < 2 and repeats < 1.1) + 4 * one.missing
    points -= 3 * (hint("touchpoint", one.name) == 2 and repeats < 1.1)
    return points, _said("customer", one, _repeats(one))


def _as_case(one: ColumnFacts) -> Scored:
    fits = one.kind in {"id", "category", "number"} and (one.whole or one.numeric < 0.5)
    if not _names_a_case(one.name) or one.distinct < 2 or not fits:
        return 0, ""
    points = 2 + bool(words_of(one.name) & _ID)
    return points, _said("case", one, _repeats(one))


def _names_a_case(name: str) -> bool:
    words, (cases, _) = words_of(name), _HINTS["case"]
    return bool(words & cases and words <= cases | _ID | {"concept", "name"})


def _as_touchpoint(one: ColumnFacts, varies: float) -> Scored:
    named, within = hint("touchpoint", one.name), 2 * (varies > 0.3)
    fits = one.kind == "category" or (one.kind == "id" and named == 2)
    words = words_of(one.name)
    if not fits or one.numeric > 0.5 or one.distinct < 2 or not (named or within):
        return 0, ""
    if words & (_NO_TOUCHPOINT | _ID) or _names_a_case(one.name):
        return 0, ""
    flags = one.distinct <= 2 and {*map(str.lower, one.counts)} <= _FLAGS
    if flags or one.shape.startswith(_NO_NAMES) or (not named and is_of_people(one.name)):
        return 0, ""
    points = 2 * named + within + (one.distinct <= 200) - 4 * one.missing
    points -= 2 * (hint("channel", one.name) > named)
    points -= 3 * (named < 2 and hint("customer", one.name) == 2)
    vary = "" if math.isnan(varies) else f", which vary within {varies:.0%} of customers"
    return points, _said("touchpoint", one, f"{one.distinct:,} values{vary}")


def _as_channel(one: ColumnFacts) -> Scored:
    fits = one.kind == "category" and 1 < one.distinct <= 50 and one.numeric < 0.5
    fits &= not words_of(one.name) & _ID and not one.shape.startswith(_NO_NAMES)
    points = 2 * hint("channel", one.name) - (hint("touchpoint", one.name) == 2)
    return points * fits, _said("channel", one, counted(one.distinct, "value"))


def _as_value(one: ColumnFacts) -> Scored:
    fits = one.numeric == 1.0 and one.time is None and one.distinct > 1
    fits &= not words_of(one.name) & _ID
    spread = one.shape if one.kind == "id" else f"{one.low:,.6g} to {one.high:,.6g}"
    said = _said("value", one, spread)
    return 2 * hint("value", one.name) * fits, said


def _as_score(one: ColumnFacts) -> Scored:
    fits = one.numeric == 1.0 and one.low >= -10 and one.high <= 100 and one.distinct > 1
    return 2 * hint("score", one.name) * fits, _said("score", one, f"{one.low:g} to {one.high:g}")


def _as_seq(one: ColumnFacts) -> Scored:
    fits = one.numeric == 1.0 and one.whole and one.time is None and not one.n_missing
    fits &= "id" not in words_of(one.name)
    return 2 * hint("seq", one.name) * fits, _said("seq", one, "whole numbers")


_FIRST = {"customer": _as_customer, "timestamp": _as_time, "case": _as_case}
_THEN = {"channel": _as_channel, "value": _as_value, "score": _as_score, "seq": _as_seq}


def _variation(customers: Sequence[str | None], cells: Sequence[str | None]) -> tuple[float, bool]:
    """Return in what share of the customers with several cells these have several values.

    And whether most values are of one customer alone, as names and addresses are.
    """
    first: dict[str, str] = {}
    owner: dict[str, str] = {}
    again, several, shared = set(), set(), set()
    for customer, cell in zip(customers, cells, strict=True):
        if customer is None or cell is None:
            continue
        if customer in first:
            again.add(customer)
        if first.setdefault(customer, cell) != cell:
            several.add(customer)
        if owner.setdefault(cell, customer) != customer:
            shared.add(cell)
    alone = len(owner) > 3 and len(first) > 3 and len(shared) < 0.5 * len(owner)
    return (len(several) / len(again) if again else math.nan), alone


def row_kind(roles: Roles, facts: Mapping[str, ColumnFacts], sample: FileSample) -> tuple[str, str]:
    """Return what a row is, as `FileInspection.row_is` has it, and what speaks for it."""
    customer, touchpoint = roles.best("customer"), roles.best("touchpoint")
    case, total = roles.best("case"), roles.best("value")
    times = [one.column for one in roles.candidates["timestamp"] if one.score >= 3]
    rows, whose = math.nan, "no column of customers"
    if customer:
        rows = facts[customer].filled / facts[customer].distinct
        least = "" if sample.whole else "at least "
        whose = f"{least}{format_value(rows)} rows a value of {customer!r}"
    said = f"{counted(len(times), 'time column')} and {whose}"
    strong = touchpoint is not None and roles.candidates["touchpoint"][0].score >= 4
    cells = sample.columns
    if case and total and not strong and _only_on_first(cells[case], cells[total]):
        on_first = f"{total!r} stands on the first row of each alone"
        return "order line", f"{case!r} has {_repeats(facts[case])}, while {on_first}"
    key, outcomes = unique_id(facts), outcomes_of(facts)
    named = touchpoint is not None and hint("touchpoint", touchpoint) == 2  # as an event is
    if key and outcomes and len(times) >= 2 and not named:
        some = f"{', '.join(map(repr, outcomes[:4]))} in some rows only"
        return "case", f"{key!r} is another in every row, with times of {some}"
    if strong and times and rows > 1.05:
        return "event", f"{said}, and {touchpoint!r} varies within them"
    single = rows < 1.5 or (case and facts[case].distinct > 0.95 * facts[case].filled)
    if len(times) >= 2 and single and not strong:
        return "case", said
    if roles.candidates["score"] and rows < 1.5 and not strong:
        scores = ", ".join(repr(one.column) for one in roles.candidates["score"][:3])
        return "answer", f"{said}, with the scores {scores}"
    if touchpoint is not None and times:
        return "event", said
    if times and case and total:
        return "order", f"{said}, {case!r} with {total!r} and no touchpoint"
    return "unknown", said


def unique_id(facts: Mapping[str, ColumnFacts]) -> str | None:
    """Return the first column of ids of which every row has another."""
    return next(
        (
            name
            for name, one in facts.items()
            if one.distinct == one.n > 1
            and (words_of(name) & _ID or _names_a_case(name))
            and one.kind != "time"
        ),
        None,
    )


def outcomes_of(facts: Mapping[str, ColumnFacts]) -> list[str]:
    """Return the columns of times at which some rows, and not all, came to an end."""
    return [
        name
        for name, one in facts.items()
        if one.readings and one.n_missing and is_outcome(name) and not words_of(name) & NO_STEP
    ]


def is_outcome(name: str) -> bool:
    """Return whether a name speaks of an end."""
    return bool(words_of(name) & _OUTCOMES)


def _only_on_first(cases: Sequence[str | None], totals: Sequence[str | None]) -> bool:
    """Return whether cases repeat, and have their total on the first row alone."""
    seen: set[str] = set()
    later = bare = without = 0
    for case, total in zip(cases, totals, strict=True):
        if case in seen:
            later, bare = later + 1, bare + (total is None)
        elif case is not None:
            seen.add(case)
            without += total is None
    return later > 0.05 * len(seen) and bare > 0.95 * later and without < 0.05 * len(seen)
