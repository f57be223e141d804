"""Pictures of what a model of the probability is good for; benchmarks/ising_probability.py draws them for the card.

Each takes `drawn`, beta -> lattices (lattices, n_x, n_y) drawn from the model of that beta, their energies, and ln of
the probability that the model gives them, (lattices,) each.
"""

from pathlib import Path

import keras
import numpy as np

from sim2seq.report.colours import BLUE, GREY, RED
from sim2seq.report.style import Picture, grid, styled
from studies.ising import exact, scoring
from studies.ising.figures import attention, error_bands
from studies.ising.lattice import Lattice
from studies.ising.networks import square

LATTICE = Lattice(8, 8)
SHOWN = (0.25, 0.44, 0.6)  # betas: above, at and below the transition
EACH = 6  # lattices of a row
LEARNED = 0.25  # the beta whose lattices are weighed for others
CURVE = np.linspace(0.05, 0.65, 121)
WEIGHED = np.linspace(0.06, 0.46, 41)
SITE = (4, 4)  # whose attention is shown
FEW = 0.01  # effective share below which weighed lattices are not drawn

Lattices = dict[float, tuple[np.ndarray, np.ndarray, np.ndarray]]


def draw_pictures(
    folder: Path, drawn: Lattices, true: dict[float, np.ndarray], told: dict[str, np.ndarray], looks: dict
) -> None:
    """Write the pictures as PNG; `true`: beta -> lattices of the sampler.

    told    network -> energies but for a constant (lattices,), of all lattices of `true` in their order
    looks   network with attention -> what looks_of says; the picture is left out where there is none
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = np.concatenate([LATTICE.energies(grids) for grids in true.values()])
    pictures = {
        "probability_energies": energies(drawn),
        "probability_lattices": lattices(drawn, true),
        "probability_free_energy": free_energy(drawn),
        "probability_errors": error_bands(truth, {name: some + truth.mean() for name, some in told.items()}),
    }
    if looks:
        pictures["probability_attention"] = attention(looks, SITE)
    for name, picture in pictures.items():
        picture.savefig(folder / f"{name}.png", dpi=110)


def looks_of(core: keras.Model, tokens: np.ndarray) -> np.ndarray:
    """From which site to which a core with attention looks, (sites, sites): the mean over lattices and heads.

    `tokens` (lattices, steps, 2), with a start token or without; what goes to that one is left out, so that then a row
    sums to less than 1. The masks are those of symbol_networks.py.
    """
    layer = next(each for each in core.layers if isinstance(each, keras.layers.MultiHeadAttention))
    asking, told = keras.Model(core.inputs, layer.input)([tokens])
    start = not tokens[:, 0].any()
    steps = np.arange(tokens.shape[1])
    seen = steps[:, None] >= steps if start else steps[:, None] != steps
    weights = layer(asking, told, attention_mask=seen[None], return_attention_scores=True)[1]
    looks = np.mean(weights, axis=(0, 1))
    if start:  # the token of a step is the spin of the step before
        looks = np.pad(looks[:, 1:], ((0, 0), (0, 1)))
    back = np.argsort(square(len(steps)).snake())
    return looks[back][:, back]


@styled
def energies(drawn: Lattices) -> Picture:
    """A column a beta: the histogram of the energies as drawn beside the exact share of each."""
    levels, counts = exact.density_of_states(LATTICE)
    figure, axes = grid(1, len(SHOWN), width=10, height=3.0)
    for axis, beta in zip(axes[0], SHOWN, strict=True):
        share = exact.boltzmann(levels, counts, beta)[0]
        axis.bar(levels, scoring.histogram(drawn[beta][1], levels), width=3.2, color=BLUE, alpha=0.6, label="drawn")
        axis.plot(levels, share, color=RED, marker=".", ms=4, lw=1, label="exact")
        likely = levels[share > 1e-4]
        axis.set(title=f"beta {beta:g}", xlabel="energy [J]", xlim=(likely.min() - 6, likely.max() + 6))
    axes[0, 0].set_ylabel("share of the lattices")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@styled
def lattices(drawn: Lattices, true: dict[float, np.ndarray]) -> Picture:
    """A row a beta: a few lattices drawn from the model, then as many of the sampler, each the first that came."""
    figure, axes = grid(len(SHOWN), 2 * EACH, width=11, height=1.05)
    for row, beta in zip(axes, SHOWN, strict=True):
        some = [*drawn[beta][0][:EACH], *true[beta][:EACH]]
        for axis, spins in zip(row, some, strict=True):
            axis.imshow(spins, cmap="cividis", vmin=-1, vmax=1)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"beta {beta:g}")
    for place, title in ((0, "drawn from the model"), (EACH, "true")):
        axes[0, place].set_title(title, loc="left")
    return figure


@styled
def free_energy(drawn: Lattices) -> Picture:
    """Free energy by beta, its error, and the heat capacity: of models at their beta, and of one weighed for others."""
    figure, axes = grid(1, 3, width=12, height=3.4)
    truth = {beta: exact.kaufman(LATTICE.n_x, LATTICE.n_y, beta) for beta in (*CURVE, *WEIGHED, *drawn)}
    own = {beta: scoring.reweighted(logs, some, beta, LATTICE.sites) for beta, (_, some, logs) in drawn.items()}
    weighed = [scoring.reweighted(drawn[LEARNED][2], drawn[LEARNED][1], beta, LATTICE.sites) for beta in WEIGHED]
    others = {one.beta: one for one in weighed if one.share > FEW}
    for axis, name in ((axes[0, 0], "free_energy"), (axes[0, 2], "heat_capacity")):
        axis.plot(CURVE, [getattr(truth[beta], name) for beta in CURVE], color=GREY, lw=2, label="exact")
        draw_points(
            axis, {beta: getattr(one, name) for beta, one in others.items()}, BLUE, f"weighed, from {LEARNED:g}"
        )
        draw_points(axis, {beta: getattr(one, name) for beta, one in own.items()}, RED, "drawn at its own beta")
    for some, colour in ((others, BLUE), (own, RED)):
        off = [abs(one.free_energy.value - truth[beta].free_energy) for beta, one in some.items()]
        axes[0, 1].plot(list(some), off, "o", ms=4, color=colour)
        axes[0, 1].plot(list(some), [one.free_energy.error for one in some.values()], "_", ms=7, color=colour)
    axes[0, 0].set(xlabel="beta", ylabel="free energy a spin [J]")
    axes[0, 1].set(xlabel="beta", ylabel="its error (dots), standard error (dashes) [J]", yscale="log")
    axes[0, 2].set(xlabel="beta", ylabel="heat capacity a spin")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def draw_points(axis, found: dict, colour: str, name: str) -> None:
    """Points with two standard errors as bars."""
    bars = [2 * one.error for one in found.values()]
    values = [one.value for one in found.values()]
    axis.errorbar(list(found), values, bars, fmt="o", ms=3.5, lw=1, color=colour, label=name)
