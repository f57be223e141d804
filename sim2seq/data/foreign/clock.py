"""Clock: times as other programs write them, numbers, dates, durations or a count since a date, become numbers."""

from __future__ import annotations

import re
from itertools import takewhile

import numpy as np
import pandas as pd

from sim2seq.data.foreign.reading import CLOCK_WITH_UNIT, COUNTERS, first_of
from sim2seq.data.records import RecordError, shown

SINCE = re.compile(r"\s*(\w+)\s+since\s+.*", re.IGNORECASE)
STAMP = re.compile("stamp|date|epoch|unix")  # in the name of a clock that may count since 1970
DURATION = re.compile(r"\s*(\d+ days?,? *)?\d+:\d\d(:\d\d([.,]\d+)?)?\s*")
UNITS = {  # as other programs write it -> as it is shown
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), "ns"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("month", "months"), "months"),
    **dict.fromkeys(("a", "yr", "year", "years"), "years"),
}
NAMES_OF_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DATE = re.compile(  # or a month, a quarter, a duration
    r"\s*\d+[-/.]\d+[-/.]\d.*|\s*\d{4}[-/.]\d\d?\s*|\s*\d{4}[ _-]?q0?[1-4]\s*|\s*(\d+ days?,? *)?\d+:\d\d.*"
    rf"|(?=.*\d\d)[\d\s,.:/-]*({NAMES_OF_MONTHS})[a-z]*[\d\s,.:/-]*",
    re.IGNORECASE,
)
DAYS, TIMES_OF_DAY = ("date", "datum", "day"), ("time", "zeit", "uhrzeit", "clock", "time_of_day")
MONTHS_A_YEAR, SECONDS_A_DAY = 12, 86400
LEAST_YEAR = 1000
MISSING = ("", ".", "?")  # cells without a number, as SAS, Stata and the UCI archive write them
AS_DIGITS = re.compile(r"day as %Y%m%d(\.%f)?")  # unit of times in NetCDF files of CDO
QUARTER = re.compile(r"^\s*(\d{4})[ _-]?[Qq]0?([1-4])\s*$")  # 1970 Q1
COMPACT = {6: "%Y%m", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # digits of a date without signs
PARTS = {  # of a date that stands in several columns
    "year": ("year", "yr", "yyyy"),
    "quarter": ("quarter", "qtr"),
    "month": ("month", "mon", "mm"),
    **{name: (name,) for name in ("day", "hour", "minute", "second")},
}


def is_date(cell: str) -> bool:
    return bool(DATE.fullmatch(cell))


def are_words(cells: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(cells) and cells.map(lambda each: isinstance(each, str)).all()


def is_each_once(runs: pd.Series | None, days: pd.Series) -> bool:
    """Whether no run has a date twice; None: all rows are of one run."""
    return not pd.DataFrame({"run": 0 if runs is None else runs, "day": days}).duplicated().any()


def after_midnight(times: np.ndarray, runs: list[np.ndarray]) -> np.ndarray:
    """Times of day with a day more from each midnight on: where a run's rows rise but for falls of most of a day.

    times   (rows,) as `parse` returns them; runs: the rows of each run
    """
    day, most = np.timedelta64(24, "h"), np.timedelta64(12, "h")
    if times.dtype.kind != "m" or (times < np.timedelta64(0)).any() or (times >= day).any():
        return times
    made = times.copy()
    for rows in runs:
        days = np.cumsum(np.diff(times[rows], prepend=times[rows][:1]) < -most)
        risen = times[rows] + days * day
        if days.any() and (np.diff(risen) >= np.timedelta64(0)).all():
            made[rows] = risen
    return made


def unit_of(said: str, name: str, times: np.ndarray) -> tuple[str, bool]:
    """The unit in which `count` counts times, and whether it counts each run from its own start.

    said, name   the unit that the file says, and the name of the clock there
    times        of all runs, as `parse` returns them
    """
    if times.dtype.kind in "mM":
        return (calendar_unit(times) if times.dtype.kind == "M" else "s"), times.dtype.kind == "M"
    since = SINCE.fullmatch(said)
    word = since[1] if since else said.strip()
    if not word and (found := CLOCK_WITH_UNIT.fullmatch(name.lower())):
        word = found[1]
    if not word and STAMP.search(name.lower()) and (counted := since_1970(times)):
        return counted, True
    if not word and name.lower() in COUNTERS:
        word = "years" if name.lower() == "year" else name.lower().removesuffix("s")
    return UNITS.get(word.lower(), word), bool(since)


def since_1970(times: np.ndarray) -> str:
    """What times since 1970 count that are too large for seconds; "" for others: as seconds, 1e11 are the year 5138."""
    least = np.nanmin(times) if np.isfinite(times).any() else 0
    return next((unit for most, unit in ((1e17, "ns"), (1e14, "us"), (1e11, "ms")) if least > most), "")


def count(times: np.ndarray, unit: str, from_start: bool) -> np.ndarray:
    """Times, as `parse` returns them, as numbers of `unit`; counted from the first one where `from_start`."""
    if times.dtype.kind == "m":
        return seconds(times)
    if times.dtype.kind == "M":
        there = ~np.isnat(times)
        if not there.any():
            return np.full(len(times), np.nan)
        if unit in ("months", "years"):
            months = times.astype("datetime64[M]").astype(int) - times[there].min().astype("datetime64[M]").astype(int)
            return np.where(there, months / (MONTHS_A_YEAR if unit == "years" else 1), np.nan)
        return seconds(times - times[there].min())
    return times - np.nanmin(times) if from_start and np.isfinite(times).any() else times


def parse(values, dates: str = "") -> np.ndarray:
    """Times of any kind as float64, datetime64[ns] or timedelta64[ns]; nan or NaT for none.

    dates   how they are written, as for strptime
    Raises RecordError for what is neither numbers, dates nor durations.
    """
    values = np.asarray(values)
    if values.dtype.kind in "biuf" and not dates:
        return values.astype(float)
    if values.dtype.kind in "mM":
        return values.astype(f"{'timedelta' if values.dtype.kind == 'm' else 'datetime'}64[ns]")
    words = pd.Series(values.ravel(), dtype=object)
    words = words.map(lambda each: each.decode("utf-8", "replace") if isinstance(each, bytes) else each)
    some = words.dropna()
    first = some.iloc[0] if len(some) else None
    if hasattr(first, "calendar"):  # cftime: a date of another calendar
        since = [pd.NaT if each is None else pd.Timedelta(each - first) for each in words]
        return np.array(since, dtype="timedelta64[ns]")
    return of_words(words, some, dates)


def of_words(words: pd.Series, some: pd.Series, dates: str) -> np.ndarray:
    """Texts as times: numbers, durations or dates, whichever all of them are; `some`: those that are there."""
    odd = some.iloc[0]
    if not dates:
        numbers, wrong = as_numbers(words)
        if not wrong.any():
            return numbers
        odd = words[wrong].iloc[0]
        if DURATION.fullmatch(str(some.iloc[0])):
            return durations(words)
    first = {} if dates else {"dayfirst": day_first(some)}
    if not dates and some.astype(str).str.fullmatch(QUARTER).all():
        found = pd.PeriodIndex(words.str.replace(QUARTER, r"\1Q\2", regex=True), freq="Q")
        return found.to_timestamp().to_numpy().astype("datetime64[ns]")
    for way in ({"format": dates} if dates else first, {"format": dates or "ISO8601"}):
        try:
            found = pd.to_datetime(words, utc=True, **way)
            return found.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
        except (ValueError, TypeError, OverflowError):
            continue
    what = f"as {dates}" if dates else "(--dates FORMAT says how dates are written)"
    raise RecordError(f"time {shown(odd)}: expected numbers, durations or dates {what}")


def of_digits(values: np.ndarray, name: str) -> np.ndarray:
    """Times whose `name` says dates and which are such in digits, as 20240131, as dates; others as they are."""
    if "dat" not in name.lower() or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return values
    digits = pd.Series(values.astype(np.int64).astype(str))
    form = COMPACT.get(len(digits[0])) if len(digits) and (digits.str.len() == len(digits[0])).all() else None
    found = pd.to_datetime(digits, format=form, errors="coerce") if form and (values % 1 == 0).all() else None
    return values if found is None or found.isna().any() else found.to_numpy()


def of_days(values: np.ndarray, unit: str) -> np.ndarray:
    """Times in the unit `day as %Y%m%d.%f`, such as 20240131.25, as dates; of other units as they are."""
    if values.dtype.kind not in "iuf" or not AS_DIGITS.fullmatch(unit):
        return values
    days = of_digits(np.floor(values).ravel(), "date")
    if days.dtype.kind != "M":
        return values
    return (days + ((values.ravel() % 1) * SECONDS_A_DAY).round().astype("timedelta64[s]")).reshape(values.shape)


def of_parts(frame: pd.DataFrame) -> tuple[list[str], pd.Series | None]:
    """The columns that hold a year and its quarters or months (and days, hours, ...), and the dates that these make.

    None where there are none, or they are no dates.
    """
    held = parts_in(frame)
    if len(held) < 2:  # a year alone is a number
        return [], None
    numbers = pd.DataFrame({part: as_numbers(part_of(frame[name]))[0] for part, name in held.items()})
    if "quarter" in held:
        inside = numbers.pop("quarter")
        numbers["month"] = (3 * inside - 2).where(inside.isin([1, 2, 3, 4]))
    dates = pd.to_datetime({"day": 1} | dict(numbers.items()), errors="coerce")
    good = dates.notna().all() and (numbers["year"] > LEAST_YEAR).all()
    return list(held.values()), dates.set_axis(frame.index) if good else None


def parts_in(frame: pd.DataFrame) -> dict[str, str]:
    """Part of a date -> the column that holds it: the year, then its quarter, or its month and what is finer."""
    names = [str(name) for name in frame.columns]
    held = {part: found for part, known in PARTS.items() if (found := first_of(names, known))}
    if (period := first_of(names, ("period",))) and frame[period].astype(str).str.fullmatch(r"[QM]\d\d").all():
        held["quarter" if str(frame[period].iloc[0]).startswith("Q") else "month"] = period  # Q01, M01
    wanted = ("year", "quarter") if "quarter" in held else ("year", "month", "day", "hour", "minute", "second")
    return {part: held[part] for part in takewhile(held.__contains__, wanted)}


def part_of(cells: pd.Series) -> pd.Series:
    """A part of a date, without the letter that says which: Q01 is 1."""
    return cells if cells.dtype.kind in "iuf" else cells.astype(str).str.replace(r"^\s*[QqMm]", "", regex=True)


def durations(words: pd.Series) -> np.ndarray:
    """Texts such as 0:01:30.5 or 1 day 00:00:00; two numbers are hours and minutes."""
    full = words.str.strip().str.replace(",", ".").str.replace(r"^(\d+:\d\d)$", r"\1:00", regex=True)
    try:
        return pd.to_timedelta(full).to_numpy().astype("timedelta64[ns]")
    except ValueError as error:
        raise RecordError(f"time {shown(words.iloc[0])}: expected durations, hours:minutes:seconds") from error


def day_first(words: pd.Series) -> bool:
    """Whether dates begin with the day: written with dots, or with a first number above 12.

    Raises RecordError where day and month cannot be told apart.
    """
    parts = words.astype(str).str.extract(r"^\s*(\d{1,2})([./-])(\d{1,2})[./-]\d{2,4}").dropna()
    if parts.empty or (parts[1] == ".").any():
        return not parts.empty
    first, second = parts[0].astype(int), parts[2].astype(int)
    if (first > MONTHS_A_YEAR).any() or (second > MONTHS_A_YEAR).any() or (first == second).all():
        return bool((first > MONTHS_A_YEAR).any())
    raise RecordError(f"date {shown(words.iloc[0])}: day or month first? --dates %d/%m/%Y or %m/%d/%Y says it")


def calendar_unit(dates: np.ndarray) -> str:
    """months or years where dates are evenly apart in these and not in seconds, else s."""
    stamps = np.unique(dates[~np.isnat(dates)])
    if len(stamps) < 3 or np.ptp(np.diff(stamps).astype(int)) == 0:
        return "s"
    within = stamps - stamps.astype("datetime64[M]")
    next_day = stamps.astype("datetime64[D]") + 1
    last_days = (next_day == next_day.astype("datetime64[M]")).all()
    apart = np.unique(np.diff(stamps.astype("datetime64[M]").astype(int)))
    if len(apart) > 1 or apart[0] == 0 or not (last_days or (within == within[0]).all()):
        return "s"
    return "months" if apart[0] % MONTHS_A_YEAR else "years"


def seconds(durations: np.ndarray) -> np.ndarray:
    """Durations, timedelta64, as seconds; nan for none."""
    counted = durations.astype("timedelta64[ns]")
    return np.where(np.isnat(counted), np.nan, counted.astype(np.int64) / 1e9)


def as_numbers(cells: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Cells as numbers, nan where there is none, and which cells are something else."""
    if cells.dtype.kind in "biuf":
        return cells.to_numpy(dtype=float), np.zeros(len(cells), dtype=bool)
    if cells.dtype.kind in "mM":
        return np.full(len(cells), np.nan), cells.notna().to_numpy()
    texts = cells.astype(object).map(lambda each: each.strip() if isinstance(each, str) else each)
    texts = texts.replace(list(MISSING), np.nan)
    made = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True)
    wrong = texts.notna().to_numpy() & np.isnan(made)
    if wrong.any():  # as Fortran writes numbers, with a comma in the place of the point
        again = texts[wrong].astype(str).str.replace(r"^([-+\d.]+)[dD]([-+]?\d+)$", r"\1e\2", regex=True)
        made[wrong] = pd.to_numeric(again.str.replace(r"^([-+]?\d*),(\d+)$", r"\1.\2", regex=True), errors="coerce")
        wrong = texts.notna().to_numpy() & np.isnan(made)
    return made, wrong
