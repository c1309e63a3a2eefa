"""An attack: through every door, look for the ids behind the pseudonyms wherever they could be."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import pickle
import sqlite3
import subprocess
import sys
import types
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName

KEY = cx.privacy.PseudonymKey(bytes(range(32)))
MARK = "ORIGINAL"  # in every id, and in nothing else
ROLES = {"customer": "who", "timestamp": "at", "touchpoint": "what"}
IDS = {"account": "firm", "journey": "case", "issue": "ticket"}
TOUCHPOINTS = ("ad", "web", "cart", "buy")


def table(n: int = 300) -> dict[str, list[str | None]]:
    """Return rows of customers, accounts, cases and tickets whose ids bear the mark."""
    at = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=7 * i) for i in range(n)]
    return {
        "who": [f"{MARK}-customer-{i % 97}@example.org" for i in range(n)],
        "at": [moment.isoformat() for moment in at],
        "what": [TOUCHPOINTS[i % 5 % 4] for i in range(n)],
        "firm": [f"{MARK}-firm-{i % 97 % 9}" for i in range(n)],
        "case": [f"{MARK}-case-{i}" for i in range(n)],
        "ticket": [f"{MARK}-ticket-{i % 41}" if i % 3 else None for i in range(n)],
    }


def from_interactions(data, folder, **further):
    items = [
        cx.Interaction(
            customer=cx.Customer(who, account=cx.Account(firm, attributes={"size": 3})),
            touchpoint=what,
            timestamp=datetime.fromisoformat(at),
            journey=case,
            issue=ticket,
        )
        for who, at, what, firm, case, ticket in zip(*data.values(), strict=True)
    ]
    return cx.InteractionLog.from_interactions(items, **further)


def framed(make):
    def door(data, folder, **further):
        return cx.InteractionLog.from_frame(make(data), **ROLES, **IDS, **further)

    return door


def read_csv(data, folder, **further):
    file = folder / "hits.csv.gz"
    with gzip.open(file, "wt") as stream:
        pd.DataFrame(data).to_csv(stream, index=False)
    return cx.read_csv(file, **ROLES, **IDS, **further)


def read_parquet(data, folder, **further):
    file = folder / "hits.parquet"
    pl.DataFrame(data).write_parquet(file)
    return cx.read_parquet(file, **ROLES, **IDS, **further)


def read_json(data, folder, **further):
    file = folder / "hits.jsonl"
    rows = zip(*data.values(), strict=True)
    file.write_text("\n".join(json.dumps(dict(zip(data, row, strict=True))) for row in rows))
    return cx.read_json(file, **ROLES, **IDS, **further)


def read_excel(data, folder, **further):
    file = folder / "hits.ods"
    rows = [tuple(data), *zip(*data.values(), strict=True)]
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p>'
            "</table:table-cell>"
            if cell is not None
            else "<table:table-cell/>"
            for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    oasis = "urn:oasis:names:tc:opendocument:xmlns"
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr(
            "META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{oasis}:manifest:1.0"/>'
        )
        book.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{oasis}:office:1.0" '
            f'xmlns:table="{oasis}:table:1.0" xmlns:text="{oasis}:text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="Hits">{cells}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return cx.read_excel(file, **ROLES, **IDS, **further)


def read_sql(data, folder, **further):
    with contextlib.closing(sqlite3.connect(folder / "hits.db")) as connection:
        pd.DataFrame(data).to_sql("hits", connection, index=False)
        return cx.read_sql("SELECT * FROM hits", connection, **ROLES, **IDS, **further)


def read_xes(data, folder, **further):
    file = folder / "hits.xes"
    traces = "".join(
        f'<trace><string key="concept:name" value="{case}"/><string key="who" value="{who}"/>'
        f'<string key="firm" value="{firm}"/><event><string key="concept:name" value="{what}"/>'
        f'<string key="time:timestamp" value="{at}"/>'
        + (f'<string key="ticket" value="{ticket}"/>' if ticket else "")
        + "</event></trace>"
        for who, at, what, firm, case, ticket in zip(*data.values(), strict=True)
    )
    file.write_text(f"<log>{traces}</log>")
    return cx.read_xes(file, customer="case:who", account="case:firm", issue="ticket", **further)


def from_wide(data, folder, **further):
    wide = {"who": data["who"], "case": data["case"], "firm": data["firm"], "ad": data["at"]}
    further["customer"] = "who"
    return cx.from_wide(wide, steps={"ad": "ad"}, journey="case", account="firm", **further)


def from_sequences(data, folder, **further):
    first = [data["who"].index(who) for who in dict.fromkeys(data["who"])]
    states = {"who": [data["who"][i] for i in first], "jan": [data["what"][i] for i in first]}
    return cx.from_sequences(states, customer="who", states={"jan": "2026-01-01"}, **further)


def layout(data, folder, **further):
    file = folder / "tracks.csv"
    tracks = {
        "user_id": data["who"],
        "anonymous_id": [f"{MARK}-device-{who}" for who in data["who"]],
        "received_at": data["at"],
        "timestamp": data["at"],
        "event_text": data["what"],
    }
    pd.DataFrame(tracks).to_csv(file, index=False)
    return cx.read_csv(file, layout="segment", **further)


DOORS = {
    "from_interactions": from_interactions,
    "mapping": framed(lambda data: data),
    "arrays": framed(lambda data: {k: np.array(v, dtype=object) for k, v in data.items()}),
    "pandas": framed(pd.DataFrame),
    "categories": framed(lambda data: pd.DataFrame(data).astype("category")),
    "polars": framed(pl.DataFrame),
    "lazy": framed(pl.LazyFrame),
    "arrow": framed(pa.table),
    "duckdb": framed(lambda data: duckdb.from_arrow(pa.table(data))),
    "read_csv": read_csv,
    "read_parquet": read_parquet,
    "read_json": read_json,
    "read_excel": read_excel,
    "read_sql": read_sql,
    "read_xes": read_xes,
    "layout": layout,
    "from_wide": from_wide,
    "from_sequences": from_sequences,
}
NOT_OURS = (type, types.ModuleType, types.CodeType, types.BuiltinFunctionType)


def references(item):
    """Return what an object refers to, also where the garbage collector does not look."""
    if isinstance(item, np.ma.MaskedArray):
        return [np.ma.getdata(item), np.ma.getmask(item)]
    if isinstance(item, np.ndarray):
        base = [] if item.base is None else [item.base]
        return [*base, item.tobytes()] if item.dtype != object else [*base, *item.ravel().tolist()]
    if isinstance(item, types.FunctionType):  # not its globals, which are those of a module
        cells = [cell.cell_contents for cell in item.__closure__ or ()]
        return [*cells, item.__defaults__, item.__kwdefaults__]
    if isinstance(item, types.FrameType):
        return [item.f_locals]
    return gc.get_referents(item)


def found_in(*roots, modules=False):
    """Return what bears the mark among all that can be reached, through modules if need be."""
    seen, waiting, found = set(), list(roots), []
    kept = []  # so that no number is given twice
    while waiting:
        item = waiting.pop()
        if id(item) in seen or (isinstance(item, NOT_OURS) and not modules):
            continue
        seen.add(id(item))
        kept.append(item)
        if isinstance(item, str) and MARK in item:
            found.append(item)
        elif isinstance(item, (bytes, bytearray, memoryview)):
            if MARK.encode() in bytes(item):
                found.append(bytes(item)[:80])
        elif not isinstance(item, (str, int, float)):
            waiting += (
                gc.get_referents(item)
                if modules and isinstance(item, NOT_OURS)
                else references(item)
            )
    return found


def test_the_attack_finds_what_is_there(tmp_path):
    for door in DOORS.values():
        assert found_in(door(table(), tmp_path))
        (tmp_path / "hits.db").unlink(missing_ok=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder for files; all temporary ones would go to another one, which stays empty."""
    traces, own = tmp_path / "traces", tmp_path / "own"
    traces.mkdir()
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(traces))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(traces)
    yield own
    assert not [*traces.rglob("*")]


