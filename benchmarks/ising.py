#!/usr/bin/env python
"""The Ising lattice: what drawing lattices costs.

    python benchmarks/ising.py [--n 8] [--beta 0.25] [--seconds 3] [--repeats 5] [--processes 2] [--json FILE]

Cost: proposed flips of one spin, on n x n, of the source's loop (one Python call a proposal; the energy of the whole
lattice anew after each, as the source has it, and without that), of the same loop in C where there is a compiler (`cc`;
the project needs none), of the three samplers, and of the fastest in several processes at once, as the tasks of a study
run. All are measured in turn, again and again, in one run, and count with their best repeat. Rates are by processor
time, which other work on the machine does not count in, but slows down through its caches; by the clock only where it
says so.
"""

import ctypes
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _rows import publish, row

from sim2seq._support.command import Parser, run
from studies.ising.lattice import Lattice
from studies.ising.samplers import SAMPLERS

PYTHON_GOAL, COMPILED_GOAL, GOAL, STRETCH = 1000, 100, 2e8, 2e9
UNIT = "flips a second"
SOURCE = "source's loop, energy of the lattice anew"
LEAN = "source's loop, without that"
COMPILED = "source's loop, without that, in C"
LOOP = r"""
#include <math.h>
#include <stdint.h>
static uint64_t next(uint64_t *s) {  /* xorshift64* */
    *s ^= *s >> 12; *s ^= *s << 25; *s ^= *s >> 27;
    return *s * 0x2545F4914F6CDD1DULL;
}
void flips(int8_t *grid, const int32_t *places, int sites, double beta, long steps, uint64_t *state) {
    double chance[5];
    for (int pull = 0; pull <= 4; pull++) chance[pull] = exp(-2 * beta * pull);
    for (long step = 0; step < steps; step++) {
        uint64_t site = (uint64_t)(((unsigned __int128)next(state) * (uint64_t)sites) >> 64);
        const int32_t *four = places + 4 * site;
        int pull = grid[site] * (grid[four[0]] + grid[four[1]] + grid[four[2]] + grid[four[3]]);
        if (pull <= 0 || (next(state) >> 11) * 0x1.0p-53 < chance[pull]) grid[site] = -grid[site];
    }
}
"""


def propose(grid: np.ndarray, beta: float, generator, energy_of) -> float | None:
    """One proposal of the source's sampler on `grid` (n_x, n_y), in place; the energy after it, if it is asked for."""
    n_x, n_y = grid.shape
    i, j = generator.integers(n_x), generator.integers(n_y)
    pull = grid[(i + 1) % n_x, j] + grid[i - 1, j] + grid[i, (j + 1) % n_y] + grid[i, j - 1]
    rise = 2 * grid[i, j] * pull
    if rise <= 0 or generator.random() < np.exp(-beta * rise):
        grid[i, j] *= -1
    return None if energy_of is None else energy_of(grid)


def whole_energy(grid: np.ndarray) -> float:
    return -(grid * (np.roll(grid, 1, axis=0) + np.roll(grid, 1, axis=1))).sum()


def source_loop(lattice: Lattice, beta: float, energy_of) -> Callable[[int], float]:
    """steps -> proposals made in as many calls of `propose`."""
    grid, generator = np.ones((lattice.n_x, lattice.n_y), dtype=int), np.random.default_rng(0)

    def go(steps: int) -> float:
        for _ in range(steps):
            propose(grid, beta, generator, energy_of)
        return steps

    go.grid = grid
    return go


