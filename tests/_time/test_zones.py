from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney._time.zones import to_local
from cxjourney.exceptions import UnknownName

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Prague", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")


@given(
    st.lists(st.integers(-(10**15), 4 * 10**15), max_size=20),
    st.sampled_from(ZONES),
)
def test_the_clock_shows_what_datetime_shows(us, tz):
    got = to_local(np.array(us, dtype=np.int64), tz)
    for utc, local in zip(us, got.tolist(), strict=True):
        timestamp = (EPOCH + timedelta(microseconds=utc)).astimezone(zoneinfo.ZoneInfo(tz))
        assert EPOCH.replace(tzinfo=None) + timedelta(microseconds=local) == timestamp.replace(
            tzinfo=None
        )


def test_every_hour_of_a_year_with_its_changes():
    hours = np.arange(24 * 366) * 3_600_000_000 + 1_767_225_600_000_000  # from 2026-01-01
    got = to_local(hours, "Europe/Prague") - hours
    zone = zoneinfo.ZoneInfo("Europe/Prague")
    for utc, shift in zip(hours.tolist(), got.tolist(), strict=True):
        timestamp = (EPOCH + timedelta(microseconds=utc)).astimezone(zone)
        assert timestamp.utcoffset() == timedelta(microseconds=shift)


def test_an_unknown_zone_names_the_nearest():
    with pytest.raises(UnknownName, match="Europe/Prague"):
        to_local(np.zeros(1, dtype=np.int64), "Europe/Prag")
