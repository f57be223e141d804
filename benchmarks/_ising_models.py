"""The trainings of benchmarks/ising_probability.py: which network on lattices of which beta, and from what seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _timed import fit_timed, seconds_of

from sim2seq.training.folder import Training
from sim2seq.training.symbols import log_probabilities, logits_of, tokens_of
from studies.ising import files, probability, pseudo_likelihood
from studies.ising.lattice import Lattice
from studies.ising.paths import by_columns, runs_of
from studies.ising.sampling import Plan, draw
from studies.ising.study import ensemble_of

LATTICE = Lattice(8, 8)
BETA, SEED = 0.25, 11
USUAL = probability.SpinSettings().seed  # of a network; SEED is that of the lattices
SECONDS = "seconds.json"
FRONTIER, OTHERS = "recipe:frontier", "epochs:1"
BETAS = (0.44, 0.6)  # of further frontier networks, beside BETA
NAMES = ("one_way", "one_way_attention", "both_ways", "both_ways_attention")


@dataclass(frozen=True)
class Case:
    """A training: its name, beta of its lattices, settings; whether it sees the spins on both sides."""

    name: str
    beta: float
    words: tuple[str, ...]
    both: bool = False

    @property
    def study(self):
        return pseudo_likelihood.STUDY if self.both else probability.STUDY


CASES = {
    "frontier": Case("frontier", BETA, (FRONTIER,)),
    **{f"frontier {beta:g}": Case(f"frontier {beta:g}", beta, (FRONTIER,)) for beta in BETAS},
    "one_way": Case("one_way", BETA, ("model:one_way", OTHERS)),
    "one_way_attention": Case("one_way_attention", BETA, ("model:one_way_attention", OTHERS)),
    "both_ways": Case("both_ways", BETA, ("model:both_ways", OTHERS), both=True),
    "both_ways_attention": Case("both_ways_attention", BETA, ("model:both_ways_attention", OTHERS), both=True),
}


@dataclass(frozen=True)
class Trained:
    """A training and the seconds of the processor it took, where they are known."""

    case: Case
    training: Training
    seconds: float | None

    def tokens(self, grids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the network is given for lattices, and the labels of their spins along the path."""
        labels = (runs_of(grids, LATTICE.snake()) > 0).astype(int)
        return tokens_of(labels, 2, self.case.study.task.start), labels

    def said(self, grids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities (lattices, steps, symbols) of both symbols at each step, and the labels."""
        tokens, labels = self.tokens(grids)
        return log_probabilities(self.training.models, tokens), labels

    def log_odds(self, grids: np.ndarray) -> np.ndarray:
        """ln p(up) - ln p(down) of each spin along the path, (lattices, steps)."""
        logits = logits_of(self.training.model, self.tokens(grids)[0])
        return (logits[..., 1] - logits[..., 0]).astype(float)

    def logs(self, grids: np.ndarray) -> np.ndarray:
        """ln of the probability, or pseudo-likelihood, of each lattice."""
        said, labels = self.said(grids)
        return np.take_along_axis(said, labels[..., None], axis=2)[..., 0].sum(axis=1)

    def logs_both(self, grids: np.ndarray) -> np.ndarray:
        """The mean of that read along the rows and along the columns, by one network: of two logarithms of p.

        It is the logarithm of no distribution, as the geometric mean of two does not sum to 1; a score alone.
        """
        return (self.logs(grids) + self.logs(by_columns(grids))) / 2


def lattices(beta: float, count: int, part: str) -> np.ndarray:
    """Independent lattices of one beta, (count, 8, 8) int8; those of another part have a random stream of their own."""
    return draw(Plan(lattice=LATTICE, betas=(beta,), n_samples=count, seed=SEED, part=part), beta)


def trained(case: Case, folder: Path, count: int, words=(), seed: int = USUAL) -> Trained:
    """Train on `count` lattices, or read what is there; every seed has the same lattices and the same split."""
    grids = lattices(case.beta, count, "train")
    found = files.Lattices(grids, np.full(count, case.beta), LATTICE.energies(grids), None)
    more, end = ((f"seed:{seed}", f"split_seed:{USUAL}"), f"_seed_{seed}") if seed != USUAL else ((), "")
    settings = case.study.settings.parse([*case.words, f"beta:{case.beta}", *words, *more])
    place = folder / f"{case.name.replace(' ', '_')}{end}"
    training = fit_timed(ensemble_of({"train": found}), settings, place, SECONDS, study=case.study)
    return Trained(case, training, seconds_of(place, SECONDS))
