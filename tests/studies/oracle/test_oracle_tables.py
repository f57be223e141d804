"""Real tables: prepared by a written rule, listed with sizes, split by table."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studies.oracle import choosing, tables
from studies.oracle.preparation import facts, prepare
from studies.oracle.tables import PARTS, SCIKIT_LEARN, entries, names

NUMBERS = [float(number) ** 1.5 for number in range(30)]


def prepared(**columns):
    return prepare(pd.DataFrame({"a": NUMBERS, "b": NUMBERS[::-1], **columns}), "some")


def test_numbers_are_scaled_from_least_to_greatest():
    values = prepared(c=[-3.0, 5.0] * 15).values
    assert values[:, 0] == pytest.approx(np.arange(30) ** 1.5 / 29**1.5)
    assert values[:, 2].tolist() == [0.0, 1.0] * 15


def test_words_become_their_places_in_alphabetical_order():
    table = prepared(c=["pear", "apple", "plum"] * 10, d=[True, False] * 15, e=["12", " 2.5", "7"] * 10)
    assert table.values[:3, 2].tolist() == [0.5, 0.0, 1.0]
    assert table.values[:2, 3].tolist() == [1.0, 0.0]
    assert table.values[:3, 4] == pytest.approx([1.0, 0.0, 4.5 / 9.5])
    assert (table.words, table.columns) == (1, ("a", "b", "c", "d", "e"))


def test_gaps_stay_gaps_and_scale_nothing():
    table = prepared(c=[np.nan, 2.0, np.inf] + [4.0] * 27, d=["", "x", "NA"] + ["y", None, "x"] * 9)
    assert np.isnan(table.values[[0, 2], 2]).all()
    assert table.values[1, 2] == 0
    assert np.isnan(table.values[[0, 2, 4], 3]).all()
    assert np.nanmax(table.values, axis=0).tolist() == [1.0] * 4


@pytest.mark.parametrize("name", ["id", "ID", "rownames", "case_id", "patientID", "studentId", "Unnamed: 0", "row"])
def test_a_column_named_as_an_id_is_dropped(name):
    assert prepared(**{name: [5, 3] * 15}).dropped == {name: "is an id by its name"}


@pytest.mark.parametrize("name", ["wid", "paid", "hidden", "idea", "grid"])
def test_a_word_that_ends_like_an_id_is_none(name):
    assert prepared(**{name: [5, 3] * 15}).dropped == {}


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (list(range(30)), "counts the rows"),
        ([1960 + quarter / 4 for quarter in range(30)], "counts the rows"),
        ([f"person {number}" for number in range(30)], "holds names: 30 different words"),
        ([7] * 30, "is constant"),
        (["same"] * 30, "is constant"),
        ([None] * 30, "has no value"),
        ([1.0, 2.0] * 7 + [None] * 16, "has more gaps than values"),
        ([-1.5e308, 1.5e308] * 15, "spans more than a number can hold"),
    ],
)
def test_a_column_that_tells_nothing_is_dropped_and_says_why(column, why):
    table = prepared(c=column)
    assert table.dropped == {"c": why}
    assert table.values.shape == (30, 2)


def test_a_column_of_small_numbers_is_kept_as_a_large_one_is():
    small = [1e-9 * number for number in NUMBERS]
    assert prepared(c=small).dropped == {}
    assert prepared(c=[1e-9 * number for number in range(30)]).dropped == {"c": "counts the rows"}


def test_rows_without_any_value_are_dropped():
    frame = pd.DataFrame({"a": NUMBERS, "b": NUMBERS[::-1]})
    frame.iloc[[3, 4]] = np.nan
    assert len(prepare(frame, "some").values) == 28


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": NUMBERS}, "table mine: expected 2 columns that vary, got 1 (none was dropped)"),
        ({"a": NUMBERS, "b": [1] * 30}, "got 1 (b is constant)"),
        ({"a": [None] * 30, "b": [None] * 30}, "got 0 (a has no value; b has no value)"),
        ({}, "got 0 (none was dropped)"),
        ({"a": NUMBERS[:9], "b": NUMBERS[8::-1]}, "expected 20 rows with values, got 9"),
    ],
)
def test_a_table_with_too_little_is_refused_in_one_line(columns, expected):
    with pytest.raises(ValueError, match="expected") as refused:
        prepare(pd.DataFrame(columns), "mine")
    assert expected in str(refused.value)


def test_facts_of_a_table_are_those_of_its_rows():
    known = facts(prepared(c=["x", "y", None] * 10))
    assert (known["table_rows"], known["table_columns"], known["table_words"]) == (30, 3, 1)
    assert known["table_gaps"] == pytest.approx(10 / 90)
    flat = prepare(pd.DataFrame({"a": NUMBERS, "b": NUMBERS[::-1]}), "flat")
    assert facts(flat)["table_plane"] == pytest.approx(1)  # two columns lie in a plane
    centre = flat.values.mean(axis=0)
    assert facts(flat)["table_spread"] == pytest.approx(np.linalg.norm(flat.values - centre, axis=1).mean())


def test_the_list_has_forty_tables_and_those_of_scikit_learn():
    packages = Counter(entry.package for entry in entries().values())
    assert packages.pop(SCIKIT_LEARN) == 5
    assert packages.total() >= 40
    assert max(packages.values()) == choosing.MOST_OF_A_PACKAGE
    assert all(100 <= entry.rows <= 20_000 and entry.columns >= 4 for entry in entries().values())
    assert len({name.lower() for name in entries()}) == len(entries())


def test_listed_tables_are_as_large_as_listed_and_scaled():
    for name in names()[::8]:
        table, entry = tables.load(name), entries()[name]
        assert table.values.shape == (entry.rows, entry.columns)
        assert np.isnan(table.values).mean() == pytest.approx(entry.gaps, abs=1e-4)
        assert np.nanmin(table.values, axis=0).tolist() == [0.0] * entry.columns
        assert np.nanmax(table.values, axis=0).tolist() == [1.0] * entry.columns
        assert table.words == entry.words


def test_tables_not_runs_are_split_by_the_stated_seed():
    parts = [entry.part for entry in entries().values()]
    assert parts == choosing.parts(len(parts))
    counts = {part: parts.count(part) for part in PARTS}
    assert counts["validation"] == counts["test"] == round(0.2 * len(parts))
    assert sorted(name for part in PARTS for name in names(part)) == sorted(names())
    assert tables.part_of("mine") == "own"


def family(item, columns, rows=None):
    frame = pd.DataFrame(columns)
    table = prepare(frame if rows is None else frame.iloc[rows], item)
    numbers = [np.round(np.sort(column), 8).tobytes() for column in table.values.T if choosing.is_number(column)]
    return choosing.Candidate("R", item, "", table, frozenset(table.columns), frozenset(numbers))


def test_a_family_is_told_by_columns_names_and_values():
    one = family("Wages", {"a": NUMBERS, "b": NUMBERS[::-1], "c": [1, 2] * 15, "d": [3, 1, 2] * 10})
    other = {"e": [number**3 + number % 7 for number in NUMBERS], "f": [1, 5] * 15, "g": [2, 2, 3] * 10}
    assert not choosing.is_family(one, family("Crabs", other))
    assert choosing.is_family(one, family("Crabs", {**other, "h": [2 * number + 1 for number in NUMBERS]}))  # a, scaled
    assert choosing.is_family(one, family("Crabs", {**other, "a": [1, 5, 4] * 10, "b": [1, 0, 2] * 10}))
    assert choosing.is_family(one, family("wages_2", other))
    assert not choosing.is_family(one, family("wag", other))


def test_the_rule_takes_a_table_and_leaves_what_it_should():
    assert choosing.fits(choosing.candidate("MASS", "Boston", "Housing"))
    assert not choosing.fits(choosing.candidate("datasets", "Titanic", "4 columns of words"))
    assert choosing.candidate("datasets", "Nile", "one column") is None


def test_the_list_is_printed_as_the_card_has_it(capsys):
    tables.main([])
    printed = capsys.readouterr().out
    boston = "| MASS-Boston | 506 | 14 | 0 | 0.0% | {} | Housing Values in Suburbs of Boston (MASS, `Boston`) |"
    assert boston.format(tables.part_of("MASS-Boston")) in printed
    assert re.search(r"^\d+ tables: \d+ train, \d+ validation, \d+ test$", printed, re.MULTILINE)
    assert printed in Path(tables.__file__).with_name("README.md").read_text(encoding="utf-8")
    tables.main(["--describe", "datasets-airquality"])
    assert "table_rows 153\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n", "expected 2 columns that vary, got 0"),
        ("", "No columns to parse"),
        ("a,b\n" + "1,2\n3,4\n" * 10 + '5,"6', "EOF inside string"),
    ],
)
def test_a_csv_file_that_is_no_table_is_refused(text, expected, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=expected):
        tables.load(str(path))
    with pytest.raises(OSError, match="missing"):
        tables.load(str(tmp_path / "missing.csv"))
    with pytest.raises(ValueError, match="expected a CSV file, or a name"):
        tables.load("nothing")


def mine(tmp_path, text: str, encoding="utf-8", name="mine.csv") -> str:
    (tmp_path / name).write_text(text, encoding=encoding)
    return str(tmp_path / name)


ROWS = [(f"{number:.3f}", f"{100 - number**0.5:.3f}", "xy"[place % 2]) for place, number in enumerate(NUMBERS)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_however_it_is_written(tmp_path, separator, encoding):
    text = "\n".join(separator.join(row) for row in [("a", "b", "c"), *ROWS])
    text = text if separator == "," else text.replace(".", ",")
    plain = tables.load(mine(tmp_path, "\n".join(",".join(row) for row in [("a", "b", "c"), *ROWS])))
    table = tables.load(mine(tmp_path, text, encoding))
    assert (table.columns, table.words) == (("a", "b", "c"), 1)
    assert table.values.tolist() == plain.values.tolist()


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        [("male", "23", str(place % 7)) for place in range(30)],
        [(str(place * place % 11), str(place % 4)) for place in range(3, 33)],
        [("pear", "red"), ("apple", "red"), ("pear", "blue")] * 10,
    ],
)
def test_a_table_without_a_line_of_names_is_refused(tmp_path, rows):
    path = mine(tmp_path, "\n".join(map(",".join, rows)))
    with pytest.raises(ValueError, match=r"mine\.csv: expected a line with the names of the columns first; got "):
        tables.load(path)


@pytest.mark.parametrize("names", ["0,1,2", "1960,1961,1962", "country,1960,1970", "a,2,3"])
def test_numbers_that_name_columns_are_names(tmp_path, names):
    path = mine(tmp_path, "\n".join([names, *(f"{row[2]},{row[0]},{row[1]}" for row in ROWS)]))
    assert tables.load(path).columns == tuple(names.split(","))


@pytest.mark.parametrize(
    ("text", "encoding"), [("", "utf-8"), ("a,b\n1,2\n", "utf-16-le"), ("a,b\n1,2,3\n1\n1,2,3,4", "utf-8")]
)
def test_a_file_that_is_no_table_is_named_in_one_line(tmp_path, text, encoding):
    path = mine(tmp_path, text, encoding)
    with pytest.raises(ValueError, match=r"mine\.csv: expected a ") as refused:
        tables.load(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["inf", "nan", "12", "1e5", "Infinity"])
def test_a_file_named_as_a_number_is_a_word(tmp_path, name):
    from sim2seq._support.command import run
    from sim2seq.data import records
    from studies.oracle import simulate

    path = mine(tmp_path, "\n".join(map(",".join, [("a", "b", "c"), *ROWS])), name=f"{name}.csv")
    assert tables.load(path).name == f"table-{name}"
    words = [path, "map_rows:3", "map_columns:3", "epoch_multiplier:1", "checkpoints:20", "mode:stochastic", "--output"]
    out = tmp_path / "run.dsv"
    assert run(lambda: simulate.main([*words, str(out)])) == 0
    (found,) = records.read(out)
    assert (found.data["group_id"], found.data["table"]) == (f"table-{name}", f"table-{name}")
    with pytest.raises(ValueError, match="group 'inf': expected a word or a finite number"):
        simulate.main([*words, str(out), "--group", "inf"])


def test_names_of_files_become_ids_of_runs(tmp_path):
    path = tmp_path / "my_own..table (2).csv"
    pd.DataFrame({"a": NUMBERS, "b": NUMBERS[::-1]}).to_csv(path, index=False)
    assert tables.load(str(path)).name == "my-own.table-2"
