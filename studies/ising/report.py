#!/usr/bin/env python
"""Judge trained energy models on the fixed test sets of a store, and write figures, film, scores and a report.

    python studies/ising/report.py ensembles_output.sqlite FOLDER_OF_TRAININGS --output FOLDER

Below FOLDER_OF_TRAININGS every finished training of an energy model counts, whatever its place. --output gets
report.html, scores.json (a row a training or baseline, and test set), cooling.gif and pictures. Trainings are in the
order of their validation errors, so the test sets that judge the first one have not chosen it.
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from sim2seq._support.command import Parser, run
from sim2seq._support.files import read_json, write_json, write_text
from sim2seq.evaluation.baselines import TARGET_BASELINES
from studies.ising.files import Lattices
from studies.ising.networks import NETWORKS, looks_of, square
from studies.ising.scores import SOURCE, TEST, Score, energies_of, fixed_sets, score

# root mean squared error of centred energies, in J, as the source gives it (8 x 8, 0.8 to 12 million parameters); for
# rows and columns with attention in one direction, it has a result of an earlier evaluation only
PUBLISHED = {
    "energy": 15.78,
    "energy_bi": 13.64,
    "energy_attention": 12.71,
    "energy_bi_attention": 11.26,
    "energy_2d": 14.21,
    "energy_2d_bi": 12.72,
    "energy_2d_attention": 9.93,
    "energy_2d_bi_attention": 7.79,
}
OURS = ("places", "shifts")
TOLD = "convolution"  # what is near, and that sites are alike: a baseline
UNUSUAL = ("units", "cell")  # settings that a name has where they are not the defaults: another network
BOND_SUM = "sum over the bonds (exact)"
EXACT = "ISING1"  # whose energies and formulas are those that the report calls exact
MOST_LEARNED, MOST_JUDGED = 5_000, 10_000  # lattices, of baselines
MOST_LOOKED_AT = 1_000  # lattices, by attention that depends on spins
SITE = (2, 2)  # whose attention is shown


@dataclass(frozen=True)
class Judged:
    """A trained model, or a baseline, which may have no training, and its scores: name of a test set -> Score."""

    name: str
    scores: dict[str, Score]
    training: object = None
    seconds: float | None = None

    @property
    def model(self) -> str:
        return self.name if self.training is None else self.training.settings.model

    @property
    def parameters(self) -> int | None:
        return None if self.training is None else int(self.training.parameters)

    @property
    def published(self) -> float | None:
        """What the source has of the same model, which is of GRUs."""
        return PUBLISHED.get(self.model) if self.training and self.training.settings.cell == "gru" else None

    @property
    def validation(self) -> float:
        """The least validation loss, by which models are chosen."""
        return min(self.training.history["val_loss"])

    @property
    def main(self) -> Score:
        """Of the source-like set where there is one, else of the first."""
        return self.scores.get(SOURCE) or next(iter(self.scores.values()))


@dataclass(frozen=True)
class Spread:
    """Centred errors of trainings that differ in their seed alone; no deviation of a single one."""

    seeds: int
    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Findings:
    """Test sets, name -> Lattices; models, the best on validation lattices first; baselines."""

    sets: dict
    models: list[Judged]
    baselines: list[Judged]

    @cached_property
    def best(self) -> Judged:
        return self.models[0]

    def spread(self, one: Judged, name: str) -> Spread:
        """Of the trainings with the settings of `one` but for the seed, on this test set."""
        others = [each for each in [*self.models, *self.baselines] if each is not one and alike(each, one)]
        errors = [each.scores[name].centred for each in [one, *others]]
        return Spread(len(errors), statistics.fmean(errors), statistics.stdev(errors) if others else None)

    def rows(self) -> list[dict]:
        """A row for each model or baseline on each set, plain numbers."""
        return [
            {"model": one.model, "name": one.name, "set": name, "parameters": one.parameters, "seconds": one.seconds}
            | {"seed": None if one.training is None else one.training.settings.seed, "published": one.published}
            | (asdict(each) | {"by_beta": {f"{beta:g}": error for beta, error in each.by_beta.items()}})
            | {"over_seeds": asdict(self.spread(one, name))}
            for one in [*self.models, *self.baselines]
            for name, each in one.scores.items()
        ]


def alike(one: Judged, other: Judged) -> bool:
    """Whether these are trainings with the same settings but for the seed."""
    if one.training is None or other.training is None:
        return False
    return replace(one.training.settings, seed=0) == replace(other.training.settings, seed=0)


def names_of(settings: list) -> list[str]:
    """What tells trainings with these settings apart: the model, and what differs between those of one model."""
    names = []
    for one in settings:
        same = [other for other in settings if other.model == one.model]
        words = [one.model]
        for field in fields(one):
            value = getattr(one, field.name)
            unusual = field.name in UNUSUAL and value != field.default
            if unusual or any(getattr(other, field.name) != value for other in same):
                words.append(f"{field.name}:{','.join(map(str, value)) if isinstance(value, tuple) else value}")
        names.append(" ".join(words))
    return names


def judge(store, folder) -> Findings:
    """Load every training below `folder` and score it.

    Raises ValueError, in one line, where there is none, and for lattices of another Hamiltonian than EXACT.
    """
    from sim2seq import load_training
    from studies.ising.study import STUDY, lattice_files, read

    told = {data["model"] for part in ("train", "test") for data in lattice_files(store, part).values()}
    if others := sorted(told - {EXACT}):
        raise ValueError(f"{store}: expected lattices of {EXACT}, whose exact numbers the report has; got {others[0]}")
    sets = fixed_sets(store)
    settings = sorted(path for path in Path(folder).rglob("settings.json") if (path.parent / "scores.json").exists())
    places = [path.parent for path in settings if read_json(path).get("model") in NETWORKS]
    trainings = [load_training(place, STUDY) for place in places]
    found = []
    for name, training in zip(names_of([each.settings for each in trainings]), trainings, strict=True):
        scores = {of: score(training.model, lattices) for of, lattices in sets.items()}
        clock = training.folder / "seconds.json"
        found.append(Judged(name, scores, training, read_json(clock) if clock.exists() else None))
    models = sorted((one for one in found if one.model != TOLD), key=lambda one: one.validation)
    if not models:
        known = ", ".join(name for name in NETWORKS if name != TOLD)
        raise ValueError(f"{folder}: expected finished trainings of {known} below it; found none")
    told = [one for one in found if one.model == TOLD]
    return Findings(sets, models, [*told, *baselines(read(store), sets)])


def baselines(training, sets: dict) -> list[Judged]:
    """The package's baselines on all spins, from MOST_LEARNED of the training lattices; and the sum over the bonds."""
    chosen = spread(training.runs, MOST_LEARNED)
    learned = np.asarray(training.values)[chosen, :, 0].astype(float), training.results_of_runs(("energy",))[chosen]
    judged = {name: some_of(lattices) for name, lattices in sets.items()}
    flat = np.concatenate([each.grids.reshape(len(each.grids), -1) for each in judged.values()])
    flat = flat[:, square(flat.shape[1]).snake()].astype(float)
    ends = np.cumsum([len(each.grids) for each in judged.values()])[:-1]
    # each learns once, whatever it is judged by
    told = {name: np.split(predict(*learned, flat)[:, 0], ends) for name, predict in TARGET_BASELINES.items()}
    told[BOND_SUM] = [bond_sum(each.grids) for each in judged.values()]
    found = []
    for name, answers in told.items():
        pairs = zip(judged.items(), answers, strict=True)
        found.append(Judged(name, {of: Score.of(some, true.energies, true.betas) for (of, true), some in pairs}))
    return found


