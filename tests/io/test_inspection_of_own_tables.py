"""Tables outside the known layouts: what is proposed runs, and what is of persons is not shown."""

from __future__ import annotations

import json
import shlex
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import cxjourney as cx
from cxjourney.cli._input import opened
from cxjourney.cli._main import main, parsed

START = datetime(2025, 3, 3, 9)  # noqa: DTZ001 - of a clock
ROWS = [  # forty customers, of whom every third orders
    (f"C{1000 + 7 * i}", what, START + timedelta(days=2 * i, hours=k))
    for i in range(40)
    for k, what in enumerate(("visit", "cart", "order")[: 3 if i % 3 == 0 else 2])
]


def written(folder, lines, name="table.csv", encoding="utf-8"):
    (folder / name).write_text("\n".join(lines), encoding=encoding)
    return name


def run(command, python):
    """Return the log and the journeys of both, run as they are printed."""
    before, _, after = command.rpartition("\nEND\n")
    if before:  # a layout, as a shell writes it
        first, _, text = before.partition("\n")
        Path(first.split()[2]).write_text(f"{text}\n", encoding="utf-8")
    given, names = opened(parsed(shlex.split(after)[1:])), {}
    exec(python, names)  # noqa: S102 - the lines that are printed must run
    assert names["log"] == given.log
    return [(given.log, given.journeys), (names["log"], names["journeys"])]


def check(found, *, rows, customers, conversions):
    """Compare what is proposed with the counts that are known."""
    assert found.obstacles == ()
    for log, journeys in run(found.commands[0], found.python[0]):
        assert (len(log), log.n_customers) == (rows, customers)
        assert journeys.outcomes[cx.Outcome.CONVERTED] == conversions


def columns_of(found, role):
    return [row["column"] for row in found.roles if row["role"] == role]


def deals():
    """Return deals of 20 contacts with two each: every third is won, every third lost."""
    head = "Deal ID;Titel;Contact ID;Stage;Status;Value;Deal created;Stage change;Update time;"
    lines = [head + "Won time;Lost time;Expected close;Next activity date"]
    for i in range(40):
        at = START + timedelta(days=3 * i)
        status = ("Won", "Lost", "Open")[i % 3]
        ended = f"{at + timedelta(days=20):%d.%m.%Y %H:%M}"
        cells = [
            *(f"{900 + i}", f"Fräsmaschine {i}", f"{70 + i % 20}", f"Phase {i % 4}", status),
            f"{100 + i},50",
            f"{at:%d.%m.%Y %H:%M}",
            f"{at + timedelta(days=4, hours=1):%d.%m.%Y %H:%M}",
            f"{at + timedelta(days=200, minutes=i):%d.%m.%Y %H:%M}",
            ended if status == "Won" else "",
            ended if status == "Lost" else "",
            f"{at + timedelta(days=60):%d.%m.%Y %H:%M}",
            f"{at + timedelta(days=70):%d.%m.%Y %H:%M}" if status == "Open" else "",
        ]
        lines.append(";".join(cells))
    return lines


