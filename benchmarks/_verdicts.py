"""What the readers did with an input of fuzz.py: runs that survive writing and reading, one line, or what is broken."""

import math
import signal
from contextlib import contextmanager

from sim2seq.data import records
from sim2seq.data.records import RecordError, Run

SECONDS = 2  # of computing that an input may take
LONGEST_MESSAGE = 500  # characters


class Broken(AssertionError):
    """The reader did what it must not do."""


class TooLong(BaseException):
    """An input took more than SECONDS of computing; no Exception, so that no reader takes it for its own."""


@contextmanager
def watch():
    """Let `judge` take the time of each input."""

    def ring(*_):
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def judge(read) -> str:
    """As `verdict`, within SECONDS."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)  # again and again: some callbacks swallow exceptions
    try:
        return verdict(read)
    except TooLong:
        raise Broken(f"TooLong: more than {SECONDS} s") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def verdict(read) -> str:
    """ "read" or "refused", what `read()`, a call that returns runs, did with its input; or Broken."""
    try:
        runs = read()
    except RecordError as error:
        check_message(str(error))
        return "refused"
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {str(error)[:200]}") from error
    check_runs(runs)
    return "read"


def check_message(message: str) -> None:
    if not message.isprintable() or len(message) > LONGEST_MESSAGE:
        raise Broken(f"expected a message of one line and up to {LONGEST_MESSAGE} characters: {message!r:.300}")


def check_runs(runs: list[Run]) -> None:
    """Raise Broken unless these are runs, and the same ones after they were written and read."""
    if not runs or not all(isinstance(run, Run) and run.series for run in runs):
        raise Broken(f"expected runs: {runs!r:.200}")
    if not all(math.isfinite(value) for run in runs for values in run.series.values() for value in values):
        raise Broken("a number is not finite")
    try:
        again = records.parse("again", records.format_runs(runs))
    except Exception as error:
        raise Broken(f"what was read cannot be written and read: {type(error).__name__}: {error}") from error
    if list(map(ordered, again)) != list(map(ordered, runs)):
        raise Broken("what was read is another one after writing and reading")


def ordered(run: Run) -> str:
    """All of a run as text, every bit of its numbers."""
    return repr((run.id, sorted(run.data.items()), sorted(run.series.items())))
