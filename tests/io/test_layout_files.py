"""Layouts as data: what a file of one may say, how it is recognised, and who has the last word."""

# ruff: noqa: E501 - a case is a line
from __future__ import annotations

import attrs
import pytest

import cxjourney as cx
from cxjourney.exceptions import InputFileError, InvalidData, InvalidValue, UnknownName
from cxjourney.io import file_columns, layout_of, layouts, recognise

PLAIN = """
name = "desk"
title = "Our own desk"
form = "cases"
goal = ["done"]
[recognised]
all = ["case", "begun"]
[columns]
customer = ["mail", "phone"]
[[steps]]
timestamp = "begun"
name = "begun"
[[steps]]
timestamp = "ended"
name = "done"
main = true
score = { first = ["smile"], values = { yes = "1", no = "0" } }
"""


@pytest.fixture
def layout(tmp_path):
    """Return a function that writes a layout and gives its path."""

    def write(text=PLAIN):
        path = tmp_path / "desk.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text(
        "case,mail,phone,begun,ended,smile,stars\n"
        "1,a@x.org,,2026-01-05 08:00,2026-01-06 08:00,yes,5\n"
        "2,,555,2026-01-05 09:00,,,\n"
        "3,,555,,,,\n",
        encoding="utf-8",
    )
    return path


def rows(log):
    found = [(i.customer.id, i.touchpoint.name, i.score) for i in log.interactions()]
    return sorted(found, key=lambda row: row[0])


def test_a_layout_of_ones_own_is_read_from_its_file(layout, table):
    log = cx.read_csv(table, layout=layout())
    assert rows(log) == [
        ("555", "begun", None),
        ("a@x.org", "begun", None),
        ("a@x.org", "done", 1.0),
    ]
    assert log.intake.dropped == {"rows of the table with no dated step": 1}
    assert cx.read_csv(table, layout=str(layout())) == log


def test_what_is_given_takes_the_place_of_what_the_layout_says(layout, table):
    log = cx.read_csv(table, layout=layout(), customer="case", score="stars", tz="Europe/Prague")
    assert rows(log) == [("1", "begun", None), ("1", "done", 5.0), ("2", "begun", None)]
    assert f"{log.observed_until:%d %H:%M}" == "06 07:00"
    kept = cx.read_csv(table, layout=layout(), attributes=["smile"])
    assert set(kept.columns.attributes) == {"smile"}


@pytest.mark.parametrize("role", ["timestamp", "touchpoint"])
def test_steps_keep_their_own_times_and_names(layout, table, role):
    with pytest.raises(InvalidValue, match=f"{role}= must be left out with the layout 'desk'"):
        cx.read_csv(table, layout=layout(), **{role: "begun"})


@pytest.mark.parametrize("argument", ["customer", "score", "attributes"])
def test_a_column_that_is_asked_for_has_to_be_there(layout, table, argument):
    with pytest.raises(UnknownName, match=f"{argument}= column 'fone'.*did you mean 'phone'"):
        cx.read_csv(table, layout=layout(), **{argument: "fone"})


def test_a_file_of_another_layout_is_refused_by_what_it_lacks(layout, tmp_path):
    file = tmp_path / "other.csv"
    file.write_text("who,begun\na,2026-01-05\n", encoding="utf-8")
    with pytest.raises(UnknownName, match="customer column of the layout 'desk', 'mail' is not in"):
        cx.read_csv(file, layout=layout())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ended"', '"end"', r"\[\[steps\]\] number 2, timestamp of the layout 'desk': column 'end' is not in .*; did you mean 'ended'"),
        ('["smile"]', '["smiles"]', r"\[\[steps\]\] number 2, score of the .* column 'smiles' .*; did you mean 'smile'"),
        ("main = true", 'when = { first = ["star", "state"], are = ["5"] }', r"number 2, when of the .* column 'star' .*; did you mean 'stars'"),
        ('"begun"\nname = "begun"', '"begun"\ntouchpoint = { first = ["mail"], when = { first = ["Phones"], are = ["5"] } }', "number 1, touchpoint of the .* column 'Phones' .* did you mean 'phone'"),
        ("[columns]", '[columns]\nowner = "team"', r"\[columns\] owner of the .* column 'team' is not in"),
        ("[columns]", '[[leave_out]]\nfirst = ["kind"]\nare = ["test"]\nbecause = "a test"\n[columns]', r"\[\[leave_out\]\] number 1 of the .* column 'kind' is not in"),
    ],
)  # fmt: skip
def test_columns_that_a_file_lacks_are_refused_where_the_layout_is_ones_own(
    layout, table, old, new, message
):
    own = layout(PLAIN.replace(old, new, 1))
    for one in (own, layout_of(own)):
        with pytest.raises(UnknownName, match=message):
            cx.read_csv(table, layout=one)


