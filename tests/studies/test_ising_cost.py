"""The benchmark of the Ising lattice compares like with like: its loops draw from the same distribution."""

import sys
from pathlib import Path

import numpy as np
import pytest

from studies.ising.exact import kaufman
from studies.ising.lattice import Lattice


@pytest.fixture(scope="module")
def bench():
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import ising

        return ising
    finally:
        sys.path.remove(folder)


def loops(bench, lattice, beta, folder):
    """The source's loop, and where there is a compiler the one in C: proposals between two looks, looks."""
    found = [(bench.source_loop(lattice, beta, None), 48, 1500)]
    compiled = bench.compiled_loop(lattice, beta, folder)
    return found if compiled is None else [*found, (compiled, 480, 10_000)]


def test_the_loops_that_are_compared_have_kaufmans_energy(bench, tmp_path):
    lattice, beta = Lattice(4, 4), 0.2
    for go, apart, looks in loops(bench, lattice, beta, tmp_path):
        go(1000)
        energies = []
        for _ in range(looks):
            assert go(apart) == apart
            energies.append(bench.whole_energy(go.grid.astype(int)))
        error = np.sqrt(3 * np.var(energies) / looks)  # of looks that are not quite independent
        assert np.mean(energies) == pytest.approx(kaufman(4, 4, beta).energy, abs=4 * error)


def test_rows_state_rates_beside_the_sources_and_the_goals(bench):
    rows = {each["name"]: each for each in bench.cost_rows(Lattice(4, 4), 0.3, 0.01, 1, 1)}
    assert {each["unit"] for each in rows.values()} == {"flips a second", "times"}
    assert min(each["measured"] for each in rows.values()) > 0
    for name in ("single, 1 process", "checkerboard, 1 process", "cluster, 1 process"):
        assert rows[name]["reference"] == rows[bench.SOURCE]["measured"]
    over = rows["one process, over the source's loop, without that"]
    assert over["goal"] == 1000
    assert over["measured"] == rows["checkerboard, 1 process"]["measured"] / rows[bench.LEAN]["measured"]
    assert rows["checkerboard, 1 processes: goal"]["goal"] == 2e8
