"""Dates and times as Mixpanel reads them, from numbers and from text, by the calendar alone."""

import re
from typing import Final

from consumer.mapping.errors import Unfit

SECONDS_A_DAY: Final = 86_400
# Days from 1970 to the first of year 1 and to the last of year 9999.
FIRST_DAY: Final = -719_162
LAST_DAY: Final = 2_932_896

# What PostgreSQL's infinities become on their way through its driver and Debezium, as days and as timestamps.
# In a snapshot Debezium 3.6 writes the last of Java's dates, 292278994-08-16, and for minus infinity 292269055-12-02,
# without its sign; as days they are cut to 32 bits. A date of the log is 30 years after the first of 32 bits.
DAYS_FOREVER: Final = frozenset(
    (
        -622_191_234,
        -625_821_272,
        -2_147_472_692,
        -2_147_472_691,
        2_146_033_979,
        106_751_991_167,
        -106_751_991_168,
        2**31 - 1,
        -(2**31),
    )
)
YEAR_FOREVER: Final = 292_269_055
STAMPS_FOREVER: Final = frozenset(
    (
        9_223_372_036_825_200_000,
        -9_223_372_036_832_400_000,
        9_223_372_036_825_200,
        -9_223_372_036_832_400,
        2**63 - 1,
        -(2**63),
    )
)
TEXTS_FOREVER: Final = frozenset(("infinity", "-infinity"))

STAMP: Final = re.compile(
    r"([+-]?\d{4,10})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,12})?)?)?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
CLOCK: Final = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,12})?)?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?", re.ASCII)
MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def stamp(number: int, units: int) -> str | None:
    """The time of a number since 1970, of so many units a second; None for a database's infinity. Raises `Unfit`."""
    if number in STAMPS_FOREVER:
        return None
    return stamp_of_seconds(number // units)


def date(days: int) -> str | None:
    """The start of a day since 1970; None for a database's infinity. Raises `Unfit`."""
    if days in DAYS_FOREVER:
        return None
    return stamp_of_seconds(days * SECONDS_A_DAY)


def stamp_of_seconds(seconds: int) -> str:
    """`2026-03-01T09:30:00`. Raises `Unfit` outside the years 1 to 9999."""
    days = seconds // SECONDS_A_DAY
    rest = seconds - days * SECONDS_A_DAY
    if days < FIRST_DAY or days > LAST_DAY:
        raise Unfit("a time outside the years 1 to 9999")
    year, month, day = civil(days)
    hour = rest // 3600
    minute = rest // 60 % 60
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{rest % 60:02d}"


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day; years begin with March here, so that the leap day comes last."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = march + 3 if march < 10 else march - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * march + 2) // 5 + 1


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970; the reverse of `civil`."""
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def clock(number: int, units: int) -> str:
    """`09:30:00` of a time since midnight, which may be negative or above 24 hours."""
    seconds = number // units
    sign = ""
    if seconds < 0:
        sign, seconds = "-", -seconds
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def stamp_of_text(text: str, whole_days: bool) -> str | None:
    """A timestamp or a date written as ISO 8601, in UTC; with `whole_days` its day alone, whatever the zone.

    None for a database's infinity. Raises `Unfit`.
    """
    if text.lower() in TEXTS_FOREVER:
        return None
    found = STAMP.fullmatch(text)
    if found is None:
        raise Unfit("text that is no date or time")
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if abs(year) >= YEAR_FOREVER:
        return None
    if not 1 <= month <= 12 or not 1 <= day <= MONTHS[month - 1] + (month == 2 and leap(year)):
        raise Unfit("text that is no date or time")
    seconds = days_of(year, month, day) * SECONDS_A_DAY
    if whole_days:
        if seconds // SECONDS_A_DAY in DAYS_FOREVER:
            return None
        return stamp_of_seconds(seconds)
    hour, minute, second = int(found[4] or 0), int(found[5] or 0), int(found[6] or 0)
    if hour > 24 or minute > 59 or second > 60:
        raise Unfit("text that is no date or time")
    seconds += hour * 3600 + minute * 60 + second - offset(found[7])
    # The infinities of a timestamp, in whole seconds.
    if seconds in (9_223_372_036_825, -9_223_372_036_833):
        return None
    return stamp_of_seconds(seconds)


def clock_of_text(text: str) -> str:
    """A time of day written as ISO 8601, in UTC. Raises `Unfit`."""
    found = CLOCK.fullmatch(text)
    if found is None:
        raise Unfit("text that is no time of day")
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if hour > 24 or minute > 59 or second > 60:
        raise Unfit("text that is no time of day")
    seconds = hour * 3600 + minute * 60 + second
    zone = offset(found[4])
    return clock((seconds - zone) % SECONDS_A_DAY if zone else seconds, 1)


def offset(zone: str | None) -> int:
    """The seconds that a zone is before UTC."""
    if zone is None or zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
    return -seconds if zone[0] == "-" else seconds


def leap(year: int) -> bool:
    """Whether the year has a 29 February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
