"""A record, an array file or a store from a stranger runs nothing, points nowhere else and ends in one line."""

import json
import shutil
import sqlite3
from contextlib import closing

import h5py
import pytest

from sim2seq import cli
from sim2seq._support import command
from sim2seq.data import arrays, records
from sim2seq.data.records import RecordError, Run
from sim2seq.store import store

# records


@pytest.mark.parametrize(
    "text",
    [
        "id%x\n../../etc/passwd%[1]\n",
        "id%x\n/etc/passwd%[1]\n",
        "id%x\na/b%[1]\n",
        "id%x\n..%[1]\n",
        "id%x\n\x1b[2J%[1]\n",
        "id%a\x1b[2J%x\nr%1%[1]\n",
        "id%a%x\nr%\x1b[2J%[1]\n",
        "id%a%x\nr%two\u2028lines%[1]\n",
        "id%x\x1cr%[1]\n",
        'id%x\nr%[1, "' + "a" * 10**6 + '"]\n',
        "id%x\nr%[" + "[" * 990 + "]" * 990 + "]\n",
        'id%a%x\nr%"50%"%[1]\n',
    ],
)
def test_records_with_paths_or_control_characters_are_refused(text):
    """In one short line."""
    with pytest.raises(RecordError) as refusal:
        records.parse("output.dsv", text)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 500


def test_a_column_is_a_series_in_all_runs_or_in_none():
    with pytest.raises(RecordError, match="run b: expected the same series"):
        records.parse("output.dsv", "id%m%x\na%1%[1]\nb%[1]%1\n")


# array files


@pytest.fixture
def array_file(tmp_path):
    path = tmp_path / "runs.h5"
    arrays.write(path, ["a", "b"], {"mass": [1, 2], "label": ["blue", "green"]}, {"x": [[1, 2], [3, 4]]}, [0, 1])
    return path


def words_of_any_length(file, path):
    del file["id"]
    file.create_dataset("id", data=["a", "b"], dtype=h5py.string_dtype())


def numbers_elsewhere(file, path):
    del file["data/mass"]
    path.with_name("other.bin").write_bytes(bytes(16))
    file.create_dataset("data/mass", shape=(2,), dtype=float, external=[(str(path.with_name("other.bin")), 0, 16)])


def virtual_numbers(file, path):
    del file["data/mass"]
    layout = h5py.VirtualLayout((2,), float)
    layout[:] = h5py.VirtualSource(str(path.with_name("other.h5")), "mass", (2,))
    file.create_virtual_dataset("data/mass", layout)


def link(made):
    def change(file, path):
        del file["data/mass"]
        file["data/mass"] = made

    return change


def compressed(file, path):
    del file["data/mass"]
    file.create_dataset("data/mass", data=[1.0, 2.0], chunks=(2,), compression="gzip")


def control_characters(what):
    def change(file, path):
        if what == "name":
            file.move("data/mass", "data/\x1b[2J")
        else:
            file["data/label"][:] = "\x1b[2J"

    return change


CHANGES = [link(h5py.ExternalLink("/etc/other.h5", "mass")), link(h5py.SoftLink("/data/elsewhere"))]
CHANGES += [numbers_elsewhere, virtual_numbers, words_of_any_length, compressed]
CHANGES += [control_characters("name"), control_characters("word")]


@pytest.mark.parametrize("change", CHANGES)
def test_array_files_with_links_or_other_storage_are_refused(array_file, change):
    assert [run.id for run in arrays.read(array_file)] == ["a", "b"]
    with h5py.File(array_file, "r+") as file:
        change(file, array_file)
    with pytest.raises(RecordError) as refusal:
        list(arrays.read(array_file))
    assert str(refusal.value).isprintable()


def test_a_damaged_chunk_does_not_crash_the_library(array_file):
    """The size of a chunk set to 0, which HDF5 takes for 4 bytes less than nothing to check."""
    size = (8 * 4 + 4).to_bytes(4, "little")  # two runs of two steps and their checksum
    content = array_file.read_bytes()
    assert content.count(size) >= 1
    array_file.write_bytes(content.replace(size, bytes(4)))
    with pytest.raises(RecordError):
        list(arrays.read(array_file))


