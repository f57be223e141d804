"""Figures of the Ising lattice: one function a figure, each returns it; and the film. The style is sim2seq's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from PIL import Image

from sim2seq.report.colours import BLUE, GREEN, GREY, ORANGE, RED
from sim2seq.report.film import in_few_colours, write_gif
from sim2seq.report.style import COLOURS, Picture, grid, plain, styled
from studies.ising.exact import MOST_COUNTED, boltzmann, density_of_states, kaufman, thermal
from studies.ising.files import Lattices
from studies.ising.lattice import Lattice
from studies.ising.networks import square
from studies.ising.samplers import Single
from studies.ising.scores import energies_of
from studies.ising.scoring import histogram

FEWEST = 20  # lattices of one energy that a band is drawn for
SPINS = ListedColormap(["#ffffff", BLUE])
CRITICAL = float(np.log1p(np.sqrt(2)) / 2)  # of the infinite lattice
LARGEST = 1_000_000  # bytes of a film
FRAMES, SECONDS = 90, 9.0
TRACED, SWEEPS = (0.25, 0.44, 0.6), 200  # betas above, at and below the transition; proposals a spin
HOT, COLD = 0.1, 0.7  # betas between which a lattice is cooled


@styled
def error_bands(truth: np.ndarray, predicted: dict[str, np.ndarray]) -> Picture:
    """Mean error at each true energy (lattices,), with a band of two standard deviations; a panel a model."""
    figure, axes = grid(1, len(predicted), width=max(9.0, 4.6 * len(predicted)), height=3.2)
    levels, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    often = counts >= FEWEST
    for axis, (name, values), colour in zip(axes[0], predicted.items(), COLOURS, strict=False):
        error = values - truth
        mean = np.bincount(place, error) / counts
        spread = np.sqrt(np.maximum(np.bincount(place, error**2) / counts - mean**2, 0))
        low, high = (mean - 2 * spread)[often], (mean + 2 * spread)[often]
        axis.fill_between(levels[often], low, high, color=colour, alpha=0.25, lw=0, label="two standard deviations")
        axis.plot(levels[often], mean[often], color=colour, label="mean")
        axis.axhline(0, color=GREY, lw=0.8, ls=":")
        axis.set(title=plain(name), xlabel="true energy [J]", ylabel="predicted less true [J]")
        axis.legend(loc="best")
    return figure


@styled
def thermodynamics(lattices: Lattices, predicted: dict[str, np.ndarray]) -> Picture:
    """Energy, heat capacity and magnetisation a spin over beta: of true and predicted energies, and what is exact.

    predicted  model -> energies (lattices,) of these lattices, `ISING1`
    """
    side, betas = lattices.grids.shape[1], np.unique(lattices.betas)
    sites, fine = side * side, np.linspace(max(betas[0], 0.01), betas[-1], 200)
    exact = [kaufman(side, side, beta) for beta in fine]
    figure, axes = grid(1, 3, width=11, height=3.0)
    axes[0, 0].plot(fine, [one.energy / sites for one in exact], color=GREY, lw=1, label="exact (Kaufman)")
    axes[0, 1].plot(fine, [one.heat_capacity for one in exact], color=GREY, lw=1)
    marks = [("true energies", lattices.energies, "o", BLUE)]
    marks += [(name, each, "x", RED) for name, each in predicted.items()]
    for name, energies, mark, colour in marks:
        each = [energies[lattices.betas == beta] for beta in betas]
        style = {"ls": "", "marker": mark, "ms": 5, "mfc": "none", "color": colour}
        axes[0, 0].plot(betas, [values.mean() / sites for values in each], label=plain(name), **style)
        capacity = [beta**2 * values.var() / sites for beta, values in zip(betas, each, strict=True)]
        axes[0, 1].plot(betas, capacity, **style)
    sums = np.abs(lattices.grids.sum(axis=(1, 2), dtype=int)) / sites
    axes[0, 2].plot(betas, [sums[lattices.betas == beta].mean() for beta in betas], "o", ms=5, mfc="none", color=BLUE)
    ordered = np.maximum(1 - np.sinh(2 * fine) ** -4.0, 0) ** 0.125  # C. N. Yang, Phys. Rev. 85, 808 (1952)
    axes[0, 2].plot(fine, ordered, color=GREY, ls="--", lw=1, label="infinite lattice (Yang)")
    for axis, title in zip(
        axes[0], ("energy a spin [J]", "heat capacity a spin", "absolute magnetisation"), strict=True
    ):
        axis.axvline(CRITICAL, color=ORANGE, lw=0.8, ls=":")
        axis.set(title=title, xlabel="beta")
    axes[0, 0].legend()
    axes[0, 2].legend()
    return figure


@styled
def chains(lattices: Lattices, seed: int = 1) -> Picture:
    """The sampler beside theory, a column a beta: a chain of single flips from chance on, and energies of lattices.

    A line and band are the exact mean and two standard deviations; marks, the exact share of each energy (`ISING1`),
    which is known of up to MOST_COUNTED sites: larger lattices have the chains alone.
    """
    lattice = square(lattices.grids[0].size)
    betas = np.unique(lattices.betas)
    shown = np.unique([betas[np.abs(betas - beta).argmin()] for beta in TRACED])
    states = density_of_states(lattice) if lattice.sites <= MOST_COUNTED else None
    figure, axes = grid(2 if states else 1, len(shown), width=3.6 * len(shown), height=2.6)
    for above, beta, seeds in zip(axes[0], shown, np.random.SeedSequence(seed).spawn(len(shown)), strict=True):
        exact = thermal(lattice, *states, beta) if states else kaufman(lattice.n_x, lattice.n_y, beta)
        spread = 2 * np.sqrt(exact.variance)
        above.axhspan(exact.energy - spread, exact.energy + spread, color=GREY, alpha=0.25, lw=0)
        above.axhline(exact.energy, color=GREY, label="exact")
        above.plot(lattice.energies(traced(lattice, beta, seeds)), color=BLUE, lw=0.8, label="one chain")
        above.set(title=f"beta {beta:g}", xlabel="proposals a spin", ylabel="energy [J]")
    for below, beta in zip(axes[-1], shown if states else (), strict=False):
        levels, counts = states
        share = boltzmann(levels, counts, beta)[0]
        seen = histogram(lattices.energies[lattices.betas == beta], levels)
        below.bar(levels, seen, width=0.8 * np.diff(levels).min(), color=BLUE, alpha=0.6, label="lattices")
        below.plot(levels, share, color=RED, marker=".", ms=4, lw=1, label="exact")
        likely = levels[share > 1e-4]
        below.set(xlabel="energy [J]", ylabel="share", xlim=(likely.min() - 6, likely.max() + 6))
    for first in axes[:, 0]:
        first.legend()
    return figure


def traced(lattice: Lattice, beta: float, seeds: np.random.SeedSequence) -> np.ndarray:
    """One chain of single flips from random spins on, looked at once every proposal a spin: (SWEEPS, n_x, n_y)."""
    sampler, found = Single(lattice, float(beta), 1, seeds), []
    for _ in range(SWEEPS):
        found.append(sampler.grids()[0])
        sampler.advance(lattice.sites)
    return np.array(found)


@styled
def attention(looks: dict[str, np.ndarray], site: tuple[int, int]) -> Picture:
    """Where models look from one site, name -> (sites, sites), three in a row, the ends of its bonds framed."""
    figure, axes = grid(-(-len(looks) // 3), min(3, len(looks)), width=2.8 * min(3, len(looks)), height=3.3)
    for axis, (name, weights) in zip(axes.flat, looks.items(), strict=False):
        lattice = square(len(weights))
        start = site[0] * lattice.n_y + site[1]
        image = weights[start].reshape(lattice.n_x, lattice.n_y)
        axis.imshow(image, cmap="Greys", vmin=0, vmax=max(0.05, image.max()))
        frame(axis, np.divmod(lattice.neighbours()[0][start], lattice.n_y), GREEN)
        frame(axis, ([site[0]], [site[1]]), RED)
        axis.set(xticks=[], yticks=[], title=f"{plain(name)}\nat most {image.max():.2f}")
        axis.grid(False)
    for axis in axes.flat[len(looks) :]:
        axis.set_axis_off()
    return figure


def frame(axis, places, colour: str) -> None:
    """Mark sites (rows, columns) of a picture of the lattice."""
    axis.plot(places[1], places[0], ls="", marker="s", ms=13, mfc="none", mec=colour, mew=1.5)


@styled
def film(model: Callable, path, *, side: int = 8, seed: int = 1) -> Path:
    """Write a GIF of one lattice that is cooled through the transition, with predicted beside true energy.

    Single flips, a sweep and a half between two frames; the file appears whole or not at all, below LARGEST bytes.
    """
    path, lattice = Path(path), Lattice(side, side)
    betas = np.linspace(HOT, COLD, FRAMES)
    grids = cooled(lattice, betas, seed)
    true, told = lattice.energies(grids), energies_of(model, grids)
    frames = in_few_colours(*pictures(grids, betas, true, told))
    temporary = path.with_name(f"unfinished_{path.name}")
    while write_gif(temporary, frames, SECONDS) > LARGEST and len(frames) > 2:
        frames = [*frames[:-1:2], frames[-1]]
    os.replace(temporary, path)
    return path


def cooled(lattice: Lattice, betas: np.ndarray, seed: int) -> np.ndarray:
    """One chain of single flips, (betas, n_x, n_y) int8, whose beta rises step by step."""
    start, found = None, []
    for beta, seeds in zip(betas, np.random.SeedSequence(seed).spawn(len(betas)), strict=True):
        sampler = Single(lattice, float(beta), 1, seeds, start=start)
        sampler.advance(3 * lattice.sites // 2)
        start = sampler.grids()
        found.append(start[0])
    return np.array(found)


def pictures(grids, betas, true, told) -> list[Image.Image]:
    """The frames of the film: the lattice, and the energies up to it; what changes, drawn over what does not."""
    figure = Picture(figsize=(7.2, 3.2))  # nothing may move from frame to frame: places are given
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.7])
    image = left.imshow(grids[0], cmap=SPINS, vmin=-1, vmax=1)
    left.set(xticks=[], yticks=[])
    left.grid(False)
    lines = right.plot([], [], color=GREY, lw=2.5, label="true energy")
    lines += right.plot([], [], color=RED, lw=1, label="told by the network")
    right.axvline(CRITICAL, color=ORANGE, lw=0.8, ls=":", label="transition")
    right.set(xlim=(betas[0], betas[-1]), ylim=(min(true.min(), told.min()) - 8, max(true.max(), told.max()) + 8))
    right.set_xlabel("beta")
    right.legend(loc="upper right")
    figure.subplots_adjust(left=0.03, right=0.98, bottom=0.27, top=0.88, wspace=0.2)
    changing = (image, *left.spines.values(), *lines, left.title, right.title)
    for artist in changing:
        artist.set_animated(True)  # not part of what stays
    figure.set_dpi(70)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    still, found = canvas.copy_from_bbox(figure.bbox), []
    for number, grid_now in enumerate(grids):
        image.set_data(grid_now)
        for line, energies in zip(lines, (true, told), strict=True):
            line.set_data(betas[: number + 1], energies[: number + 1])
        left.set_title(f"beta {betas[number]:.2f}")
        right.set_title(f"energy {true[number]:.0f}, told {told[number]:.1f}".replace("-", "−"))
        canvas.restore_region(still)
        for artist in changing:
            figure.draw_artist(artist)
        found.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    return found
