"""Answers to a survey from a file of their own, bound to the log that the options name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxjourney import io
from cxjourney._support.words import counted, how_long
from cxjourney._time.timestamps import read_timestamps
from cxjourney.cli._names import ANSWERS
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.experience import bind_answers
from cxjourney.log import encode_ids, encode_names, encode_numbers

if TYPE_CHECKING:
    import argparse

    from cxjourney.log import InteractionLog
    from cxjourney.metrics import Scale
    from cxjourney.privacy import PseudonymKey


def with_answers(
    log: InteractionLog,
    arguments: argparse.Namespace,
    key: PseudonymKey | None,
    said: list[str],
) -> InteractionLog:
    """Return the log with the answers of the file that the options name; say what was bound."""
    roles = {role: getattr(arguments, f"answers_{role}") for role in ANSWERS}
    if arguments.answers is None:
        for role, name in roles.items():
            if name is not None:
                raise InvalidValue(f"--answers-{role} needs a file of answers: give --answers")
        return log
    file, encoding = arguments.answers, arguments.answers_encoding
    roles = _roles(arguments, roles, io.file_columns(file, encoding=encoding), said)
    columns = io.columns_by_content(file, roles, encoding=encoding)
    try:
        time = read_timestamps(
            columns["timestamp"],
            tz=arguments.tz or "UTC",
            fmt=arguments.answers_timestamp_format,
            unit=arguments.answers_timestamp_unit,
            name=roles["timestamp"],
        )
    except (InvalidData, InvalidValue) as error:
        message = str(error).replace("timestamp_", "answers_timestamp_")
        raise InvalidValue(message) from None
    at = time.us.view("M8[us]").copy()
    at[time.missing] = "NaT"
    bound = bind_answers(
        log,
        customer=encode_ids(columns["customer"]).values(),
        answered_at=at,
        value=encode_numbers(columns["score"], roles["score"]),
        touchpoint=encode_names(columns["touchpoint"]).values() if "touchpoint" in roles else None,
        max_lag=arguments.answers_within,
        scale=arguments.scale,
        pseudonyms=key,
    )
    _say(bound.outcomes, len(at), arguments, roles, said)
    return bound.log


def _roles(
    arguments: argparse.Namespace,
    given: dict[str, str | None],
    present: tuple[str, ...],
    said: list[str],
) -> dict[str, str]:
    """Return the columns of answers by role: those named, and those with a known name."""
    roles = {role: name for role, name in given.items() if name is not None}
    for name in roles.values():
        if name not in present:
            raise UnknownName.among("column", name, present, where=repr(arguments.answers))
    for role, known in ANSWERS.items():
        if role in roles:
            continue
        folded = {name.casefold(): name for name in present if name not in roles.values()}
        found = [folded[name] for name in known if name in folded]
        option = f"--answers-{role}"
        if len(found) > 1:
            shown = " and ".join(map(repr, found))
            raise InvalidValue(f"{shown} could each be the {role} of answers: give {option}")
        if found:
            roles[role] = found[0]
            setattr(arguments, f"answers_{role}", found[0])
            said.append(
                f"answers, {role}: column {found[0]!r}, by its name ({option} takes another)"
            )
        elif role != "touchpoint":
            others = ", ".join(map(repr, present))
            raise InvalidValue(
                f"no column has a known name for the {role} of answers: give {option}, one of "
                f"{others}"
            )
    return roles


def _say(
    outcomes: Any, n: int, arguments: argparse.Namespace, roles: dict[str, str], said: list[str]
) -> None:
    limit = how_long(arguments.answers_within)
    why = ", ".join(
        f"{count:,} {reason.replace('max_lag', '--answers-within')}"
        for reason, count in outcomes.items()
        if count and reason != "bound"
    )
    to = "the last contact before" if "touchpoint" not in roles else "the last contact there before"
    left = f"; not bound: {why}" if why else ""
    text = f"{outcomes['bound']:,} of {counted(n, 'answer')} bound to {to}, within {limit}{left}"
    if not outcomes["bound"]:
        raise InvalidValue(f"no answer belongs to a contact of the log: {text}")
    said.append(f"answers: {text}")


def python_of(arguments: argparse.Namespace) -> str:
    """Return the Python that binds the same answers; empty where there are none."""
    if arguments.answers is None:
        return ""
    names = {role: getattr(arguments, f"answers_{role}") for role in ANSWERS}
    file, kind = arguments.answers, io.format_of(io.find_files(arguments.answers)[0])
    options = {
        "csv": f", dtype={{{names['customer']!r}: str}}, encoding={arguments.answers_encoding!r}",
        "json": ", lines=True",
    }
    unit, form = arguments.answers_timestamp_unit, arguments.answers_timestamp_format
    how = f", unit={unit!r}" if unit else f", format={form!r}" if form else ""
    zone = ", utc=True)" if arguments.tz in {None, "UTC"} else f").dt.tz_localize({arguments.tz!r})"
    values = {
        "customer": f"answers[{names['customer']!r}]",
        "answered_at": f"pd.to_datetime(answers[{names['timestamp']!r}]{how}{zone}",
        "value": f"answers[{names['score']!r}]",
        "touchpoint": names["touchpoint"] and f"answers[{names['touchpoint']!r}]",
        "max_lag": f"timedelta(seconds={arguments.answers_within.total_seconds():.15g})",
        "pseudonyms": python_of_key(arguments),
    }
    given = "".join(f"    {name}={value},\n" for name, value in values.items() if value)
    return (
        f"\nimport pandas as pd\n\nanswers = pd.read_{kind}({file!r}{options.get(kind, '')})\n"
        f"log = cx.experience.bind_answers(\n    log,\n{given}).log"
    )


def python_of_key(arguments: argparse.Namespace) -> str:
    """Return the Python that reads the key of pseudonyms; empty where there is none."""
    kept = {"file": arguments.pseudonym_key, "environment": arguments.pseudonym_key_env}
    return next(
        (
            f"cx.privacy.PseudonymKey.from_{where}({at!r})"
            for where, at in kept.items()
            if at is not None
        ),
        "",
    )


def python_of_scale(scale: Scale) -> str:
    """Return the Python that makes a scale."""
    return f"cx.metrics.Scale({scale.low}, {scale.high})"