def test_what_a_layout_gives_another_way_may_lack_a_column(layout, table):
    there = (
        '[columns]\nchannel = { first = ["team"], constant = "mail" }\nowner = ["team", "phone"]'
    )
    further = '\n[attributes]\nplan = "tariff"\n'
    log = cx.read_csv(table, layout=layout(PLAIN.replace("[columns]", there) + further))
    assert log.channels == ("mail",)
    # what the caller names stands in place of what is not there
    own = layout(PLAIN.replace("[columns]", '[columns]\nowner = "team"'))
    assert len(cx.read_csv(table, layout=own, owner="phone")) == len(log)


def test_a_layout_of_the_library_takes_what_an_export_has(table):
    (posthog,) = (one for one in layouts() if one.name == "posthog")
    table.write_text("uuid,event,timestamp,distinct_id\n1,visit,2026-01-05T08:00:00Z,a\n")
    assert posthog.lacking(file_columns(table)) is not None
    assert len(cx.read_csv(table, layout="posthog")) == 1


def test_a_misspelt_file_of_a_layout_is_told_with_the_nearest(layout, table):
    layout()
    (table.parent / "desk.csv").touch()
    with pytest.raises(
        InputFileError, match=r"no layout '.*dsek.toml'; did you mean 'desk.toml'\?"
    ):
        cx.read_csv(table, layout=table.parent / "dsek.toml")


def test_without_a_layout_the_columns_are_needed_as_before(table):
    with pytest.raises(InvalidValue, match="customer= must be the name of a column"):
        cx.read_csv(table, timestamp="begun", touchpoint="case")


def test_rows_without_a_customer_are_refused_with_their_numbers_in_the_file(layout, tmp_path):
    file = tmp_path / "cases.csv"
    file.write_text(
        "case,mail,begun,ended,state,smile\n1,a,2026-01-05,,spam,\n2,,2026-01-05,,,\n3,b,2026-01-05,,,\n",
        encoding="utf-8",
    )
    leave_out = '[[leave_out]]\nfirst = ["state"]\nare = ["spam"]\nbecause = "spam"\n'
    own = layout(PLAIN + leave_out)
    with pytest.raises(InvalidData, match="customer is missing in 1 row: 1;"):
        cx.read_csv(file, layout=own)
    log = cx.read_csv(file, layout=own, missing="drop")
    assert log.customer_ids == ("b",)
    assert log.intake.dropped == {
        "customer is missing": 1,
        "rows of the table with spam": 1,
    }


@pytest.mark.parametrize(
    ("cell", "message"),
    [("soon", "ended such as 'soon' cannot be read in 1 row: 2"), ("2026-13-01", "in 1 row: 2")],
)
def test_times_that_cannot_be_read_are_refused_with_their_numbers_in_the_file(
    layout, tmp_path, cell, message
):
    file = tmp_path / "cases.csv"
    file.write_text(
        f"case,mail,begun,ended,state,smile\n1,a,2026-01-05,,spam,\n2,b,2026-01-05,,,\n3,b,,{cell},,\n",
        encoding="utf-8",
    )
    leave_out = '[[leave_out]]\nfirst = ["state"]\nare = ["spam"]\nbecause = "spam"\n'
    with pytest.raises(InvalidData, match=message):
        cx.read_csv(file, layout=layout(PLAIN + leave_out))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", 1234.5),
        ("1,234,567", 1234567.0),
        ("-3", -3.0),
        ("1e3", 1000.0),
        (" 7 ", 7.0),
        ("1 234", 1234.0),
    ],
)
def test_numbers_may_have_commas_between_thousands(layout, tmp_path, text, value):
    file = tmp_path / "cases.csv"
    file.write_text(f'mail;case;begun;ended;stars\na;1;2026-01-05;2026-01-06;"{text}"\n')
    log = cx.read_csv(file, layout=layout(), score="stars")
    assert rows(log)[-1][-1] == value


@pytest.mark.parametrize(
    "text", ["1,234", "1,23", "12,3456", "1_000", "five", "nan", "inf", "1.234,5"]
)
def test_what_is_no_number_is_refused(layout, tmp_path, text):
    file = tmp_path / "cases.csv"
    file.write_text(f'mail;case;begun;ended;stars\na;1;2026-01-05;2026-01-06;"{text}"\n')
    with pytest.raises(InvalidData, match="score is no number in 1 row: 0"):
        cx.read_csv(file, layout=layout(), score="stars")


