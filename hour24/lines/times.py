"""The timestamp of a log line, as the common loggers write it.

Rules of this module:

- A field first (JSON, logfmt), then a header: only a priority, a level, a container's name or an
  address may precede the time. A time inside a message is none of the line's own.
- A zone in the line is used; without one, the zone that the caller states. Without both the line
  has no time that could be placed: :class:`NoZone`.
- A time without a year is in the twelve months before now; a time without a date is no timestamp.
- The local hour that a clock repeats in autumn is the first one, unless the line before it is
  already past that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import msgspec

from hour24.linear import shipped
from hour24.lines.levels import json_fields, names_level
from hour24.lines.printed import LONGEST
from hour24.lines.visible import visible

HEADER = 400
"""Characters in which a plain line's timestamp must begin and end."""
EARLIEST, LATEST = 978_307_200.0, 4_102_444_800.0
"""The years 2001 to 2099: another number is no time."""
AHEAD = timedelta(days=2)
"""A date without a year that lies further ahead belongs to the year before."""
BACK_S = 1.0
"""Lines of several threads may be this much out of order."""
_KEYS = (
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "@t",
    "t",
    "asctime",
    "datetime",
    "date",
    "instant",
    "eventtime",
    "time_iso8601",
    "timemillis",
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"(?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,:](?P<f>\d{1,9}))?)?"
_ZONE = r"(?:\s?(?P<z>Z|UTC|GMT|[+-]\d\d:?\d\d)(?![\d:A-Za-z])|(?P<zh>[+-]\d\d)(?![\d:]))?"


def _at(pattern: str) -> re.Pattern[str]:
    return shipped(pattern, longest=HEADER)


_TOKEN = _at(
    r"<\d{1,3}>(?:\d{1,2} )?|[\w.-]{1,60}\s{1,20}\|\s{1,4}|\[[\w:./-]{1,60}\]\s{1,4}|[A-Z],? "
    r"|\d{1,10}\s{1,4}-\s{1,4}|(?P<word>[A-Za-z]{3,13})[\])]?[:|,]?\s{1,8}(?:[-|:]\s{1,4})?"
    r"|[\[(<\"']|\s{1,2}"
)
MOST_TOKENS = 6
_ACCESS = _at(r"\S{1,100} \S{1,60} [^\[\n]{1,60}\[")
_FORMS = (
    _at(rf"(?P<Y>\d{{4}})[-/.](?P<m>\d\d)[-/.](?P<d>\d\d)[T _:]{_CLOCK}{_ZONE}"),
    _at(rf"(?P<d>\d{{1,2}})[-/ ](?P<b>{_MONTH})[-/ ](?P<Y>\d{{4}})[:, ]{{1,2}}{_CLOCK}{_ZONE}"),
    _at(
        rf"(?P<b>{_MONTH})\s{{1,2}}(?P<d>\d{{1,2}}),?\s{{1,2}}(?:(?P<Y>\d{{4}}),?\s{{1,2}})?{_CLOCK}"
        rf"{_ZONE}(?:\s(?:[A-Z]{{3,4}} )?(?P<Y2>\d{{4}})(?!\d))?"
    ),
    _at(
        r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<Y>\d{4}),? (?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)"
        r"(?P<f>(?!))?)? (?P<half>[AP])M\b"
    ),
    _at(
        rf"(?P<b>{_MONTH})\s{{1,2}}(?P<d>\d{{1,2}}),\s{{1,2}}(?P<Y>\d{{4}}),?\s{{1,2}}"
        r"(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?P<f>(?!))?)?\s(?P<half>[AP])M\b"
    ),
    _at(rf"[IWEFD](?P<m>\d\d)(?P<d>\d\d)\s{{1,2}}{_CLOCK}"),
)
_EPOCH = _at(r"(\d{10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})(?=[\s|,\]]|$)")
_LOGFMT = _at(r"(?:^|\s)(?:ts|time|timestamp|t|datetime)=(?:[\"']([^\"']{1,60})[\"']|(\S{1,60}))")
_DAYS = frozenset(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))


class NoZone(ValueError):
    """A local time without its zone.

    Args:
        naive: the time as if it were UTC, in epoch seconds.
    """

    def __init__(self, naive: float) -> None:
        self.naive = naive
        super().__init__("a time without a zone")


def unwrapped(line: str) -> tuple[str, float | None]:
    """Return the application's own text of a container's line, and the time of its wrapping.

    Docker's json-file and the CRI's files wrap each line with the time and the stream.
    """
    if line.startswith('{"log":'):
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return line, None
        if isinstance(found, dict) and {"log", "stream", "time"} >= found.keys() - {"attrs"}:
            log, time = found.get("log"), found.get("time")
            if isinstance(log, str) and isinstance(time, str):
                return log.rstrip("\n"), _of_text(time, None, None, None)
    parts = line.split(" ", 3)
    if len(parts) == 4 and parts[1] in ("stdout", "stderr") and parts[2] in ("F", "P"):
        at = _of_text(parts[0], None, None, None)
        if at is not None:
            return parts[3], at
    return line, None


