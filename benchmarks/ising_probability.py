#!/usr/bin/env python
"""The Ising lattice: how well networks know the probability of a lattice, and what that is good for.

    python benchmarks/ising_probability.py [--folder trainings] [--lattices 200000] [--seeds 1777 0 1] [--json FILE]
                                           [--pictures FOLDER]

Networks learn from independent 8 x 8 lattices of ISING1 at one beta. Then, all on lattices of their own random streams:

energies      -ln p / beta less its mean, on 50 000 lattices of 50 betas from 0 to 0.35, as the source evaluates, and
              on 20 000 of each beta from 0.05 to 0.6; beside the source's scoring, which is off by one spin
free energy   a spin, of a network at its own beta, by importance sampling of lattices that it draws, and two bounds,
              from those and from true lattices; the exact value is Kaufman's
drawn         the effective sample size of those lattices, their energies against the exact histogram, and what they say
              of other betas when they are weighed: mean energy and heat capacity

Seconds are those of the processor. Trainings in FOLDER that are done are read, not repeated.
"""

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _ising_models import BETA, BETAS, CASES, LATTICE, NAMES, SEED, USUAL, Trained, lattices, trained
from _rows import publish, row

from sim2seq._support.command import Parser, run
from sim2seq.training.symbols import core_in, draw
from studies.ising import exact, scoring
from studies.ising.paths import grids_of, runs_of

SOURCE_BETAS = np.linspace(0, 0.35, 50)
TEST_BETAS = np.linspace(0.05, 0.6, 12).round(2)
OTHER_BETAS = (0.15, 0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.35, 0.4, 0.44)  # that lattices drawn at BETA are weighed for
PICTURED = tuple(f"frontier {beta:g}" for beta in BETAS)  # networks that the pictures show, beside frontier
SHOWN, LOOKED_AT = 5_000, 500  # lattices of each beta whose errors are drawn, and by which attention is
SOURCE_RMSE = 19.85  # of its "original" probability model, as it scores
GOAL, STRETCH = "goal", "stretch"


@dataclass(frozen=True)
class Drawn:
    """Lattices drawn from a network: themselves, their energies, and ln of the probability that it gives them."""

    grids: np.ndarray
    energies: np.ndarray
    logs: np.ndarray


def drawn_from(model: Trained, count: int) -> Drawn:
    runs = 2 * draw(model.training.models, count, LATTICE.sites, 2, SEED) - 1
    grids = grids_of(runs, LATTICE.snake(), LATTICE)
    return Drawn(grids, LATTICE.energies(grids), model.logs(grids))