def test_one_row_a_deal_is_a_case_of_its_contact(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = cx.inspect_file(written(tmp_path, deals(), encoding="cp1252"))
    assert found.row_is == "case"
    assert columns_of(found, "customer") == ["Contact ID"]
    assert columns_of(found, "journey") == ["Deal ID"]
    steps = ["Deal created", "Stage change", "Won time", "Lost time"]
    assert sorted(columns_of(found, "timestamp")) == sorted(steps)
    check(found, rows=40 * 2 + 14 + 13, customers=20, conversions=14)
    for log, journeys in run(found.commands[0], found.python[0]):
        assert journeys.outcomes[cx.Outcome.DROPPED] == 13
        assert journeys.outcomes[cx.Outcome.IN_PROGRESS] == 13
        assert len(log) == 107


def test_incidents_are_cases(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["number,caller_id,opened_at,sys_updated_on,resolved_at,closed_at,due_date"]
    for i in range(30):
        at = START + timedelta(days=i)
        resolved = f"{at + timedelta(hours=5):%Y-%m-%d %H:%M}" if i % 5 else ""
        closed = f"{at + timedelta(days=2):%Y-%m-%d %H:%M}" if i % 5 > 1 else ""
        later = f"{at + timedelta(days=9):%Y-%m-%d %H:%M}"
        lines.append(
            f"INC{i:05},P{i % 12:03},{at:%Y-%m-%d %H:%M},{later},{resolved},{closed},{later}"
        )
    found = cx.inspect_file(written(tmp_path, lines))
    assert found.row_is == "case"
    assert columns_of(found, "timestamp") == ["opened_at", "resolved_at", "closed_at"]
    check(found, rows=30 + 24 + 18, customers=12, conversions=18)


def test_a_state_names_the_end_of_a_case(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["opportunity_id,account,deal_stage,engage_date,close_date,close_value"]
    for i in range(60):
        at = START + timedelta(days=i)
        stage = ("Won", "Lost", "Engaging")[i % 3]
        closed = "" if stage == "Engaging" else f"{at + timedelta(days=20):%m/%d/%Y}"
        account = "" if i % 6 == 0 else f"Company {i % 7}"
        value = {"Won": "100", "Lost": "0"}.get(stage, "")
        lines.append(f"O{i:04},{account},{stage},{at:%m/%d/%Y},{closed},{value}")
    found = cx.inspect_file(written(tmp_path, lines))
    assert found.row_is == "case"
    # ten deals have no account: each is a customer of its own beside the seven
    check(found, rows=60 + 40, customers=7 + 10, conversions=20)
    assert any(
        odd.startswith("10 rows have no 'account': each is read as a customer of its own")
        for odd in found.odd
    )
    assert "is of a customer of its own, named by the second\ncustomer = [" in found.commands[0]
    names: dict[str, object] = {}
    exec(found.python[0], names)  # noqa: S102 - the lines that are printed must run
    assert names["log"].intake.naive == 60 + 40  # not the times of deals that are open
    full = [line for line in lines if ",," not in line]
    assert not any("of its own" in odd for odd in cx.inspect_file(written(tmp_path, full)).odd)
    wide = cx.from_wide(
        {"id": ["a", "b"], "won": ["2026-01-02", None], "made": ["2026-01-01", "2026-01-03"]},
        customer="id",
        steps={"made": "made", "won": "won"},
    )
    assert wide.intake.naive == 3


def test_a_report_names_no_layout_that_is_yet_to_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = ["deal_id,account,deal_stage,engage_date,close_date"]
    for i in range(60):
        at, stage = START + timedelta(days=i), ("Won", "Lost", "Engaging")[i % 3]
        closed = f"{at + timedelta(days=20):%m/%d/%Y}" if i % 3 < 2 else ""
        lines.append(f"D{i:04},Company {i % 7},{stage},{at:%m/%d/%Y},{closed}")
    file = written(tmp_path, lines)
    assert main(["report", file]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"cxjourney: try: cxjourney inspect {file}"
    # it is there: then the one option that is missing is told
    layout = cx.inspect_file(file).commands[0].partition("\n")[2].partition("END\n")[0]
    (tmp_path / "own.toml").write_text(layout)
    assert main(["report", file, "--layout", "own.toml"]) == 2
    to_type = capsys.readouterr().err.splitlines()[-1]
    assert f"report {file} --layout own.toml --timestamp-format %m/%d/%Y" in to_type
    (tmp_path / "broken.toml").write_text("name =")
    for option in ("nowhere.toml", "broken.toml"):
        assert main(["report", file, "--layout", option]) == 2
        assert "try:" not in capsys.readouterr().err


def events(head, cells):
    lines = [f"time,event,{head}"]
    return [
        *lines,
        *(f"{at:%Y-%m-%d %H:%M},{what},{cells(n, who)}" for n, (who, what, at) in enumerate(ROWS)),
    ]


def test_the_customer_that_loses_markedly_fewer_rows_is_proposed(tmp_path):
    lines = events(
        "customer_id,email",
        lambda n, who: f"{'' if n % 7 == 0 else who},{who if n % 50 else ''}@x.org".replace(
            ",@x.org", ","
        ),
    )
    found = cx.inspect_file(tmp_path / written(tmp_path, lines))
    (row,) = [row for row in found.roles if row["role"] == "customer"]
    assert row["column"] == "email"
    assert "and 'customer_id' in 1" in row["why"]
    lines = events("customer_id,email", lambda _, who: f"{who},{who}@x.org")
    found = cx.inspect_file(tmp_path / written(tmp_path, lines))
    assert columns_of(found, "customer") == ["customer_id"]


PERSONS = {
    "RecipientLastName": ("Maier", "Huber"),
    "FirstName": ("Ada", "Carl"),
    "company": ("Acme", "Umbrella"),
    "city": ("Linz", "Graz"),
    "agent": ("Tom", "Eve"),
    "Contact channel": ("0660 1", "0660 2"),
    "plan": ("basic", "gold"),
}


def test_what_is_of_persons_is_told_by_its_form(tmp_path):
    names = [*PERSONS, "channel"]
    lines = events(
        "user_id," + ",".join(names),
        lambda n, who: ",".join(
            [who, *(PERSONS[name][n % 2] for name in PERSONS), ("web", "app")[n % 2]]
        ),
    )
    found = cx.inspect_file(tmp_path / written(tmp_path, lines))
    said = f"{found}{found._repr_html_()}{json.dumps(found.to_dict())}"
    for values in PERSONS.values():
        for value in values:
            assert f"'{value}'" not in said
    assert "'web'" in said
    assert "'visit'" in said


def test_kinds_of_devices_and_visitors_are_no_customers(tmp_path):
    names = ["device.category", "device brand", "UserLanguage", "visitorType", "deviceType"]
    lines = events(
        ",".join(["visitorId", "order_no", *names]),
        lambda n, who: ",".join([who, f"{113556001 + n}", *(f"k{n % 4}" for _ in names)]),
    )
    found = cx.inspect_file(tmp_path / written(tmp_path, lines))
    could = {row["column"]: row["could_be"] for row in found.columns}
    assert "customer" in could["visitorId"]
    for name in names:
        assert "customer" not in could[name]
    cells = {row["column"]: row["cells"] for row in found.columns}
    assert cells["order_no"] == "9 digits"
    assert "e+0" not in str(found)


@pytest.mark.parametrize(
    ("name", "values", "goal"),
    [
        ("visitEcommerceStatus", ("none", "ordered"), "ordered"),
        ("converted", ("0", "1"), "1"),
    ],
)
def test_conversions_in_a_column_of_their_own_are_taken_by_the_second_command(
    tmp_path, monkeypatch, name, values, goal
):
    monkeypatch.chdir(tmp_path)
    lines = [f"visitorId,serverTime,action,{name}"]
    for i in range(60):
        at = START + timedelta(days=i, hours=i % 5)
        action = ("home", "search", "info")[i % 3]
        lines.append(f"v{i % 25:03},{at:%Y-%m-%d %H:%M},{action},{values[i % 6 == 5]}")
    found = cx.inspect_file(written(tmp_path, lines))
    assert len(found.commands) == 2
    assert any(f"--touchpoint {name} --goal {goal}" in sentence for sentence in found.odd)
    for log, journeys in run(found.commands[1], found.python[1]):
        assert (len(log), log.n_customers) == (60, 25)
        assert journeys.outcomes[cx.Outcome.CONVERTED] == 10


def test_a_status_is_the_touchpoint_where_nothing_else_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["visitor_id,visit_time,is_converted"]
    lines += [f"v{i % 5},2026-01-{i % 28 + 1:02} 10:00,{int(i % 4 == 0)}" for i in range(40)]
    found = cx.inspect_file(written(tmp_path, lines))
    assert columns_of(found, "touchpoint") == ["is_converted"]
    assert "--touchpoint is_converted --goal 1" in found.commands[0]
    check(found, rows=40, customers=5, conversions=10)


def test_events_stay_events_beside_the_times_of_their_cases(tmp_path):
    head = "event_id,ticket_created_at,ticket_closed_at,user_id"
    cells = "{n},2026-01-01 10:00,{closed},{who}"
    lines = events(
        head, lambda n, who: cells.format(n=n, who=who, closed="2026-02-01 10:00" * (n % 3 > 0))
    )
    assert cx.inspect_file(tmp_path / written(tmp_path, lines)).row_is == "event"


def test_a_role_that_cannot_be_read_is_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = events("user_id,amount,currency", lambda n, who: f"{who},{n},{('EUR', '')[n % 2]}")
    lines += [lines[-1].replace("EUR", "").rstrip(",") + ",USD"]
    found = cx.inspect_file(written(tmp_path, lines))
    assert found.commands
    for command, python in zip(found.commands, found.python, strict=True):
        run(command, python)


def test_a_layout_that_does_not_read_the_rows_is_said_plainly(tmp_path):
    lines = ["Name,Email,Financial Status,Currency,Total,Created at,Lineitem name"]
    for i in range(6):
        code = ("EUR", "USD")[i % 2]
        lines.append(f"#{i},c{i % 3}@x.org,paid,{code},{i}.0,2026-01-0{i + 1} 10:00,thing")
    found = cx.inspect_file(tmp_path / written(tmp_path, lines))
    assert found.layouts == ("shopify-orders",)
    assert found.commands == ()
    (said,) = found.obstacles
    assert said.startswith("the rows cannot be read by the layout 'shopify-orders': ")
    assert "EUR" in said