def time_of(
    line: str, zone: tzinfo | None, now: datetime, after: float | None = None
) -> float | None:
    """Return the time of a line in epoch seconds; none for a line without a timestamp.

    Args:
        zone: of times that state none.
        after: the time of the line before, which decides between two equal local hours.
    Raises: NoZone, when neither the line nor the caller states a zone.
    """
    start = line[: 4 * HEADER].lstrip("\ufeff \x00")
    if start[:1] == "{":
        return _of_json(line, zone, now, after)
    if line[:1] in " \t" and line[:3].isspace():
        return None  # indented: part of what is above it
    text = visible(line[: 4 * HEADER])[:HEADER].lstrip("\ufeff")
    epoch = _EPOCH.match(text)
    if epoch is not None and (at := _of_number(float(epoch[1]))) is not None:
        return at
    for begin in _begins(text):
        for form in _FORMS:
            found = form.match(text, begin)
            if found is not None and (at := _of_parts(found, zone, now, after)) is not None:
                return at
    pair = _LOGFMT.search(text)
    if pair is not None and "=" in text.split(" ", 1)[0]:
        return _of_text(pair[1] or pair[2], zone, now, after)
    return None


def _begins(text: str) -> Iterable[int]:
    """Yield the positions at which a header lets a time begin."""
    at = 0
    for _ in range(MOST_TOKENS):
        yield at
        token = _TOKEN.match(text, at)
        if token is None or not _is_header(token["word"]):
            break
        at = token.end()
    access = _ACCESS.match(text)
    if access is not None:
        yield access.end()


def _is_header(word: str | None) -> bool:
    return word is None or names_level(word) or word.lower()[:3] in _DAYS


def _of_json(line: str, zone: tzinfo | None, now: datetime, after: float | None) -> float | None:
    try:
        found: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        found = dict(json_fields(line[:LONGEST]))
    if not isinstance(found, dict):
        return None
    small = {str(key).lower(): value for key, value in found.items()}
    for key in _KEYS:
        value = small.get(key)
        if isinstance(value, dict):
            value = value.get("$date", value.get("epochSecond"))
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int | float):
            at = _of_number(value)
        else:
            at = _of_text(str(value), zone, now, after)
        if at is not None:
            return at
    return None


def _of_text(
    text: str, zone: tzinfo | None, now: datetime | None, after: float | None
) -> float | None:
    """Return the time that a whole text states."""
    text = text.strip()[:HEADER]
    epoch = _EPOCH.fullmatch(text)
    if epoch is not None:
        return _of_number(float(text))
    for form in _FORMS[:3]:
        found = form.match(text)
        if found is not None:
            return _of_parts(found, zone, now, after)
    return None


def _of_number(value: float) -> float | None:
    """Return the epoch seconds of a number in s, ms, µs or ns."""
    try:
        at = float(value)
    except OverflowError:
        return None
    for _ in range(4):
        if EARLIEST <= at <= LATEST:
            return at
        at /= 1000
    return None


def _of_parts(
    found: re.Match[str], zone: tzinfo | None, now: datetime | None, after: float | None
) -> float | None:
    part = found.groupdict()
    month = part.get("m") or _MONTHS[part["b"].lower()]
    year = part.get("Y") or part.get("Y2")
    stated = part.get("z") or part.get("zh")
    try:
        naive = datetime(  # noqa: DTZ001  its zone follows
            int(year or 2000),
            int(month),
            int(part["d"]),
            _hour(part),
            int(part["M"]),
            int(part["S"] or 0) - (part["S"] == "60"),
            int((part["f"] or "0")[:6].ljust(6, "0")),
        )
        kept = _zone(stated) if stated else zone
        if year is None and now is not None:
            naive = _of_this_year(naive, now)
    except ValueError:
        return None
    if kept is None:
        raise NoZone(naive.replace(tzinfo=UTC).timestamp())
    at = naive.replace(tzinfo=kept).timestamp()
    if after is not None and at < after - BACK_S:
        later = naive.replace(tzinfo=kept, fold=1).timestamp()
        if later - after < 3600.0:
            return max(at, later)
    return at


def _hour(part: Mapping[str, str]) -> int:
    half = part.get("half")
    return int(part["H"]) if half is None else int(part["H"]) % 12 + 12 * (half == "P")


def _of_this_year(naive: datetime, now: datetime) -> datetime:
    """Return the newest such date that is not ahead of now. Raises: ValueError."""
    latest = now.replace(tzinfo=None) + AHEAD
    for year in range(latest.year, latest.year - 9, -1):
        try:
            found = naive.replace(year=year)
        except ValueError:  # 29 February
            continue
        if found <= latest:
            return found
    raise ValueError("no such date")


def _zone(text: str) -> tzinfo:
    if text in ("Z", "UTC", "GMT"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0)))
