"""The readers hold against some thousands of wrong files; benchmarks/fuzz.py tries a million, and this tries itself."""

import json
import sys
from pathlib import Path

import pytest

from sim2seq.data.records import RecordError, Run


@pytest.fixture(scope="module")
def fuzz():
    folder = str(Path(__file__).parent.parent / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import fuzz

        return fuzz
    finally:
        sys.path.remove(folder)


def refuse(message):
    """Raise a RecordError that says this as it is, which its own makes one line of."""
    error = RecordError(message)
    error.args = (message,)
    raise error


def forever():
    while True:
        pass


def test_thousands_of_wrong_records_give_runs_or_one_clear_line(fuzz):
    counts = fuzz.mutated(4000, 1, lambda number: None)
    assert counts.total() == 4000
    assert min(counts["read"], counts["refused"]) > 400  # neither all valid nor all noise


def test_records_drawn_by_hypothesis_give_runs_or_one_clear_line(fuzz):
    counts = fuzz.by_hypothesis(150, 1, lambda number: None)
    assert min(counts["read"], counts["refused"]) > 15


def test_damaged_array_files_crash_nothing(fuzz):
    counts = fuzz.in_arrays(200, 1, lambda number: None)
    assert counts.total() == 200
    assert counts["refused"] > 20


def test_damaged_files_of_other_programs_give_runs_or_one_line(fuzz):
    counts = fuzz.in_foreign(100, 1, lambda number: None)
    assert counts.total() == 100
    assert min(counts["read"], counts["refused"]) > 10


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (forever, "TooLong"),
        (lambda: refuse("two\nlines"), "one line"),
        (lambda: refuse("x" * 501), "up to 500"),
        (lambda: [], "expected runs"),
        (lambda: [Run("a", {}, {"x": [float("nan")]})], "not finite"),
        (lambda: [Run("a", {"share": "50%"}, {"x": [1.0]})], "cannot be written and read"),
        (lambda: [Run("a", {"mass": "1"}, {"x": [1.0]})], "another one"),
    ],
)
def test_what_a_reader_must_not_do_is_noticed(fuzz, monkeypatch, read, words):
    monkeypatch.setattr("_verdicts.SECONDS", 0.2)
    with fuzz.watch(), pytest.raises(fuzz.Broken, match=words):
        fuzz.judge(read)


def test_a_failure_names_its_input(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz.records, "parse", lambda path, text: [])
    with pytest.raises(fuzz.Broken, match="input 1 of seed 0: '"):
        fuzz.mutated(8, 0, lambda number: None)


def test_one_seed_gives_the_same_inputs_and_results_are_written(fuzz, monkeypatch, tmp_path, capsys):
    for name in ("a.json", "b.json"):
        words = ["fuzz.py", "--inputs", "300", "--seed", "5", "--ways", "mutated", "--json", str(tmp_path / name)]
        monkeypatch.setattr(sys, "argv", words)
        assert fuzz.main() == 0
    first, second = (
        {row["name"]: row["measured"] for row in json.loads((tmp_path / name).read_text()) if row["unit"] != "s"}
        for name in ("a.json", "b.json")
    )
    assert first == second
    assert (first["all inputs"], first["failures"]) == (300, 0)