def compiled_loop(lattice: Lattice, beta: float, folder) -> Callable[[int], float] | None:
    """The same in C, steps -> proposals; None where there is no compiler."""
    if shutil.which("cc") is None:
        return None
    source, library = Path(folder) / "loop.c", Path(folder) / "loop.so"
    source.write_text(LOOP, encoding="utf-8")
    subprocess.run(["cc", "-O3", "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
    flips = ctypes.CDLL(str(library)).flips
    pointer, number = ctypes.c_void_p, ctypes.c_int
    flips.argtypes = [pointer, pointer, number, ctypes.c_double, ctypes.c_long, pointer]
    grid, places = np.ones((lattice.n_x, lattice.n_y), np.int8), lattice.neighbours()[0].astype(np.int32)
    state = np.array([88172645463325252], np.uint64)

    def go(steps: int) -> float:
        flips(grid.ctypes.data, places.ctypes.data, lattice.sites, beta, steps, state.ctypes.data)
        return steps

    go.grid = grid
    return go


def sampler_loop(name: str, lattice: Lattice, beta: float) -> Callable[[int], float]:
    """steps -> proposals of one block of chains of a sampler."""
    kind = SAMPLERS[name]
    chains = kind.block(lattice)
    sampler = kind(lattice, beta, chains, np.random.SeedSequence(0))

    def go(steps: int) -> float:
        sampler.advance(steps)
        return steps * chains * sampler.proposals

    return go


def rate(go: Callable[[int], float], seconds: float) -> tuple[float, float]:
    """Proposals a second of the processor and of the clock, of as many steps as take about this long."""
    steps = 1
    while True:
        clock, processor = time.perf_counter(), time.process_time()
        made = go(steps)
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        if processor >= seconds / 2:
            return made / processor, made / clock
        steps = max(steps + 1, min(10 * steps, int(steps * seconds / max(processor, 1e-9))))


def rate_of_process(name: str, lattice: Lattice, beta: float, seconds: float, start, rates) -> None:
    """`rate` of a sampler in a process of its own, begun together with others."""
    go = sampler_loop(name, lattice, beta)
    go(1)
    start.wait()
    rates.put(rate(go, seconds))


def rate_of_processes(name: str, lattice: Lattice, beta: float, seconds: float, processes: int) -> tuple[float, float]:
    """The sums of `rate` over processes that run at once, each with chains of its own."""
    context = multiprocessing.get_context("fork")
    start, rates = context.Barrier(processes), context.SimpleQueue()
    words = (name, lattice, beta, seconds, start, rates)
    begun = [context.Process(target=rate_of_process, args=words) for _ in range(processes)]
    for process in begun:
        process.start()
    found = np.sum([rates.get() for _ in begun], axis=0)
    for process in begun:
        process.join()
    return tuple(found.tolist())


def cost_rows(lattice: Lattice, beta: float, seconds: float, repeats: int, processes: int) -> list[dict]:
    """Flips a second of everything, each the best of its repeats, beside those of the source's loop."""
    with tempfile.TemporaryDirectory() as folder:
        loops = {SOURCE: source_loop(lattice, beta, whole_energy), LEAN: source_loop(lattice, beta, None)}
        loops |= {COMPILED: compiled_loop(lattice, beta, folder)}
        loops |= {f"{name}, 1 process": sampler_loop(name, lattice, beta) for name in SAMPLERS}
        measures = {name: (lambda go=go: rate(go, seconds)) for name, go in loops.items() if go is not None}
        ours, many = "checkerboard, 1 process", f"checkerboard, {processes} processes"
        measures[many] = lambda: rate_of_processes("checkerboard", lattice, beta, seconds, processes)
        best = dict.fromkeys(measures, (0.0, 0.0))
        for _ in range(repeats):
            for name, measure in measures.items():
                best[name] = tuple(map(max, best[name], measure()))
    flips = {name: by_processor for name, (by_processor, _) in best.items()}
    rows = [row(name, value, None, "higher", UNIT, flips[SOURCE]) for name, value in flips.items()]
    for what, goal in (("goal", GOAL), ("stretch", STRETCH)):
        rows.append(row(f"{many}: {what}", flips[many], goal, "higher", UNIT))
    rows.append(row(f"{many}, by the clock", best[many][1], GOAL, "higher", UNIT))
    ratio = flips[ours] / flips[LEAN]
    rows.append(row("one process, over the source's loop, without that", ratio, PYTHON_GOAL, "higher", "times"))
    if COMPILED in flips:
        ratio = flips[ours] / flips[COMPILED]
        rows.append(row("one process, over the loop in C", ratio, COMPILED_GOAL, "higher", "times"))
    return rows


def main(argv=None):
    parser = Parser(description="What drawing Ising lattices costs.")
    parser.add_argument("--n", type=int, default=8, help="the lattice is n x n")
    parser.add_argument("--beta", type=float, default=0.25, help="inverse temperature")
    parser.add_argument("--seconds", type=float, default=3.0, help="of the processor, of each measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each; the best counts")
    parser.add_argument("--processes", type=int, default=2, help="at once, in the last measurement")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    arguments = parser.parse_args(argv)
    lattice = Lattice(arguments.n, arguments.n)
    rows = cost_rows(lattice, arguments.beta, arguments.seconds, arguments.repeats, arguments.processes)
    publish(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(run(main))