# stores


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    store.create(path)
    store.ingest(path, [Run(f"a_{number}", {"mass": 1.0}, {"time": [0, 1], "x": [1, number]}) for number in (1, 2)])
    return path


@pytest.fixture
def kept(whole, tmp_path):
    """A store of two runs, a copy for each test."""
    return shutil.copy(whole, tmp_path / "store.sqlite")


def change(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


def test_a_trigger_or_view_in_a_store_is_refused(kept):
    for what, statement in (
        ("TRIGGER", "AFTER INSERT ON Record BEGIN UPDATE ScalarData SET value = 0; END"),
        ("VIEW", "AS SELECT * FROM Record"),
    ):
        change(kept, f"CREATE {what} evil {statement}")
        with pytest.raises(store.StoreError, match="evil"):
            store.load(kept)
        change(kept, f"DROP {what} evil")


HOSTILE_RAW = ["", "[]", "1", "null", "{}", "[" * 100_000, '{"data": 1, "curve_sets": 2}', b"\xff\xfe"]
HOSTILE_CURVES = [1, {"dependent": []}, {"dependent": {"x": 1}}]
HOSTILE_VALUES = (1, "ab", None, [[1], [2]], ["a", "b"], {"0": 1}, [10**400, 1], [None, 1])
HOSTILE_CURVES += [{"dependent": {"time": {"value": each}, "x": {"value": each}}} for each in HOSTILE_VALUES]
HOSTILE_RAW += [json.dumps({"data": {}, "curve_sets": {store.CURVE_SET: each}}) for each in HOSTILE_CURVES]


@pytest.mark.parametrize("raw", HOSTILE_RAW, ids=[str(number) for number in range(len(HOSTILE_RAW))])
def test_hostile_entries_of_a_store_are_refused_in_one_line(kept, raw):
    change(kept, "UPDATE Record SET raw = ? WHERE id LIKE 'a_%'", raw)
    with pytest.raises(ValueError, match=r".") as refusal:
        store.load(kept)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 700


HOSTILE_TRAININGS = ["{}", '{"data": []}', '{"data": {"model": 1}}']
HOSTILE_TRAININGS += [
    json.dumps({"data": {"model": {"value": value}}, "curve_sets": {"learning_curve": {"dependent": {"loss": losses}}}})
    for value, losses in [([], {"value": [1]}), ("x", 1), ("x", {"value": "ab"}), ("x", {"value": [[1]]}), ({}, {})]
]


@pytest.mark.parametrize("raw", HOSTILE_TRAININGS, ids=[str(number) for number in range(len(HOSTILE_TRAININGS))])
def test_hostile_trainings_of_a_store_are_refused_in_one_line(kept, capsys, raw):
    store.add_training(kept, "best", {"model": "x"}, {"loss": [1.0], "val_loss": [1.0]})
    change(kept, "UPDATE Record SET raw = ? WHERE id = 'best'", raw)
    assert cli.main(["leaderboard", str(kept)]) == 2
    line = capsys.readouterr().err.removesuffix("\n")
    assert line.isprintable()
    assert "expected Sina's JSON" in line


@pytest.mark.parametrize("raw", ["{}", '{"data": {}}', '{"data": {"mass": 1}, "user_defined": []}', "[]", "1"])
def test_a_hostile_entry_in_a_runs_place_is_refused_in_one_line(kept, raw):
    change(kept, "UPDATE Record SET raw = ? WHERE id = 'a_1'", raw)
    with pytest.raises(store.StoreError, match=r"entry '?a_1'?: expected Sina's JSON"):
        store.ingest(kept, [Run("a_1", {"mass": 1.0}, {"time": [0, 1], "x": [1, 1]})])


@pytest.mark.parametrize("run_id", [b"a", "\u00b2", "\x1b[2J"])
def test_hostile_ids_in_a_store_are_refused_in_one_line(kept, capsys, run_id):
    change(kept, "PRAGMA foreign_keys = OFF")
    change(kept, "UPDATE CurveSetMeta SET id = ? WHERE id = 'a_1'", run_id)
    assert command.run(lambda: store.load(kept)) == 2
    line = capsys.readouterr().err.removesuffix("\n")
    assert line.isprintable()
    assert len(line) < 700
