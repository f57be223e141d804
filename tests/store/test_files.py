"""What an ingest of a folder refuses names the files, and leaves the store as it was."""

import pytest

from sim2seq import cli
from sim2seq.data import arrays
from sim2seq.data.records import Run
from sim2seq.store import store


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store.create("store.sqlite")
    return tmp_path


def write(name: str, text: str, start: bytes = b"") -> None:
    with open(name, "wb") as file:
        file.write(start + text.encode())


def refusal(capsys, *options) -> str:
    assert cli.main(["ingest", ".", "store.sqlite", *options]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert store.run_ids("store.sqlite") == []
    return captured.err


@pytest.mark.parametrize("options", [[], ["--replace"]])
def test_two_files_for_one_run_are_both_named(folder, capsys, options):
    write("a.dsv", "id%x\ng_1%[1,2]\n")
    write("b.dsv", "id%x\ng_1%[1,3]\n")
    words = "run g_1 stands in ./a.dsv and in ./b.dsv, with other content (x at step 1: the one has 2.0, the other 3.0)"
    assert words in refusal(capsys, *options)


def test_one_file_with_a_run_twice_is_named(folder, capsys):
    write("a.dsv", "id%x\ng_1%[1,2]\ng_1%[1,3]\n")
    assert "run g_1 stands twice in ./a.dsv, with other content" in refusal(capsys)


def test_a_run_that_differs_from_the_stored_one_names_its_file(folder, capsys):
    write("a.dsv", "id%x\ng_1%[1,2]\n")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 0
    capsys.readouterr()
    write("a.dsv", "id%x [m]\ng_1%[1,2]\n")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 2
    assert (
        "./a.dsv: run g_1 is in the store with other content: unit of x: store None, new m" in capsys.readouterr().err
    )
    assert cli.main(["ingest", ".", "store.sqlite", "--replace"]) == 0


def test_a_byte_order_mark_means_nothing(folder):
    write("a.dsv", "id%x\ng_1%[1,2]\n\n", b"\xef\xbb\xbf")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 0
    assert store.load("store.sqlite").values.tolist() == [[[1.0], [2.0]]]


def test_what_cannot_be_trained_names_its_file_line_and_column(folder, capsys):
    write("a.dsv", "id%time%x\ng_1%[0,1,1]%[1,2,3]\n")
    expected = "./a.dsv: line 2, column time: step 2: times must increase: expected a time after 1.0, got 1.0"
    assert expected in refusal(capsys)
    write("a.dsv", "id%x\ng_1%[1.0, nan]\n")
    assert "./a.dsv: line 2, column x: step 1: expected a finite number, got nan" in refusal(capsys)


def test_an_array_file_whose_times_do_not_rise_is_refused(folder):
    with pytest.raises(ValueError, match=r"runs\.h5\..*time: step 2: times must increase: 1\.0, then 1\.0"):
        arrays.write("runs.h5", ["g_1"], {}, {"x": [[1.0, 2.0, 3.0]]}, [0, 1, 1])


def test_columns_in_any_order_load_by_name(folder):
    write("a.dsv", "id%x%y\ng_1%[1,2]%[3,4]\n")
    write("b.dsv", "id%y%x\ng_2%[30,40]%[10,20]\n")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 0
    ensemble = store.load("store.sqlite")
    assert ensemble.features == ("x", "y")
    assert ensemble.values.tolist() == [[[1, 3], [2, 4]], [[10, 30], [20, 40]]]


def test_a_record_unlike_the_others_of_its_folder_is_refused(folder, capsys):
    write("a.dsv", "id%x%y\ng_1%[1,2]%[3,4]\n")
    write("b.dsv", "id%x%z\ng_2%[1,2]%[5,6]\n")
    words = "./b.dsv: run g_2 lacks y and has z: expected the features of run g_1; a store holds runs of one kind"
    assert words in refusal(capsys)
    write("b.dsv", "id%y%x\ng_2%[1,2]%[5,6]\n")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 0


@pytest.mark.parametrize("before", ["dsv", "h5"])
def test_a_record_unlike_a_stored_run_is_refused(folder, capsys, before):
    if before == "h5":
        arrays.write("a.h5", ["g_1"], {}, {"x": [[1.0, 2.0]], "y": [[3.0, 4.0]]}, [0.0, 1.0])
    else:
        write("a.dsv", "id%x%y\ng_1%[1,2]%[3,4]\n")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 0
    (folder / f"a.{before}").rename(folder / "kept")
    write("b.dsv", "id%x\ng_2%[1,2]\n")
    if before == "h5":
        (folder / "kept").rename(folder / "a.h5")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 2
    assert "./b.dsv: run g_2 lacks y: expected the features of run g_1" in capsys.readouterr().err
    assert store.run_ids("store.sqlite") == ["g_1"]
    write("b.dsv", "id%x%y\ng_2%[1,2]%[3,5]\n")
    assert cli.main(["ingest", ".", "store.sqlite"]) == 0


def test_runs_may_be_replaced_singly_by_those_of_another_kind(folder):
    for number in (1, 2):
        store.ingest("store.sqlite", [Run(f"g_{number}", {}, {"x": [1.0, 2.0]})])
    for number in (1, 2):
        write("a.dsv", f"id%x%y\ng_{number}%[1,2]%[3,4]\n")
        assert cli.main(["ingest", ".", "store.sqlite", "--replace"]) == 0
    assert store.load("store.sqlite").features == ("x", "y")
