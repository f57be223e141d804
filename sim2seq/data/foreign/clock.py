"""Clock: times as other programs write them, numbers, dates, durations or a count since a date, become numbers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from sim2seq.data.foreign.reading import CLOCK_WITH_UNIT, COUNTERS
from sim2seq.data.records import RecordError, shown

SINCE = re.compile(r"\s*(\w+)\s+since\s+.*", re.IGNORECASE)
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
MONTHS_A_YEAR = 12


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
    if not word and name.lower() in COUNTERS:
        word = "years" if name.lower() == "year" else name.lower().removesuffix("s")
    return UNITS.get(word.lower(), word), bool(since)


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
    if not dates:
        numbers, wrong = as_numbers(words)
        if not wrong.any():
            return numbers
        if DURATION.fullmatch(str(some.iloc[0])):
            return durations(words)
    first = {} if dates else {"dayfirst": day_first(some)}
    for way in ({"format": dates} if dates else first, {"format": dates or "ISO8601"}):
        try:
            found = pd.to_datetime(words, utc=True, **way)
            return found.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
        except (ValueError, TypeError, OverflowError):
            continue
    what = f"as {dates}" if dates else "(--dates FORMAT says how dates are written)"
    raise RecordError(f"time {shown(some.iloc[0])}: expected numbers, durations or dates {what}")


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
    texts = cells.astype(object).map(lambda each: each.strip() if isinstance(each, str) else each).replace("", np.nan)
    made = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True)
    wrong = texts.notna().to_numpy() & np.isnan(made)
    if wrong.any():  # as Fortran writes numbers, with commas between thousands, with one in the place of the point
        again = texts[wrong].astype(str).str.replace(r"^([-+\d.]+)[dD]([-+]?\d+)$", r"\1e\2", regex=True)
        again = again.where(~again.str.fullmatch(r"[-+]?\d{1,3}(,\d{3})+\.\d*"), again.str.replace(",", ""))
        made[wrong] = pd.to_numeric(again.str.replace(r"^([-+]?\d*),(\d+)$", r"\1.\2", regex=True), errors="coerce")
        wrong = texts.notna().to_numpy() & np.isnan(made)
    return made, wrong
