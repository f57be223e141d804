"""Scripts of studies that write a file: where none can be written they say so at once, in one line."""

import numpy as np
import pytest

from sim2seq._support import command, files
from sim2seq.data import arrays
from studies.dodging_robot import simulate as dodging
from studies.ising import simulate as ising
from studies.oracle import curves
from studies.oracle import simulate as oracle
from studies.pong import simulate as pong

SCRIPTS = {  # with as much work as would take minutes
    "pong": (pong.main, "--episodes 1000 --output", ".h5"),
    "ising": (ising.main, "--n_x 64 --n_y 64 --n_samples 100000 --filename", ".h5"),
    "oracle": (oracle.main, "iris --output", ".dsv"),
    "oracle's many runs": (oracle.main, "--table table.npy --output", ".h5"),
    "oracle's curves": (curves.main, "--runs 1000", ".h5"),
    "dodging robot": (dodging.main, "--duration 3000 --output", ".dsv"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_asks_for_the_files_place_before_it_works(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main, words, ending = SCRIPTS[name]
    (tmp_path / f"a{ending}").mkdir()
    for place, said in ((f"no/x{ending}", "its folder does not exist"), (f"a{ending}", "it is a folder")):
        assert command.run(lambda place=place: main([*words.split(), place])) == 2
        told = capsys.readouterr().err
        assert f"{place}: " in told
        assert said in told
        assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"a{ending}"]


WRITERS = {
    "text": lambda path: files.write_text(path, "a"),
    "JSON": lambda path: files.write_json(path, {}),
    "an array": lambda path: files.write_array(path, np.zeros(2)),
    "an array file": lambda path: arrays.write(path, ["a"], {}, {"x": np.zeros((1, 3))}, np.arange(3)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_in_no_folder_is_refused_by_its_own_name(name, tmp_path):
    path = tmp_path / "no" / "x.h5"
    with pytest.raises(FileNotFoundError, match="its folder does not exist") as error:
        WRITERS[name](path)
    assert str(error.value).startswith(f"{path}: ")