@pytest.mark.parametrize("door", DOORS)
def test_neither_log_nor_journeys_nor_results_refer_to_an_original(door, folder):
    data = table()
    log = DOORS[door](data, folder, pseudonyms=KEY)
    assert log.key_id == KEY.key_id
    assert set(log.customer_ids) == {KEY.pseudonym(who) for who in data["who"]}
    log.customer_number(log.customer_ids[0])  # fills what is looked up
    journeys = log.journeys(goal="ad", inactivity=timedelta(days=3))
    results = [
        cx.dropoff.exits(journeys),
        cx.sequences.paths(journeys),
        cx.findings(journeys),
        log.audit(),
        journeys.graph(),
    ]
    report = cx.report.build(journeys)
    given = [log.to_frame("pandas").to_csv(), *map(repr, log.interactions()), *map(repr, journeys)]
    shown = [*map(repr, (log, journeys, *results)), report.to_text(), json.dumps(report.to_dict())]
    dumped = [pickle.dumps(one) for one in (log, journeys, *results)]
    assert not found_in(log, journeys, results, report, given, shown, dumped)


EVERYWHERE = """
import gc, sys
from pathlib import Path
import narwhals._pandas_like.utils
sys.path.insert(0, {here!r})
import test_nothing_refers_to_originals as attack
attack.MARK = "".join(reversed("LANIGIRO-REHTONA"))
logs = [
    door(attack.table(), Path({folder!r}), pseudonyms=attack.KEY)
    for name, door in attack.DOORS.items()
]
journeys = [log.journeys(goal="ad") for log in logs]
# narwhals remembers the last types of columns that it saw, with the categories of pandas
for remembered in vars(narwhals._pandas_like.utils).values():
    getattr(remembered, "cache_clear", lambda: None)()
gc.collect()
found = attack.found_in(*gc.get_objects(), modules=True)
assert found == [attack.MARK], found[:5]
logs.append(attack.table())
assert len(attack.found_in(*gc.get_objects(), modules=True)) > 300
"""