def some_of(lattices: Lattices, most: int | None = MOST_JUDGED) -> Lattices:
    """Up to `most` of these, evenly; or all."""
    some = spread(len(lattices.grids), most or len(lattices.grids))
    return Lattices(lattices.grids[some], lattices.betas[some], lattices.energies[some], None)


def bond_sum(grids: np.ndarray) -> np.ndarray:
    """The energy of `ISING1` in the three lines that no network is told, (lattices,)."""
    spins = grids.astype(float)
    return -sum((spins * np.roll(spins, 1, axis)).sum(axis=(1, 2)) for axis in (1, 2))


def spread(count: int, most: int) -> np.ndarray:
    """Up to `most` of `count` places, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def draw(found: Findings) -> dict:
    """Name -> (figure, caption)."""
    from studies.ising import figures

    lattices = found.sets.get(TEST) or next(iter(found.sets.values()))
    firsts = {one.model: one for one in reversed(found.models)}.values()  # of several trainings of a model, the best
    shown = [one for one in firsts if one.model in (found.best.model, "energy")]
    predicted = {one.name: energies_of(one.training.model, lattices.grids) for one in shown}
    told = "Error by true energy on the test lattices, with a band of two standard deviations."
    drawn = {"errors": (figures.error_bands(lattices.energies, predicted), told)}
    only = {found.best.name: predicted[found.best.name]}
    told = "Chains of single flips from random spins on, and energies of up to 8 x 8 lattices, beside what is exact."
    drawn["chains"] = figures.chains(lattices), told
    told = "Energy, heat capacity and magnetisation a spin: what is exact, true energies, and predicted ones."
    drawn["thermodynamics"] = figures.thermodynamics(lattices, only), told
    attending = [one for one in firsts if one.model in OURS or one.model.endswith("attention")]
    if attending:
        some = lattices.grids[spread(len(lattices.grids), MOST_LOOKED_AT)]
        looks = {one.name: looks_of(one.training.model, some) for one in attending}
        told = "Where each model looks from the site framed red; green: the ends of its bonds, which it was not told."
        drawn["attention"] = figures.attention(looks, SITE), told
    return drawn


def save_pictures(found: Findings, folder: Path) -> dict:
    """Write every figure into `folder`, which is made; the figures, as `draw` has them."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw(found)
    for name, (figure, _) in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
    return drawn