def source_like(count: int) -> np.ndarray:
    """Lattices as the source evaluates on: `count` in all, of 50 betas from 0 to 0.35."""
    return np.concatenate([lattices(beta, -(-count // len(SOURCE_BETAS)), "test") for beta in SOURCE_BETAS])


def energy_rows(models: dict[str, Trained], grids: np.ndarray) -> list[dict]:
    """RMSE of centred energies on the source-like set."""
    energies, where = LATTICE.energies(grids), "centred RMSE, source-like"
    rows = [row(f"{where}: mean of all", energies.std(), None, "lower", "J")]
    for name in (name for name in ("frontier", *NAMES) if name in models):
        model = models[name]
        kind = "pseudo-likelihood" if model.case.both else "probability"
        goal = 3.0 if name == "frontier" else None
        for reading, logs in (("rows", model.logs), ("rows and columns", model.logs_both)):
            found = scoring.energies_of(logs(grids), model.case.beta)
            told = f"{where}: {kind} {name}, {reading}"
            rows.append(row(told, scoring.centred_rmse(found, energies), goal, "lower", "J", energies.std()))
            rows.append(row(f"slope: {kind} {name}, {reading}", scoring.slope(found, energies), None, "higher", ""))
        if model.case.both:
            found = scoring.energies_of_conditionals(model.log_odds(grids), spins_of(grids), model.case.beta)
            error = scoring.centred_rmse(found, energies)
            rows.append(row(f"{where}: {name}, from its log-odds", error, None, "lower", "J", energies.std()))
    for name in (name for name in ("one_way", "one_way_attention") if name in models):
        logs = scoring.mis_scored(*models[name].said(grids))
        error = scoring.centred_rmse(scoring.energies_of(logs, BETA), energies)
        rows.append(
            row(f"{where}: {name}, scored off by one spin as the source", error, None, "lower", "J", SOURCE_RMSE)
        )
    return rows


def seed_rows(by_seed: list[dict[str, Trained]], grids: np.ndarray) -> list[dict]:
    """Mean and deviation over the seeds, where there are several: centred RMSE on these lattices, and cross-entropy."""
    rows, energies = [], LATTICE.energies(grids)
    for name in by_seed[0] if len(by_seed) > 1 else ():
        some = [models[name] for models in by_seed]
        found = {
            "centred RMSE, source-like": [
                scoring.centred_rmse(scoring.energies_of(one.logs(grids), one.case.beta), energies) for one in some
            ],
            "cross-entropy": [one.training.scores.errors["test"].rmse for one in some],
        }
        for what, each in found.items():
            unit, told = "nat a spin" if what == "cross-entropy" else "J", f"{what}: {name}, {len(some)} seeds"
            rows.append(row(f"{told}, mean", statistics.fmean(each), None, "lower", unit))
            rows.append(row(f"{told}, deviation", statistics.stdev(each), None, "lower", unit))
    return rows


def spins_of(grids: np.ndarray) -> np.ndarray:
    return runs_of(grids, LATTICE.snake()).astype(float)


def beta_rows(models: dict[str, Trained], count: int) -> list[dict]:
    """RMSE of centred energies by beta, of networks that learned at one: the limits of using them at others."""
    rows = []
    for beta in TEST_BETAS:
        grids = lattices(beta, count, "test")
        energies = LATTICE.energies(grids)
        for name in (name for name in ("frontier", "one_way", "one_way_attention") if name in models):
            error = scoring.centred_rmse(scoring.energies_of(models[name].logs(grids), BETA), energies)
            told = f"centred RMSE, beta {beta:g}: {name}, learned at {BETA:g}"
            rows.append(row(told, error, None, "lower", "J", energies.std()))
    return rows


def free_energy_rows(model: Trained, drawn: Drawn, count: int) -> list[dict]:
    """Errors of the free energy a spin at the network's own beta, and the effective sample size of what it draws."""
    beta, sites = model.case.beta, LATTICE.sites
    true = exact.kaufman(8, 8, beta).free_energy
    found = scoring.log_partition(drawn.logs, drawn.energies, beta)
    grids = lattices(beta, count, "validation")
    found["from true lattices"] = scoring.log_partition_above(model.logs(grids), LATTICE.energies(grids), beta)
    rows = []
    for name, log_z in found.items():
        free = scoring.free_energy(log_z, beta, sites)
        told = f"free energy a spin, beta {beta:g}: {name}"
        rows.append(row(f"{told}, error", abs(free.value - true), 1e-3, "lower", "J"))
        rows.append(row(f"{told}, less the exact", free.value - true, None, "lower", "J"))
        rows.append(row(f"{told}, standard error", free.error, None, "lower", "J"))
    share = scoring.effective_share(drawn.logs, drawn.energies, beta)
    return [
        *rows,
        row(f"effective sample size, beta {beta:g}", 100 * share, 50 if beta == BETA else None, "higher", "%"),
    ]


def reweighted_rows(drawn: Drawn) -> list[dict]:
    """Lattices drawn at BETA, weighed for other betas: errors, each beside the standard error that is said with it."""
    rows = []
    for beta in sorted((*OTHER_BETAS, BETA)):
        found, true = scoring.reweighted(drawn.logs, drawn.energies, beta, LATTICE.sites), exact.kaufman(8, 8, beta)
        told = f"drawn at {BETA:g}, weighed for {beta:g}"
        rows.append(row(f"{told}: effective sample size", 100 * found.share, None, "higher", "%"))
        for name, one, value, unit in (
            ("free energy a spin", found.free_energy, true.free_energy, "J"),
            ("mean energy", found.energy, true.energy, "J"),
            ("heat capacity a spin", found.heat_capacity, true.heat_capacity, ""),
        ):
            rows.append(row(f"{told}: {name}, exact", value, None, "higher", unit))
            rows.append(row(f"{told}: {name}, less the exact", one.value - value, None, "lower", unit))
            rows.append(row(f"{told}: {name}, standard error", one.error, None, "lower", unit))
    return rows


def histogram_rows(drawn: dict[float, Drawn]) -> list[dict]:
    """Chi square a degree of freedom of the drawn energies, as they come, against the exact number of states."""
    levels, counts = exact.density_of_states(LATTICE)
    rows = []
    for beta, some in drawn.items():
        expected = exact.boltzmann(levels, counts, beta)[0] * len(some.energies)
        seen, kept = scoring.histogram(some.energies, levels) * len(some.energies), expected >= 5
        square = ((seen - expected)[kept] ** 2 / expected[kept]).sum() / (kept.sum() - 1)
        rows.append(row(f"energies drawn at {beta:g}: chi square a degree of freedom", square, None, "lower", ""))
    return rows


def cost_rows(models: dict[str, Trained]) -> list[dict]:
    rows = []
    for name, model in models.items():
        rows.append(row(f"training: {name}", model.seconds, None, "lower", "s of processor"))
        rows.append(row(f"parameters: {name}", model.training.parameters, None, "lower", ""))
        rows.append(
            row(f"cross-entropy: {name}", model.training.scores.errors["test"].rmse, None, "lower", "nat a spin")
        )
    best = models["frontier"].training.scores
    rows.append(
        row(f"cross-entropy: {best.best_baseline}", best.baselines[best.best_baseline].rmse, None, "lower", "nat")
    )
    thermal = exact.kaufman(8, 8, BETA)
    entropy = (BETA * thermal.energy + thermal.log_partition) / LATTICE.sites
    return [*rows, row("cross-entropy: least possible, the entropy", entropy, None, "lower", "nat a spin")]


def main(argv=None):
    parser = Parser(description="Probability models of Ising lattices.")
    parser.add_argument("--folder", default="ising_probability", metavar="FOLDER", help="of the trainings")
    parser.add_argument("--lattices", type=int, default=200_000, help="to learn from, at each beta")
    parser.add_argument("--models", nargs="*", choices=list(CASES), default=list(CASES), help="beside frontier")
    parser.add_argument("--tests", type=int, default=50_000, help="of the source-like set")
    parser.add_argument("--per_beta", type=int, default=20_000, help="test lattices of each beta")
    parser.add_argument("--drawn", type=int, default=50_000, help="lattices drawn from the network at its beta")
    parser.add_argument("--training", nargs="*", default=[], metavar="NAME:VALUE", help="settings of all trainings")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[USUAL], help="of the networks; the first one's are those of all tables"
    )
    parser.add_argument("--pictures", metavar="FOLDER", help="draw the pictures of the card there")
    parser.add_argument("--json", metavar="FILE", help="write the rows here too")
    arguments = parser.parse_args(argv)
    if arguments.pictures and (missing := [name for name in PICTURED if name not in arguments.models]):
        raise ValueError(f"--pictures: expected --models with {', '.join(PICTURED)}; without {', '.join(missing)}")
    print(f"seed {SEED}, {arguments.lattices} lattices a training")
    folder = Path(arguments.folder)
    chosen = {"frontier": CASES["frontier"]} | {name: CASES[name] for name in CASES if name in arguments.models}
    by_seed = [
        {name: trained(case, folder, arguments.lattices, arguments.training, seed) for name, case in chosen.items()}
        for seed in dict.fromkeys(arguments.seeds)
    ]
    models = by_seed[0]
    at_beta = {model.case.beta: model for name, model in models.items() if name.startswith("frontier")}
    counts = {beta: arguments.drawn if beta == BETA else arguments.per_beta for beta in sorted(at_beta)}
    drawn = {beta: drawn_from(at_beta[beta], count) for beta, count in counts.items()}
    grids = source_like(arguments.tests)
    rows = energy_rows(models, grids) + seed_rows(by_seed, grids) + beta_rows(models, arguments.per_beta)
    for beta, some in drawn.items():
        rows += free_energy_rows(at_beta[beta], some, arguments.per_beta)
    publish([*rows, *reweighted_rows(drawn[BETA]), *histogram_rows(drawn), *cost_rows(models)], arguments.json)
    if arguments.pictures:
        draw_all(Path(arguments.pictures), models, drawn)


def draw_all(folder: Path, models: dict[str, Trained], drawn: dict[float, Drawn]) -> None:
    """The pictures: what was drawn, errors of energies that the source's network, mended, and ours tell, attention."""
    from studies.ising import probability_figures as figures

    true = {beta: lattices(beta, SHOWN, "test") for beta in drawn}
    grids = np.concatenate(list(true.values()))
    shown = {name: models[name] for name in ("one_way", "frontier") if name in models}
    told = {name: scoring.energies_of(model.logs(grids), model.case.beta) for name, model in shown.items()}
    attending = {name: model for name, model in models.items() if name.endswith("attention")}
    looks = {
        name: figures.looks_of(core_in(model.training.model), model.tokens(grids[:LOOKED_AT])[0])
        for name, model in attending.items()
    }
    kept = {beta: (one.grids, one.energies, one.logs) for beta, one in drawn.items()}
    figures.draw_pictures(folder, kept, true, told, looks)


if __name__ == "__main__":
    sys.exit(run(main))
