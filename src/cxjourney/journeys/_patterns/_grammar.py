"""The text form of a pattern: what its parts are, and how it is read and written."""

from __future__ import annotations

import re
from typing import NoReturn, TypeAlias

import attrs

from cxjourney._support.validation import check_duration, duration_us
from cxjourney.exceptions import InvalidValue

START = "^"
ENDS = ("$", "$converted", "$dropped", "$in_progress")
ELAPSED = ("gap", "duration")
MOST_COPIES = 512

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<arrow>->) | (?P<op><=|>=|!=|=|<|>) | (?P<anchor>\^|\$\w*)
    | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<word>-?\d+\.\d+\w*|-?\w+(?:[-./:]+\w+)*)
    | (?P<sign>[\[\](){}|*+?,@.]) | (?P<bad>\S) | $)""",
    re.VERBOSE,
)
_WORD = re.compile(r"\w+(?:[-./:]+\w+)*")
_COUNT = re.compile(r"\d+")

Sequence: TypeAlias = "tuple[Part, ...]"


@attrs.frozen
class Condition:
    """What a column, or a time that has passed, must be.

    Attributes
    ----------
    name
        The attribute or column; "gap" or "duration" where `us` is there.
    op
        One of = != < <= > >=.
    values
        What it is compared with, any of which will do (none, with !=).
    us
        The same where it is a duration [µs]; None where it is none.
    """

    name: str
    op: str
    values: tuple[str, ...]
    us: int | None = None

    def __str__(self) -> str:
        name = self.name if self.us is not None else _written(self.name, reserved=ELAPSED)
        values = "|".join(_written(value) for value in self.values)
        return f"{name}{self.op}{values}"


@attrs.frozen
class Part:
    """One part of a pattern: an interaction of some kind, or a group, so many times.

    Attributes
    ----------
    names, other
        The touchpoints that will do, or that will not where `other` is set.
    branches
        The sequences of a group, any of which will do; empty where it is none.
    conditions
        What else must hold.
    least, most
        How often it comes, the most None where there is no limit.
    marked
        Whether it is the point at which journeys are cut or aligned.
    at
        Where it stands in the text.
    """

    names: tuple[str, ...] = ()
    other: bool = False
    branches: tuple[Sequence, ...] = ()
    conditions: tuple[Condition, ...] = ()
    least: int = 1
    most: int | None = 1
    marked: bool = False
    at: int = attrs.field(default=0, eq=False)

    @property
    def once(self) -> bool:
        """Whether it is exactly one interaction."""
        return self.least == self.most == 1 and not self.branches

    @property
    def run(self) -> bool:
        """Whether it is any number of interactions of a kind, also none."""
        return self.least == 0 and self.most is None and not self.branches

    @property
    def gaps(self) -> tuple[Condition, ...]:
        """Its conditions on the time since the part before."""
        return tuple(c for c in self.conditions if c.us is not None)

    def __str__(self) -> str:
        names = "|".join(_written(name) for name in self.names)
        if self.branches:
            body = f"({' | '.join(' -> '.join(map(str, branch)) for branch in self.branches)})"
        elif self.other:
            body = f"[^{names}]" if names else "."
        else:
            body = names if len(self.names) == 1 else f"[{names}]"
        conditions = f"({', '.join(map(str, self.conditions))})" if self.conditions else ""
        return f"{'@' * self.marked}{body}{conditions}{self._times()}"

    def _times(self) -> str:
        often = {(1, 1): "", (0, None): "*", (1, None): "+", (0, 1): "?"}
        if (self.least, self.most) in often:
            return often[self.least, self.most]
        if self.least == self.most:
            return f"{{{self.least}}}"
        return f"{{{self.least},{'' if self.most is None else self.most}}}"


@attrs.frozen
class Parsed:
    """A pattern that was read.

    Attributes
    ----------
    parts
        Its parts in order, without anchors.
    start, end
        Whether it begins where the journey does; the anchor at its end, empty where there is none.
    where
        Conditions on the time from its first interaction to its last.
    """

    parts: Sequence
    start: bool
    end: str
    where: tuple[Condition, ...]

    def __str__(self) -> str:
        words = [START] * self.start + [str(part) for part in self.parts]
        text = " -> ".join(words + [self.end] * bool(self.end))
        return f"{text} where {', '.join(map(str, self.where))}" if self.where else text


def _written(name: str, reserved: tuple[str, ...] = ()) -> str:
    if _WORD.fullmatch(name) and name != "where" and name not in reserved:
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@attrs.frozen
class _Token:
    kind: str
    text: str
    at: int

    @property
    def name(self) -> str:
        """What it names: of a quoted name, what stands within."""
        return re.sub(r"\\(.)", r"\1", self.text[1:-1]) if self.kind == "quoted" else self.text


class _Reader:
    """Reads a text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[_Token] = []
        for found in _TOKEN.finditer(text):
            if kind := found.lastgroup:
                token = _Token(kind, found[kind], found.start(kind))
                if kind == "bad":
                    quote = token.text in "\"'"
                    self.fail(token.at, "close this quote" if quote else "quote this name")
                self.tokens.append(token)
        self.tokens.append(_Token("end", "", len(text)))
        self.place = 0
        self.depth = 0

    def fail(self, at: int, rule: str) -> NoReturn:
        """Raise the error whose caret points to a place in the text."""
        line = " ".join(self.text.splitlines()) if "\n" in self.text else self.text
        raise InvalidValue(f"the pattern is not clear here: {rule}\n  {line}\n  {' ' * at}^")

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *texts: str) -> _Token | None:
        """Take the next token if it is one of these signs."""
        token = self.next
        if token.text in texts and token.kind not in {"quoted", "end"}:
            self.place += 1
            return token
        return None

    def need(self, text: str, why: str) -> None:
        if not self.take(text):
            self.fail(self.next.at, why)

    def pattern(self) -> Parsed:
        start = self.take(START) is not None
        ended = start and self.next.kind == "end"
        if start and not ended and self.next.text != "where":
            self.need("->", f"write -> after {START}")
        parts, end = ([], "") if ended else self.sequence(outermost=True)
        where = self.where() if self.take("where") else ()
        if self.next.kind != "end":
            self.after_part()
        marks = [part for part in _each(parts) if part.marked]
        if len(marks) > 1:
            self.fail(marks[1].at, "mark one part with @, not two")
        return Parsed(tuple(parts), start, end, where)

    def sequence(self, *, outermost: bool) -> tuple[list[Part], str]:
        parts: list[Part] = []
        while True:
            token = self.next
            if token.kind == "anchor":
                if token.text not in ENDS or not outermost:
                    self.fail(
                        token.at,
                        f"the end of a journey is one of {', '.join(ENDS)}"
                        if token.text != START
                        else f"{START} stands at the beginning only",
                    )
                self.place += 1
                if self.next.kind == "arrow":
                    self.fail(self.next.at, f"nothing comes after {token.text}")
                return parts, token.text
            parts.append(self.part())
            self.check_gap(parts, outermost=outermost)
            if not self.take("->"):
                return parts, ""

    def part(self) -> Part:
        at = self.next.at
        marked = self.take("@") is not None
        names: tuple[str, ...] = ()
        branches: tuple[Sequence, ...] = ()
        other = False
        token = self.next
        if self.take("("):
            branches = self.group()
        elif self.take("["):
            other = self.take(START) is not None
            names = self.names("]")
            self.need("]", "close the bracket with ]")
        elif self.take("."):
            other = True
        elif token.kind in {"word", "quoted"} and (token.kind == "quoted" or token.text != "where"):
            self.place += 1
            names = (self.checked(token),)
        else:
            self.fail(token.at, "a touchpoint, [a|b], [^a], . or ( ... ) is needed")
        conditions = self.conditions(grouped=bool(branches)) if self.next.text == "(" else ()
        least, most = self.times()
        if marked and (branches or most != 1 or least != 1):
            self.fail(at, "@ marks a part that is one interaction")
        return Part(names, other, branches, conditions, least, most, marked, at)

    def checked(self, token: _Token) -> str:
        if not token.name.strip():
            self.fail(token.at, "a name is not empty")
        return token.name

    def names(self, closing: str) -> tuple[str, ...]:
        found = []
        while True:
            token = self.next
            if token.kind not in {"word", "quoted"}:
                self.fail(token.at, "a name is needed")
            self.place += 1
            found.append(self.checked(token))
            if not self.take("|"):
                if self.next.kind in {"word", "quoted"}:
                    self.fail(
                        self.next.at,
                        f'separate names by |, or quote "a name of two words"; {closing} ends them',
                    )
                return tuple(dict.fromkeys(found))

    def group(self) -> tuple[Sequence, ...]:
        self.depth += 1
        if self.depth > 20:
            self.fail(self.next.at, "groups within groups go 20 deep at most")
        branches = [tuple(self.sequence(outermost=False)[0])]
        while self.take("|"):
            branches.append(tuple(self.sequence(outermost=False)[0]))
        self.need(")", "close the group with )")
        self.depth -= 1
        return tuple(branches)

    def times(self) -> tuple[int, int | None]:
        token = self.next
        signs: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if token.kind != "quoted" and token.text in signs:
            self.place += 1
            return signs[token.text]
        if not self.take("{"):
            return 1, 1
        least = self.count()
        most: int | None = least
        if self.take(","):
            most = None if self.next.text == "}" else self.count()
        self.need("}", "close the count with }, as in {2} or {2,3}")
        if most == 0 or (most is not None and most < least):
            self.fail(token.at, "a count is at least 1, and the larger number comes last")
        return least, most

    def count(self) -> int:
        token = self.next
        if not _COUNT.fullmatch(token.text):
            self.fail(token.at, "a whole number is needed, as in {2} or {2,3}")
        if len(token.text) > 4 or int(token.text) > MOST_COPIES:
            self.fail(token.at, f"counts go up to {MOST_COPIES}")
        self.place += 1
        return int(token.text)

    def conditions(self, *, grouped: bool) -> tuple[Condition, ...]:
        at = self.next.at
        if grouped:
            self.fail(at, "a condition stands at a part of its own, within the group")
        self.need("(", "")
        found = [self.condition("gap")]
        while self.take(","):
            found.append(self.condition("gap"))
        self.need(")", "close the conditions with )")
        return tuple(found)

    def where(self) -> tuple[Condition, ...]:
        found = [self.condition("duration")]
        while self.take(","):
            found.append(self.condition("duration"))
        if any(c.us is None for c in found):
            self.fail(self.tokens[self.place - 1].at, "after where comes a duration: duration<=7d")
        return tuple(found)

    def condition(self, elapsed: str) -> Condition:
        name = self.next
        if name.kind not in {"word", "quoted"}:
            self.fail(name.at, "the name of a column is needed, as in (channel=web)")
        self.place += 1
        op = self.next
        if op.kind != "op":
            self.fail(op.at, "one of = != < <= > >= is needed")
        self.place += 1
        at = self.next.at
        values = self.names(")")
        if name.kind == "quoted" or name.text != elapsed:
            if len(values) > 1 and op.text not in {"=", "!="}:
                self.fail(at, "several values go with = and != only")
            return Condition(self.checked(name), op.text, values)
        if op.text not in {"<=", ">="}:
            self.fail(op.at, f"{elapsed} is at most (<=) or at least (>=) so long")
        if len(values) > 1:
            self.fail(at, "one duration is needed")
        # minutes are m here: nothing counts in months
        said = re.sub(r"(?<=\d)m$", "min", values[0])
        try:
            us = duration_us(check_duration(said, elapsed))
        except InvalidValue:
            self.fail(at, "a duration is a number with its unit (s, m, h, d, w), such as 30m or 7d")
        return Condition(elapsed, op.text, values, us)

    def check_gap(self, parts: list[Part], *, outermost: bool) -> None:
        """Refuse a gap where there is no one part from which it is counted."""
        part = parts[-1]
        if not part.gaps:
            return
        before = parts[-2:-1]
        run = bool(before) and before[0].run
        if run:
            if part.least == 0 or before[0].gaps:
                self.fail(
                    part.at,
                    "a gap after a run * is of a part that must come, and the run "
                    "has none of its own",
                )
            before = parts[-3:-2]
        if before and not before[0].once:
            self.fail(
                part.at,
                "a gap is counted from one interaction: the part before is one "
                "(behind a run *, too)",
            )
        if not before and (run or not outermost or part.most == 1):
            self.fail(part.at, "no part comes before it from which a gap is counted")

    def after_part(self) -> NoReturn:
        token = self.next
        before = self.tokens[self.place - 1]
        if token.kind == before.kind == "word":
            self.fail(
                token.at,
                f'quote a name of several words ("{before.text} {token.text}"), or '
                "write -> between two parts",
            )
        if token.text == "|":
            self.fail(token.at, "alternatives stand in brackets: [a|b], or (a -> b | c)")
        self.fail(token.at, "-> or the end of the pattern is needed")


def _each(parts: list[Part] | Sequence) -> list[Part]:
    found = []
    for part in parts:
        found += [part, *(inner for branch in part.branches for inner in _each(branch))]
    return found


def each_part(parsed: Parsed) -> list[Part]:
    """Return every part, those within groups too."""
    return _each(parsed.parts)


def parse(text: str) -> Parsed:
    """Return the pattern that a text says.

    Raises
    ------
    InvalidValue
        If it is no pattern; a caret under the text points to the place.
    """
    reader = _Reader(text)
    parsed = reader.pattern()
    if not _asks(parsed):
        reader.fail(0, "it asks for nothing, so that every journey matches")
    return parsed


def _asks(parsed: Parsed) -> bool:
    """Return whether there are journeys that do not match."""
    return bool(parsed.end) or any(not optional(part) for part in parsed.parts)


def optional(part: Part) -> bool:
    """Return whether a part may match no interaction at all."""
    if part.least == 0:
        return True
    return bool(part.branches) and any(all(map(optional, branch)) for branch in part.branches)
