"""The Ising lattices' command line and files: the source's names, whole or not at all, refused when they do not fit."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from sim2seq._support.command import run
from sim2seq.data import arrays
from sim2seq.store import store
from studies.ising import files, simulate
from studies.ising.lattice import Lattice
from studies.ising.sampling import Plan, draw

SCRIPT = Path(__file__).parents[3] / "studies" / "ising" / "simulate.py"
FEW = ["--n_samples", "12", "--burn_in", "5"]


def written(folder, *words, **options):
    path = folder / "lattices.h5"
    simulate.main([*words, "--filename", str(path)])
    return path, files.read(path, **options)


def test_a_file_has_the_sources_names_and_what_was_drawn(tmp_path):
    path, lattices = written(tmp_path, *FEW, "--beta", "0.3", "--chains", "4", "--thinning", "2", "--model", "ISING2")
    lattice = Lattice(8, 8, "ISING2")
    plan = Plan(lattice, (0.3,), 12, chains=4, burn_in=5, thinning=2)
    with h5py.File(path) as file:
        assert set(file) >= {"ising_grids", "true_energies", "beta", "avg_E", "chain"}
        assert file["beta"][:].tolist() == [0.3]
        assert file["avg_E"][:].tolist() == [pytest.approx(lattices.energies.mean(), rel=1e-12)]
    assert np.array_equal(lattices.grids, draw(plan, 0.3))
    assert np.array_equal(lattices.energies, lattice.energies(lattices.grids))
    assert lattices.chains.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert lattices.betas.tolist() == [0.3] * 12


def test_several_betas_stand_in_order_each_as_if_drawn_alone(tmp_path):
    words = ["--n_beta_samples", "3", "--beta_min", "0.1", "--beta_max", "0.5", "--chains", "6", "--thinning", "1"]
    path, lattices = written(tmp_path, *FEW, *words, "--part", "test", "--n_x", "4", "--n_y", "6", shape=(4, 6))
    assert lattices.betas == pytest.approx(np.repeat([0.1, 0.3, 0.5], 12), rel=1e-12)
    assert len(set(lattices.chains.tolist())) == 18  # no chain at two betas
    with h5py.File(path) as file:
        assert file["avg_E"][:] == pytest.approx(lattices.energies.reshape(3, 12).mean(axis=1))
    plan = Plan(Lattice(4, 6), (0.3,), 12, chains=6, burn_in=5, thinning=1, part="test")
    assert np.array_equal(lattices.grids[12:24], draw(plan, lattices.betas[12]))


def test_the_last_chain_may_be_shorter(tmp_path):
    _, lattices = written(tmp_path, "--n_samples", "10", "--burn_in", "5", "--chains", "4", "--thinning", "1")
    assert lattices.chains.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3]


@pytest.mark.parametrize("sampler", ["single", "checkerboard", "cluster"])
def test_every_sampler_writes_files(sampler, tmp_path):
    _, lattices = written(tmp_path, *FEW, "--sampler", sampler, "--n_x", "2", "--n_y", "4")
    assert lattices.grids.shape == (12, 2, 4)
    assert len(set(lattices.chains.tolist())) == (1 if sampler == "single" else 12)


@pytest.mark.parametrize(("sampler", "sweep"), [("checkerboard", 1), ("single", 16)])
def test_a_measured_thinning_is_told(sampler, sweep, tmp_path):
    words = ["--chains", "3", "--n_x", "4", "--n_y", "4", "--beta", "0.4", "--thinning", "measured"]
    path, _ = written(tmp_path, *FEW, *words, "--sampler", sampler, "--burn_in", str(40 * sweep))
    with h5py.File(path) as file:
        thinning, time = (file["physics_cycle_series"][name][0, 0] for name in ("thinning", "autocorrelation_time"))
    assert sweep < time < 20 * sweep
    assert sweep < thinning < 3 * time


def test_a_file_enters_the_store_as_one_run_with_its_path(tmp_path):
    betas = ["--n_beta_samples", "2", "--beta_min", "0.1", "--beta_max", "0.2"]
    path, lattices = written(tmp_path, *FEW, *betas, "-G", "train", "-R", "7")
    place = tmp_path / "store.sqlite"
    store.create(place)
    store.ingest(place, arrays.read(path))
    with closing(store.connect(place)) as opened:
        record = opened.stored(["train_7"])["train_7"]
    assert record["files"] == {str(path): {"mimetype": "hdf5"}}
    told = {name: record["data"][name]["value"] for name in ("n_samples", "model", "part", "sampler")}
    assert told == {"n_samples": 12, "model": "ISING1", "part": "train", "sampler": "checkerboard"}
    assert len(str(record)) < 3000  # letters: no lattice among them
    runs = store.load(place)
    seen = dict(zip(runs.features, runs.values[0].T, strict=True))
    energies = lattices.energies.reshape(2, 12)
    assert seen["beta"].tolist() == [0.1, 0.2]
    assert seen["energy"] == pytest.approx(energies.mean(axis=1))
    assert seen["heat_capacity"] == pytest.approx(np.array([0.1, 0.2]) ** 2 * energies.var(axis=1) / 64)
    sizes = np.abs(lattices.grids.sum(axis=(1, 2), dtype=int)).reshape(2, 12).mean(axis=1)
    assert seen["magnetisation"] == pytest.approx(sizes / 64)


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "lattices.h5"
    path.write_bytes(b"old")

    def half():
        with files.created(path, (10, 4, 4), betas=1) as file:
            file[files.GRIDS][:5] = 1
            raise MemoryError("no room")

    with pytest.raises(MemoryError):
        half()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["lattices.h5"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--n_x", "7"], "lattice 7 x 8: expected even numbers of rows and columns"),
        (["--n_y", "1"], "expected at least 2 x 2"),
        (["--beta", "-0.1"], "beta -0.1: expected 0 to 1"),
        (["--beta", "1e9"], "beta 1e+09: expected 0 to 1"),
        (["--beta", "nan"], "beta nan: expected 0 to 1"),
        (["--beta", "cold"], "argument --beta: invalid float value"),
        (["--n_beta_samples", "0"], "--n_beta_samples 0: expected 1 to 10000"),
        (["--n_beta_samples", "3"], "expected two numbers, rising"),
        (["--n_beta_samples", "3", "--beta_min", "0.4", "--beta_max", "0.1"], "expected two numbers, rising"),
        (["--n_beta_samples", "3", "--beta_min", "0.4", "--beta_max", "2"], "beta 1.2: expected 0 to 1"),
        (["--n_beta_samples", "2", "--beta", "0.3"], "--beta: expected without --n_beta_samples"),
        (["--beta_min", "0.1"], "expected with --n_beta_samples of 2 or more"),
        (["--model", "ISING3"], "invalid choice: 'ISING3'"),
        (["--sampler", "wolff"], "invalid choice: 'wolff'"),
        (["--n_samples", "0"], "n_samples 0: expected 1 or more"),
        (["--n_samples", "1000000000000"], "spins in all: expected up to"),
        (["--chains", "13"], "chains 13: expected no more than samples, which are 12"),
        (["--chains", "0"], "chains 0: expected 1 or more"),
        (["--thinning", "0"], "thinning 0: expected 1 or more"),
        (["--thinning", "often"], "argument --thinning: invalid"),
        (["--burn_in", "-1"], "burn_in -1: expected 0 or more"),
        (["--random_seed", "-1"], "seed -1: expected 0 or more"),
        (["--filename", "nowhere/lattices.h5"], "nowhere/lattices.h5: its folder does not exist"),
        (["--filename", "lattices.hdf5"], "expected a name that ends in .h5"),
        (["--group", "../x"], "run id '../x_1'"),
    ],
)
def test_bad_input_ends_in_one_line_and_no_file(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["simulate.py", *FEW, "--filename", "lattices.h5", *words])
    try:
        code = run(simulate.main)
    except SystemExit as refused:  # by the parser
        code = refused.code
    message = capsys.readouterr().err
    assert code == 2
    assert expected in message
    assert len(message.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_script_runs_by_its_path_and_ends_bad_input_with_2(tmp_path):
    path = tmp_path / "lattices.h5"
    for words, code, lines in (([], 0, 0), (["--n_x", "3"], 2, 1)):
        path.unlink(missing_ok=True)
        command = [sys.executable, SCRIPT, *FEW, *words, "--filename", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines()), path.exists()) == (code, lines, code == 0)


def test_a_file_of_the_source_can_be_read(tmp_path):
    """Spins of 64 bits, one beta for all, no chains."""
    path, grids = tmp_path / "source.h5", np.ones((5, 8, 8), dtype=np.int64)
    with h5py.File(path, "w") as file:
        file["ising_grids"], file["true_energies"], file["beta"] = grids, np.full(5, -128), np.array([0.25])
    found = files.read(path, shape=(8, 8))
    assert found.grids.dtype == np.int8
    assert found.betas.tolist() == [0.25] * 5
    assert found.energies.tolist() == [-128] * 5
    assert found.chains is None


def damaged(path, change):
    grids = np.ones((4, 8, 8), np.int8)
    content = {"ising_grids": grids, "true_energies": np.zeros(4), "beta": np.full(4, 0.3)}
    content |= change(grids)
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            if values is not None:
                file[name] = values


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda grids: {"ising_grids": grids[:, :6]}, r"expected shape \(lattices, 8, 8\), got \(4, 6, 8\)"),
        (lambda grids: {"ising_grids": grids[0]}, r"expected shape \(lattices, 8, 8\), got \(8, 8\)"),
        (lambda grids: {"ising_grids": grids[:0]}, r"expected shape \(lattices, 8, 8\), got \(0, 8, 8\)"),
        (lambda grids: {"ising_grids": grids * 0}, "expected spins of .1 and -1, got 0"),
        (lambda grids: {"ising_grids": grids * np.nan}, "expected spins of .1 and -1, got nan"),
        (lambda grids: {"ising_grids": grids.astype("S1")}, "ising_grids: expected a dataset of numbers"),
        (lambda grids: {"ising_grids": None}, "expected a dataset ising_grids, found true_energies, beta"),
        (lambda grids: {"true_energies": None}, "expected a dataset true_energies"),
        (lambda grids: {"true_energies": np.zeros(3)}, r"true_energies: expected one number a lattice, \(4,\)"),
        (lambda grids: {"true_energies": np.full(4, np.inf)}, "true_energies: expected finite numbers"),
        (lambda grids: {"beta": np.zeros(2)}, r"beta: expected one number a lattice, \(4,\), got \(2,\)"),
        (lambda grids: {"beta": None}, "expected a dataset beta"),
        (lambda grids: {"chain": np.zeros(9, int)}, "chain: expected one number a lattice"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(change, expected, tmp_path):
    path = tmp_path / "lattices.h5"
    damaged(path, change)
    with pytest.raises(ValueError, match=expected) as refused:
        files.read(path, shape=(8, 8))
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_without_energies_is_read_if_none_are_asked_for(tmp_path):
    damaged(tmp_path / "x.h5", lambda grids: {"true_energies": None})
    assert files.read(tmp_path / "x.h5", energies=False).energies is None


def test_a_missing_cut_or_changed_file_is_refused_in_one_line(tmp_path):
    path, _ = written(tmp_path, *FEW)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        first = file["ising_grids"].id.get_chunk_info(0).byte_offset
    changed = bytearray(whole)
    changed[first + 3] ^= 2  # 1 becomes 3, and the checksum is another
    for content in (None, b"", whole[: len(whole) // 2], bytes(changed), b"spins"):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(ValueError, match=r"lattices\.h5") as refused:
            files.read(path)
        assert len(str(refused.value).splitlines()) == 1
