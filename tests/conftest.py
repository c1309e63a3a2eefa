"""What every test shares: hypothesis profiles, the real logs, the environment of the oracles."""

from __future__ import annotations

import gc
import getpass
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Before NumPy is loaded, here and in whatever tests start: each worker has a core, and threads of
# BLAS that wait for one another took half of the time. Without compiled files on disk, each of some
# hundred Pythons would compile the package anew.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import cxjourney as cx  # noqa: E402 - see above
from cxjourney import kernels  # noqa: E402
from cxjourney.journeys._adding._parts import part_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
ORACLES = ("lifelines", "pm4py", "sklearn", "statsmodels")
ENGINES = ("postgres", "service", "spark")

# No deadlines: what is slow on a busy machine is not wrong. CI repeats itself exactly.
for _name, _examples in (("dev", 10), ("ci", 40), ("thorough", 200)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        derandomize=IN_CI,
        print_blob=IN_CI,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--oracles",
        action="store_true",
        help="select the tests marked `oracles` even where their packages are missing (they fail)",
    )


class FromBehind(pytest.Dir):
    """A folder whose files are read from the last to the first."""

    def collect(self) -> Sequence[pytest.Item | pytest.Collector]:
        return list(super().collect())[::-1]


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Let every second worker read from behind, so that each finds compiled what others have read.

    To compile the tests takes longer than to read them. A folder within the tests is what it is.
    """
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if int(number) % 2 and not (path / "__init__.py").is_file():
        behind: pytest.Collector = FromBehind.from_parent(parent, path=path)
        return behind
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path)  # the same order in each, whatever was read first
    away = []
    for item in items:
        for engine in ENGINES:
            if engine in getattr(item, "fixturenames", ()):
                item.add_marker(engine)
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("shared_data")
        if item.get_closest_marker("native") is not None and kernels.ACTIVE != "native":
            away.append(item)
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            if shutil.which("chromium") is None and not IN_CI:
                away.append(item)
        if any(
            item.get_closest_marker(engine) is not None and engine not in config.option.markexpr
            for engine in ENGINES
        ):
            away.append(item)
        if item.get_closest_marker("oracles") is not None:
            # the oracles' own warnings are theirs to fix
            item.add_marker(pytest.mark.filterwarnings("default"), append=False)
            if not config.getoption("--oracles") and not _importable(_packages(item)):
                away.append(item)
    if away:
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if item not in set(away)]


LONG = 20_000  # characters of two values together, from which on pytest's diff takes minutes


def pytest_collection_finish() -> None:
    """Let the collector of garbage seldom walk over thousands of tests: a sixth of the time."""
    # gc.freeze() would hide what refers to what, which hypothesis asks
    gc.collect()
    gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare(
    op: str, left: object, right: object
) -> Generator[None, list[list[str] | None], list[list[str] | None]]:
    """Say where two long values first differ: with CI set, pytest would compare all of them."""
    said = _first_difference(left, right) if op == "==" else None
    if said is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("_pytest.assertion.util.assertrepr_compare", lambda **_: ())
        yield
    return [said]


def _first_difference(left: Any, right: Any) -> list[str] | None:
    kinds = (str, bytes, list, tuple, dict)
    kind = next((k for k in kinds if isinstance(left, k) and isinstance(right, k)), None)
    if kind is None or len(repr(left)) + len(repr(right)) <= LONG:
        return None
    said = [f"two of {kind.__name__}, with {len(left)} and {len(right)} entries, are not equal"]
    if kind is dict:
        for side, some in (("left", left.keys() - right), ("right", right.keys() - left)):
            if some:
                first = _short(min(some, key=repr))
                said.append(f"keys that the {side} one alone has: {len(some)}, as {first}")
        at = next((k for k in left if k in right and left[k] != right[k]), None)
        parts = [] if at is None else [left[at], right[at]]
    else:
        pairs = zip_longest(left, right, fillvalue=kinds)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
        around = slice(max(at - 20, 0), at + 60) if kind in {str, bytes} else slice(at, at + 1)
        parts = [one[around] for one in (left, right)]
    return [*said, *([f"first at {_short(at)}:"] if parts else []), *map(_short, parts)]


def _short(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 400 else f"{said[:300]} … {said[-80:]}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("shared_data") is not None and _shared_folder() is None:
        reason = "the shared folder is neither in CXJOURNEY_SHARED nor beside the project"
        if IN_CI:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def divided() -> Callable[..., list[cx.JourneyStatistics]]:
    """Return what counts each of `of` parts of a log by its own rows alone."""

    def count(
        log: cx.InteractionLog, of: int, rules: dict[str, Any], **plan: Any
    ) -> list[cx.JourneyStatistics]:
        number = part_of(log.customer_ids, of.bit_length() - 1).tolist()
        members: list[list[str]] = [[] for _ in range(of)]
        for one, part in zip(log.customer_ids, number, strict=True):
            members[part].append(one)
        rules = {"touchpoints": log.columns.coded["touchpoint"].names, **rules}
        found = []
        for part, ids in enumerate(members):
            journeys = log.filter(customers=ids).journeys(**rules)
            found.append(journeys.statistics(part=(part, of), **plan))
        return found

    return count


@pytest.fixture(scope="session")
def regrouped() -> Callable[..., cx.JourneyStatistics]:
    """Return what adds parts up in any order, at once, in 7 groups, one by one: it is the whole."""

    def add(
        parts: list[cx.JourneyStatistics], data: st.DataObject, whole: cx.JourneyStatistics
    ) -> cx.JourneyStatistics:
        written = whole.to_bytes()
        for k in (1, 7):
            shuffled = data.draw(st.permutations(parts), label="order")
            nested, *groups = (cx.JourneyStatistics.total(shuffled[i::k]) for i in range(k))
            for group in groups:
                left = data.draw(st.booleans(), label="left")
                nested = nested + group if left else group + nested
            assert nested == whole
            assert nested.to_bytes() == written
        assert sum(shuffled) == whole
        return nested

    return add


@pytest.fixture(scope="session")
def summed(
    divided: Callable[..., list[cx.JourneyStatistics]],
    regrouped: Callable[..., cx.JourneyStatistics],
) -> Callable[..., tuple[cx.JourneyStatistics, cx.JourneyStatistics]]:
    """Return what adds up 16 parts of a log, and counts the whole log besides."""

    def add(
        log: cx.InteractionLog, rules: dict[str, Any], data: st.DataObject, **plan: Any
    ) -> tuple[cx.JourneyStatistics, cx.JourneyStatistics]:
        whole = log.journeys(**rules).statistics(**plan)
        return regrouped(divided(log, 16, rules, **plan), data, whole), whole

    return add


@pytest.fixture(scope="session")
def rewritten() -> Callable[..., bytes]:
    """Return what changes the body of written statistics."""

    def rewrite(written: bytes, change: Callable[[bytes], bytes]) -> bytes:
        head, _, body = written.partition(b"\n")
        return head + b"\n" + zlib.compress(change(zlib.decompress(body)))

    return rewrite


@pytest.fixture(scope="session")
def damaged(rewritten: Callable[..., bytes]) -> Callable[..., bytes]:
    """Return what puts one to three bytes in the place of any byte of the body."""

    def damage(written: bytes, data: st.DataObject) -> bytes:
        def change(plain: bytes) -> bytes:
            at = data.draw(st.integers(0, len(plain) - 1), label="at")
            return plain[:at] + data.draw(st.binary(min_size=1, max_size=3)) + plain[at + 1 :]

        return rewritten(written, change)

    return damage


@pytest.fixture(scope="session")
def shop_log(shared: Path) -> cx.InteractionLog:
    """Return the log of a small shop."""
    path = shared / "data" / "retentioneering_simple_shop" / "simple-onlineshop.csv"
    return cx.read_csv(path, customer="user_id", timestamp="timestamp", touchpoint="event")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real logs and oracle values."""
    folder = _shared_folder()
    assert folder is not None, "a test that uses `shared` carries the marker `shared_data`"
    return folder


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Return the top level of the project."""
    return ROOT


@pytest.fixture(scope="session")
def worked_days() -> dict[str, list[tuple[str, int]]]:
    """Return the worked example: each customer's touchpoints and their days, observed for 20."""
    return {
        "a": [("ad", 0), ("web", 1), ("buy", 2), ("web", 5)],
        "b": [("web", 0), ("web", 1), ("store", 10)],
        "c": [("ad", 15), ("web", 16)],
        "d": [("web", 2), ("buy", 7), ("buy", 8)],
        "e": [("store", 19)],
    }


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Return how to connect to a PostgreSQL of its own, which nothing but a socket leads to."""
    home = Path(tempfile.mkdtemp(prefix="cxjourney-postgres."))
    # the server refuses to be run by root
    owner = "postgres" if getpass.getuser() == "root" else None
    if owner is not None:
        shutil.chown(home, owner)
    data, user = home / "data", owner or getpass.getuser()

    def run(command: str, *arguments: str) -> None:
        line = [_postgres_programs() / command, "-D", data, *arguments]
        subprocess.run(line, check=True, user=owner, cwd=home, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", user, "-N")
        options = f"-k {home} -c listen_addresses= -c fsync=off -c timezone=America/New_York"
        run("pg_ctl", "-w", "-l", str(home / "log"), "-o", options, "start")
        try:
            yield f"host={home} user={user} dbname=postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def _postgres_programs() -> Path:
    """Return the folder of the newest PostgreSQL: Debian has one a version, not on the path."""
    server = shutil.which("initdb")
    if server is not None:
        return Path(server).parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda program: int(program.parts[-3]), default=None)
    assert newest is not None, "tests marked `postgres` need PostgreSQL: apt-get install postgresql"
    return newest.parent


def _packages(item: pytest.Item) -> tuple[str, ...]:
    """Return what `@pytest.mark.oracles("pm4py")` names; all of them where it names none."""
    named = tuple(name for mark in item.iter_markers("oracles") for name in mark.args)
    return named or ORACLES


def _importable(packages: tuple[str, ...]) -> bool:
    return all(importlib.util.find_spec(package) is not None for package in packages)


def _shared_folder() -> Path | None:
    named = os.environ.get("CXJOURNEY_SHARED")
    if named:
        candidates = [Path(named)]
    else:
        candidates = [checkout.parent / "shared" for checkout in (ROOT, _main_checkout())]
    return next((folder for folder in candidates if folder.is_dir()), None)


def _main_checkout() -> Path:
    """Return the checkout that this one is a git worktree of; itself where it is none."""
    git = ROOT / ".git"
    if not git.is_file():
        return ROOT
    # "gitdir: <main checkout>/.git/worktrees/<name>"
    return Path(git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).parents[2]