@pytest.mark.slow
def test_nothing_in_the_process_refers_to_an_original_once_the_input_is_gone(folder):
    program = EVERYWHERE.format(here=str(Path(__file__).parent), folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


WRONG = {
    "at": "yesterday",  # a moment that cannot be read
    "who": None,
    "what": "__start__",  # a name that is reserved
}


HAVE_NOT = {  # typed interactions are refused by themselves, and other tables lack such cells
    *(("from_interactions", column) for column in WRONG),
    ("from_sequences", "at"),
    ("from_wide", "what"),
    ("read_xes", "who"),
    ("layout", "who"),
}


@pytest.mark.parametrize(
    ("door", "column"),
    [(door, column) for door in DOORS for column in WRONG if (door, column) not in HAVE_NOT],
)
def test_no_error_of_a_bad_row_refers_to_an_original(door, column, folder):
    data = table()
    data[column][7] = WRONG[column]
    check_refused(cx.CxJourneyError, lambda: DOORS[door](data, folder, pseudonyms=KEY))


@pytest.mark.parametrize(
    "door", ["mapping", "pandas", "polars", "read_csv", "read_json", "read_sql"]
)
def test_no_error_of_a_missing_column_refers_to_an_original(door, folder):
    data = table()
    data["whta"] = data.pop("what")
    error = check_refused(UnknownName, lambda: DOORS[door](data, folder, pseudonyms=KEY))
    assert "did you mean 'whta'" in str(error)


def check_refused(expected, call):
    """Check that a call is refused without a word of an original, and return the error."""
    with pytest.raises(expected) as told:
        call()
    assert not found_in(str(told.value), told.value.args, vars(told.value))
    step = told.value.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename != __file__:
            assert not found_in(step.tb_frame.f_locals), step.tb_frame
        step = step.tb_next
    assert told.value.__cause__ is None
    assert told.value.__context__ is None
    return told.value


@pytest.mark.parametrize(
    "change",
    [
        {"who": [f"{MARK}\ud800", "b"]},
        {"who": [[f"{MARK}"], ["b"]]},
        {"who": [{f"{MARK}"}, "b"]},
        {"who": np.array([[MARK, "b"], [MARK, "b"]])},
        {"who": MARK},
        {"who": [MARK.encode(), b"b"]},
        {"what": ["web"]},
    ],
)
def test_no_column_that_is_refused_is_quoted(change):
    data = {"who": [MARK, "b"], "at": ["2026-01-01"] * 2, "what": ["web"] * 2} | change
    check_refused(
        cx.CxJourneyError, lambda: cx.InteractionLog.from_frame(data, **ROLES, pseudonyms=KEY)
    )


def test_no_typed_interaction_that_is_refused_is_quoted():
    def of(*items):
        return lambda: cx.InteractionLog.from_interactions(items, pseudonyms=KEY)

    now = datetime(2026, 1, 1, tzinfo=UTC)
    one = cx.Interaction(customer=MARK, touchpoint="web", timestamp=now)
    other = cx.Interaction(
        customer=cx.Customer(MARK, account=MARK), touchpoint="web", timestamp=now
    )
    check_refused(InvalidValue, of(one, {"customer": MARK}))
    check_refused(InvalidData, of(one, other))
    check_refused(InvalidValue, lambda: cx.InteractionLog.from_interactions(MARK, pseudonyms=KEY))


def test_an_error_of_a_database_that_quotes_a_cell_is_not_passed_on():
    connection = duckdb.connect()
    query = f"SELECT '{MARK}'::INTEGER AS who, '2026-01-01' AS at, 'web' AS what"
    error = check_refused(
        InvalidData, lambda: cx.read_sql(query, connection, **ROLES, pseudonyms=KEY)
    )
    assert "ConversionException" in str(error)


def test_a_wrong_call_is_told_as_it_is():
    with pytest.raises(TypeError, match="touchpoint"):
        cx.InteractionLog.from_frame({}, customer="who", timestamp="at", pseudonyms=KEY)


@pytest.mark.parametrize("wrong", ["0b" * 32, b"0" * 32, KEY.key_id])
@pytest.mark.parametrize("door", ["from_interactions", "mapping", "read_csv", "from_wide"])
def test_what_is_no_key_is_refused_and_not_shown(door, wrong, folder):
    with pytest.raises(InvalidValue, match=r"must be a cxjourney.privacy.PseudonymKey") as told:
        DOORS[door](table(), folder, pseudonyms=wrong)
    assert str(wrong) not in str(told.value)


@pytest.mark.parametrize("role", ["channel", "owner", "touchpoint", "timestamp", "attributes"])
def test_a_column_of_ids_is_kept_as_nothing_else(role):
    roles = ROLES | IDS | {role: ["case"] if role == "attributes" else "case"}
    error = check_refused(
        InvalidValue, lambda: cx.InteractionLog.from_frame(table(), **roles, pseudonyms=KEY)
    )
    assert str(error).startswith(role)


def test_a_copy_of_the_ids_is_no_attribute():
    data = table()
    for column in ("who", "firm", "case", "ticket"):
        data["copy"] = data[column]
        for further in ({"attributes": ["copy"]}, {"owner": "copy"}):
            error = check_refused(
                InvalidData,
                lambda further=further: cx.InteractionLog.from_frame(
                    data, **ROLES, **IDS, **further, pseudonyms=KEY
                ),
            )
            assert "row by row" in str(error)
    data["copy"] = data["who"]
    customers = {"who": list(dict.fromkeys(data["who"])), "mail": list(dict.fromkeys(data["who"]))}
    for further in ({"attributes": ["copy"]}, {"customers": customers}):
        check_refused(
            InvalidData,
            lambda further=further: cx.InteractionLog.from_frame(
                data, **ROLES, **further, pseudonyms=KEY
            ),
        )
    item = cx.Interaction(
        customer=MARK,
        touchpoint="web",
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        attributes={"copy": MARK},
    )
    check_refused(InvalidData, lambda: cx.InteractionLog.from_interactions([item], pseudonyms=KEY))


def test_a_customer_is_found_by_the_pseudonym_and_the_original_stays_out_of_the_error(folder):
    data = table()
    log = DOORS["mapping"](data, folder, pseudonyms=KEY)
    pseudonym = KEY.pseudonym(data["who"][0])
    assert log.customer(pseudonym).id == pseudonym
    assert len(log.filter(customers=pseudonym)) == data["who"].count(data["who"][0])
    with pytest.raises(UnknownName, match=r"key\.pseudonym") as told:
        log.customer(data["who"][0])
    assert not found_in(str(told.value), vars(told.value), told.value.args)


def answers_of(data):
    at = [datetime.fromisoformat(moment) for moment in data["at"][:5]]
    return {"customer": data["who"][:5], "answered_at": at, "value": range(5)}


def test_what_is_joined_later_is_joined_by_the_key(folder):
    data = table()
    log = DOORS["mapping"](data, folder, pseudonyms=KEY)
    plan = {who: f"plan {i % 3}" for i, who in enumerate(dict.fromkeys(data["who"]))}
    joined = log.with_attribute("plan", plan, pseudonyms=KEY)
    assert joined.customer(KEY.pseudonym(data["who"][1])).attributes["plan"] == "plan 1"
    by_pseudonym = {KEY.pseudonym(who): value for who, value in plan.items()}
    assert log.with_attribute("plan", by_pseudonym) == joined
    assert not found_in(joined)
    answers = answers_of(data)
    bound = cx.experience.bind_answers(log, **answers, pseudonyms=KEY)
    assert bound.outcomes["bound"] == 5
    plain = cx.experience.bind_answers(DOORS["mapping"](data, folder), **answers).log
    for who in data["who"][:5]:
        scores = [i.score for i in bound.log.interactions(KEY.pseudonym(who))]
        assert scores == [i.score for i in plain.interactions(who)]
    assert not found_in(bound)


def test_ids_without_their_key_are_refused(folder):
    data = table()
    log, other = DOORS["mapping"](data, folder, pseudonyms=KEY), cx.privacy.PseudonymKey.generate()
    plan = dict.fromkeys(data["who"], "a")
    answers = answers_of(data)
    for key in (None, other):
        check_refused(InvalidValue, lambda key=key: log.with_attribute("p", plan, pseudonyms=key))
        check_refused(
            InvalidValue,
            lambda key=key: cx.experience.bind_answers(log, **answers, pseudonyms=key),
        )
    plain = DOORS["mapping"](data, folder)
    with pytest.raises(InvalidValue, match="the log has no pseudonyms"):
        plain.with_attribute("p", plan, pseudonyms=KEY)


def test_logs_are_put_together_under_one_key_only(folder):
    data = table()
    half = {name: values[:150] for name, values in data.items()}
    rest = {name: values[150:] for name, values in data.items()}
    whole = DOORS["mapping"](data, folder, pseudonyms=KEY)
    first = DOORS["read_csv"](half, folder, pseudonyms=KEY)
    second = DOORS["polars"](rest, folder, pseudonyms=KEY)
    both = cx.InteractionLog.concat([first, second])
    assert both.key_id == KEY.key_id
    assert {c: len([*both.interactions(c)]) for c in both.customer_ids} == {
        c: len([*whole.interactions(c)]) for c in whole.customer_ids
    }
    for key in (None, cx.privacy.PseudonymKey.generate()):
        stranger = DOORS["polars"](rest, folder, pseudonyms=key)
        with pytest.raises(InvalidData, match="different keys"):
            cx.InteractionLog.concat([first, stranger])


@pytest.mark.parametrize("door", DOORS)
def test_the_order_of_customers_is_that_of_their_pseudonyms(door, folder):
    log = DOORS[door](table(), folder, pseudonyms=KEY)
    assert list(log.customer_ids) == sorted(log.customer_ids)


def test_ids_that_count_up_leave_no_order_behind():
    n = 1000
    data = {"who": list(range(n)), "at": ["2026-01-01"] * n, "what": ["web"] * n}
    log = cx.InteractionLog.from_frame(data, **ROLES, pseudonyms=KEY)
    place = {customer: i for i, customer in enumerate(log.customer_ids)}
    order = [place[KEY.pseudonym(str(i))] for i in range(n)]
    assert abs(np.corrcoef(order, range(n))[0, 1]) < 0.1


@pytest.mark.parametrize("door", DOORS)
def test_figures_are_those_of_the_ids_but_for_the_buckets_of_their_intervals(door, folder):
    def figures(**further):
        (folder / "hits.db").unlink(missing_ok=True)
        journeys = DOORS[door](table(), folder, **further).journeys(inactivity=timedelta(days=20))
        frame = nw.from_native(cx.dropoff.exits(journeys).to_frame()).to_pandas()
        return frame[["touchpoint", "visits", "exits", "exit_probability"]]

    pd.testing.assert_frame_equal(figures(), figures(pseudonyms=KEY))