def test_ids_give_way_to_pseudonyms_in_every_place(layout, table):
    key = cx.privacy.PseudonymKey(bytes(range(32)))
    plain = cx.read_csv(table, layout=layout())
    log = cx.read_csv(table, layout=layout(), pseudonyms=key)
    assert len(log.customer_ids) == len(plain.customer_ids) == 2
    assert not {*log.customer_ids} & {*plain.customer_ids}
    own = PLAIN.replace('timestamp = "ended"', 'timestamp = ["ended", "mail"]')
    with pytest.raises(InvalidValue, match="timestamp must not name a column of ids"):
        cx.read_csv(table, layout=layout(own), pseudonyms=key)  # a message would show a cell
    layout()
    for name in ("mail", "phone"):  # either holds ids
        with pytest.raises(InvalidValue, match="not name a column of ids"):
            cx.read_csv(table, layout=layout(), pseudonyms=key, attributes=[name])


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ('name = "desk"', 'nmae = "desk"', UnknownName, "key 'nmae' is not in the top of 'desk.toml'; did you mean 'name'"),
        ('form = "cases"', 'form = "case"', InvalidValue, "form of 'desk.toml' must be one of 'events', 'cases'"),
        ('customer = ["mail", "phone"]', "", InvalidValue, r"\[columns\] of 'desk.toml' must have the key 'customer'"),
        ('customer = ["mail", "phone"]', "customer = 7", InvalidValue, r"\[columns\] customer of 'desk.toml' must be a"),
        ('customer = ["mail", "phone"]', 'custmer = ["mail"]', UnknownName, r"key 'custmer' is not in \[columns\].*did you mean 'customer'"),
        ('customer = ["mail", "phone"]', 'customer = { frist = ["mail"] }', UnknownName, r"key 'frist' is not in \[columns\] customer.*'first'"),
        ('customer = ["mail", "phone"]', 'customer = { constant = "x" }', InvalidValue, r"\[columns\] customer of 'desk.toml' must name columns"),
        ('customer = ["mail", "phone"]', 'customer = ["mail", []]', InvalidValue, r"\[columns\] customer of 'desk.toml' must be a column or a list"),
        ("main = true", "main = 1", InvalidValue, r"\[\[steps\]\] number 2, main of 'desk.toml' must be true or false"),
        ('name = "done"', "", InvalidValue, r"\[\[steps\]\] number 2 of 'desk.toml' must have either a name or a touchpoint"),
        ('all = ["case", "begun"]', "", InvalidValue, r"\[recognised\] of 'desk.toml' must name columns"),
        ('goal = ["done"]', 'tz = "Europe/Pragg"', UnknownName, "Europe/Prague"),
        ('goal = ["done"]', "header_rows = 0", InvalidValue, "header_rows of 'desk.toml' must be at least 1"),
        ('goal = ["done"]', 'timestamp_unit = "min"', InvalidValue, "timestamp_unit must be one of 's'"),
        ('goal = ["done"]', 'goal = [""]', InvalidValue, "goal of 'desk.toml' must be a list of names"),
        ('goal = ["done"]', "goal =", InputFileError, r"'desk.toml' is no TOML: .*line 5"),
        ('customer = ["mail", "phone"]', 'customer = "mail"\ntimestamp = "begun"', InvalidValue, r"have no timestamp beside \[\[steps\]\]"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_told_with_its_place(layout, old, new, error, message):
    assert old in PLAIN
    with pytest.raises(error, match=message):
        layout_of(layout(PLAIN.replace(old, new)))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("zendesk", UnknownName, "layout 'zendesk' is not in the list of layouts; did you mean"),
        (
            "nowhere/own.toml",
            InputFileError,
            "there is no layout 'nowhere/own.toml'; `cxjourney inspect` on",
        ),
        (7, InvalidValue, "layout must be the name of a layout or the path of a TOML file"),
    ],
)
def test_a_layout_that_is_not_there_is_told(table, given, error, message):
    with pytest.raises(error, match=message):
        cx.read_csv(table, layout=given)


def test_every_layout_says_where_it_is_from_and_what_it_is_told_by():
    found = layouts()
    assert len(found) >= 15
    assert len({layout.name for layout in found}) == len(found)
    for layout in found:
        assert layout.page.startswith("https://"), layout.name
        assert layout.title
        assert layout.name == layout.name.lower()
        assert attrs.evolve(layout) == layout


def test_a_header_is_told_by_the_columns_that_it_has(tmp_path):
    shopify = ["Name", "Email", "Financial Status", "Total", "Created at", "Lineitem name"]
    assert [layout.name for layout in recognise(shopify)] == ["shopify-orders"]
    (near,) = (one for one in layouts() if one.name == "shopify-orders")
    assert near.missing(shopify) == ()
    assert near.missing(shopify[:-1]) == ("Lineitem name or Lineitem quantity",)
    assert near.missing(["Name"]) == (
        "Financial Status", "Created at", "Lineitem name or Lineitem quantity", "Total or Subtotal",
    )  # fmt: skip
    assert recognise(["user_id", "timestamp", "event", "channel"]) == ()
    assert recognise([]) == ()
    events = tmp_path / "events.jsonl"
    events.write_text('{"event": "x", "properties": {"time": 1, "distinct_id": "a"}}\n')
    assert [layout.name for layout in recognise(file_columns(events))] == ["mixpanel"]
