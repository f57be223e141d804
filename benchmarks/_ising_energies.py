"""Energies of Ising lattices: the files and trainings that benchmarks/ising_energy.py compares.

python benchmarks/_ising_energies.py FOLDER ["recipe:sweep model:energy" ...]      some trainings, or all
"""

import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _timed import fit_timed, seconds_of

from sim2seq.store import store
from sim2seq.store.files import ingest_folder
from studies.ising import pgen_ensembles, simulate
from studies.ising.networks import RECURRENT
from studies.ising.study import STUDY, read

STORE, SECONDS = "store.sqlite", "processor_seconds.json"
BEST, SEEDS, SIZES = "model:shifts", (0, 1, 2), (16, 64, 128)
TRAININGS = (  # what the tables need most comes first
    *(f"recipe:sweep model:{name}" for name in RECURRENT),
    *(f"{BEST} seed:{seed}" for seed in SEEDS),
    "model:convolution",
    *(f"recipe:sweep model:energy_2d units:{units}" for units in SIZES),
    *(f"{BEST} units:{units}" for units in (8, 128)),
    *(f"model:places seed:{seed}" for seed in SEEDS),
    f"{BEST} augment:false",
    "model:places augment:false",
    "recipe:sweep model:energy cell:lstm",
)
FLAGS = {"beta": "BETA", "n_samples": "SAMPLES", "part": "PART", "n_x": "SIDE", "n_y": "SIDE"}
FLAGS |= {"random_seed": "SEED", "group": "GROUP_ID", "run": "RUN_ID"}


def make_store(folder: Path) -> Path:
    """The store of all files of the study's table below `folder`, made where it is missing."""
    path = folder / STORE
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    table = pgen_ensembles.parameter_table()
    for values in zip(*table.values(), strict=True):
        one = dict(zip(table, values, strict=True))
        file = folder / f"{one['GROUP_ID']}_{one['RUN_ID']}.h5"
        simulate.main([*(f"--{flag}={one[name]}" for flag, name in FLAGS.items()), f"--filename={file}"])
    store.create(path)
    ingest_folder(folder, path)
    return path


def place_of(folder: Path, words: str) -> Path:
    """The folder of the training with settings in words."""
    return folder / "trainings" / words.replace(":", "-").replace(" ", "_")


def train_all(folder: Path, trainings=TRAININGS) -> Iterator[str]:
    """Train what is not done yet, and yield the name of each that is there then.

    The processor's seconds of each stand in its folder. Raises ValueError where a folder holds a training with other
    settings or data than are meant now: its name does not tell, and its numbers would stand beside those of others.
    """
    ensemble = read(make_store(folder))
    for words in trainings:
        place = place_of(folder, words)
        done, settings = (place / "scores.json").exists(), STUDY.settings.parse(words.split())
        fit_timed(ensemble, settings, place, SECONDS, study=STUDY, naive=mean_only)
        if not done:
            print(f"{words}: {seconds_of(place, SECONDS):.0f} s of the processor", file=sys.stderr, flush=True)
        yield words


def mean_only(study, parts, settings) -> dict:
    """No baseline but the mean: the others are judged once, on the fixed sets."""
    truth = study.task.truth(parts["test"], settings)
    return {"mean": np.full_like(truth, parts["train"].results["energy"].mean())}


if __name__ == "__main__":  # some of them, as another process trains others
    deque(train_all(Path(sys.argv[1]), sys.argv[2:] or TRAININGS), maxlen=0)
