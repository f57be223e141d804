#!/usr/bin/env python
"""Draw Ising lattices at one or more temperatures and write them, with their energies, as one HDF5 file.

    python studies/ising/simulate.py --beta 0.25 --n_samples 20000 --filename lattices.h5
    python studies/ising/simulate.py --n_beta_samples 8 --beta_min 0 --beta_max 0.35 --part test --filename test.h5

The source's flags, and --sampler, --chains, --thinning, --part. beta = J / (k T), J = 1; files.py states the format.
The file is also an array file of one run, GROUP_RUN, so that dsv_to_kosh.py ingests it as it is: a record with the
plan's settings and, beta by beta, what was measured, associated with the file. Lattices stay in the file.
"""

import sys

import numpy as np

from sim2seq._support.command import Parser
from sim2seq._support.files import check_place
from sim2seq.data.arrays import SUFFIX
from sim2seq.data.records import check_id
from studies.ising import files, sampling
from studies.ising.lattice import MODELS, Lattice
from studies.ising.measures import magnetisations
from studies.ising.samplers import SAMPLERS
from studies.ising.sampling import PARTS, Plan, blocks, thinning_at

MOST_BETAS = 10_000
MEASURED = ("beta", "energy", "heat_capacity", "magnetisation", "thinning", "autocorrelation_time")


def simulate(plan: Plan, path, run_id: str = "ising_1") -> dict[str, np.ndarray]:
    """Write the plan's lattices to the file `path`; returns what was measured, name in MEASURED -> (betas,).

    energy                mean of the whole lattice
    heat_capacity         a spin: beta^2 variance(energy) / sites
    magnetisation         mean of |sum of spins| / sites
    thinning              steps of the sampler between samples of a chain
    autocorrelation_time  in steps of the sampler; 0 where no thinning had to be measured
    """
    shape = (plan.n_samples * len(plan.betas), plan.lattice.n_x, plan.lattice.n_y)
    with files.created(path, shape, betas=len(plan.betas)) as file:
        rows = [fill(file, plan, beta, number) for number, beta in enumerate(plan.betas)]
        measured = dict(zip(MEASURED, np.array(rows, dtype=float).T, strict=True))
        files.finish(file, run_id, describe(plan), measured)
    return measured


def fill(file, plan, beta: float, number: int) -> tuple[float, ...]:
    """Write the lattices at the plan's beta of this number, block by block; returns one value a name in MEASURED."""
    thinning, correlated = thinning_at(plan, beta)
    first, sums = number * plan.n_samples, np.zeros(3)
    row = first
    for grids in blocks(plan, beta, thinning):
        energies, here = plan.lattice.energies(grids), slice(row, row + len(grids))
        file[files.GRIDS][here], file[files.ENERGIES][here] = grids, energies
        file[files.CHAIN][here] = number * plan.used_chains + (np.arange(here.start, here.stop) - first) // plan.draws
        if len(plan.betas) > 1:
            file[files.BETA][here] = beta
        sums += energies.sum(), (energies**2).sum(), np.abs(magnetisations(grids)).sum()
        row = here.stop
    energy, square, magnetisation = sums / plan.n_samples
    sites = plan.lattice.sites
    return beta, energy, beta**2 * (square - energy**2) / sites, magnetisation / sites, thinning, correlated


def describe(plan) -> dict:
    """The settings of a plan as numbers and words."""
    size = {"n_x": plan.lattice.n_x, "n_y": plan.lattice.n_y, "model": plan.lattice.model}
    names = ("n_samples", "sampler", "chains", "burn_in", "part")
    return size | {name: getattr(plan, name) for name in names} | {"random_seed": plan.seed}


def make_plan(arguments: dict) -> Plan:
    """The plan that the command line asks for. Raises ValueError for what cannot be drawn."""
    return Plan(
        lattice=Lattice(arguments["n_x"], arguments["n_y"], arguments["model"]),
        betas=betas_of(*(arguments[name] for name in ("beta", "n_beta_samples", "beta_min", "beta_max"))),
        seed=arguments["random_seed"],
        **{name: arguments[name] for name in ("n_samples", "sampler", "chains", "burn_in", "thinning", "part")},
    )


def betas_of(beta: float | None, number: int, least: float | None, most: float | None) -> tuple[float, ...]:
    """One beta, or `number` of them, evenly from the least to the most."""
    if not 1 <= number <= MOST_BETAS:
        raise ValueError(f"--n_beta_samples {number}: expected 1 to {MOST_BETAS}")
    if number == 1:
        if least is not None or most is not None:
            raise ValueError("--beta_min, --beta_max: expected with --n_beta_samples of 2 or more; for one, --beta")
        return (0.25 if beta is None else beta,)
    if beta is not None:
        raise ValueError("--beta: expected without --n_beta_samples; for several, --beta_min and --beta_max")
    if least is None or most is None or not least < most:
        raise ValueError(f"--beta_min {least}, --beta_max {most}: expected two numbers, rising")
    return tuple(np.linspace(least, most, number).tolist())


def thinning_word(text: str) -> int | str:
    """A number of steps, or the word "measured"."""
    return text if text == sampling.MEASURED else int(text)


def make_parser() -> Parser:
    parser = Parser(description="Draw Ising lattices and write them, with their energies, as one HDF5 file.")
    add = parser.add_argument
    add("--n_x", type=int, default=8, help="rows of the lattice")
    add("--n_y", type=int, default=8, help="columns of the lattice")
    add("--beta", type=float, help="inverse temperature of all lattices, 0.25 if nothing is said")
    add("--n_beta_samples", type=int, default=1, help="how many betas, evenly from --beta_min to --beta_max")
    add("--beta_min", type=float, help="the first of several betas")
    add("--beta_max", type=float, help="the last of several betas")
    add("--random_seed", type=int, default=11, help="equal seeds, equal lattices")
    add("--model", choices=list(MODELS), default="ISING1", help="ISING2 has diagonal bonds of half weight too")
    add("--n_samples", type=int, default=3_200_000, help="lattices at each beta")
    add("--burn_in", type=int, help="steps before the first sample: proposals of single, sweeps of the other samplers")
    add("--filename", required=True, help=f"HDF5 file to write, *{SUFFIX}")
    add("--sampler", choices=list(SAMPLERS), default="checkerboard", help="single is the source's")
    add("--chains", type=int, help="independent chains at each beta; else one of single, of others one a sample")
    add(
        "--thinning",
        type=thinning_word,
        help='steps between samples of a chain; "measured": so that they are independent',
    )
    add("--part", choices=PARTS, default="train", help="what the lattices are for: other parts, other random streams")
    add("--group", "-G", default="ising", help="group id, first half of the run's id")
    add("--run", "-R", default="1", help="run id, second half of the run's id")
    return parser


def main(argv=None):
    arguments = vars(make_parser().parse_args(argv))
    plan, path = make_plan(arguments), arguments["filename"]
    run_id = check_id(f"{arguments['group']}_{arguments['run']}")
    if not path.endswith(SUFFIX):
        raise ValueError(f"--filename {path}: expected a name that ends in {SUFFIX}")
    check_place(path)
    measured = simulate(plan, path, run_id)
    print(f"{path}: {plan.n_samples * len(plan.betas)} lattices, mean energy {measured['energy'].mean():.2f}")


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