def write(found: Findings, folder) -> Path:
    """Write report.html, scores.json, cooling.gif and pictures/ into `folder`; the report's path."""
    from sim2seq.report.page import data_uri, embed, template
    from studies.ising import figures

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "scores.json", found.rows())  # first: no picture that fails takes the scores along
    drawn = save_pictures(found, folder / "pictures")
    side = next(iter(found.sets.values())).grids.shape[1]
    gif = figures.film(found.best.training.model, folder / "cooling.gif", side=side)
    page = template("report.html.j2", Path(__file__).parent).render(
        title="sim2seq: energies of Ising lattices",
        found=found,
        main=SOURCE if SOURCE in found.sets else next(iter(found.sets)),
        sizes={name: len(lattices.grids) for name, lattices in found.sets.items()},
        figures={name: {"image": embed(figure), "caption": caption} for name, (figure, caption) in drawn.items()},
        film=data_uri(gif.read_bytes(), "image/gif"),
    )
    write_text(folder / "report.html", page)
    return folder / "report.html"


def main(argv=None):
    parser = Parser(description="Judge trained energy models on the fixed test sets of a store, and report.")
    parser.add_argument("store", metavar="STORE", help="the Kosh store of the study")
    parser.add_argument("trainings", metavar="FOLDER", help="finished trainings below it are judged")
    parser.add_argument("--output", metavar="FOLDER", default=".", help="where the report goes")
    arguments = parser.parse_args(argv)
    found = judge(arguments.store, arguments.trainings)
    print(json.dumps([{key: row[key] for key in ("name", "set", "centred", "raw")} for row in found.rows()]))
    print(write(found, arguments.output))


if __name__ == "__main__":
    sys.exit(run(main))
