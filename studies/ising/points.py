#!/usr/bin/env python
"""The points of the suite's sweep, a task each: models of the energy, of the probability, of the pseudo-likelihood.

    python studies/ising/points.py FOLDER --energy "recipe:sweep model:energy energy_2d" --probability "model:one_way"

An option holds the words of the settings that its models share and, last, model: with their names; or none. FOLDER gets
points.npy, a row a point: its name, the file of its study, its settings; and grid_energy.npy, grid_probability.npy and
grid_pseudo.npy, those of one kind, for the leaderboard of each.
"""

import sys
from pathlib import Path

import numpy as np

from sim2seq._support.command import Parser, run
from sim2seq._support.files import write_array
from sim2seq.study import load_study
from sim2seq.sweep import points

NONE = "none"
HERE = Path(__file__).parent
FILES = {"energy": "study.py", "probability": "probability.py", "pseudo": "pseudo_likelihood.py"}


def rows_of(kind: str, text: str) -> list[list[str]]:
    """The points of one kind of model. Raises ValueError for words that are no settings of its study."""
    shared, mark, models = text.partition("model:")
    if not mark:
        raise ValueError(f"--{kind} {text!r}: expected words of settings and model: with names of models, or none")
    found = points([f"model={models}"], shared, settings=load_study(HERE / FILES[kind]).settings)
    return [[f"{kind}_{name}", FILES[kind], " ".join([*shared.split(), *words])] for name, words in found.items()]


def main(argv=None):
    parser = Parser(description="The points of the suite's sweep.")
    parser.add_argument("folder", metavar="FOLDER", help="where points.npy and the grids go")
    for kind in FILES:
        parser.add_argument(
            f"--{kind}", metavar="WORDS", default="", help="settings, then model= and names; none: none"
        )
    arguments = vars(parser.parse_args(argv))
    rows = [row for kind in FILES if arguments[kind] != NONE for row in rows_of(kind, arguments[kind])]
    if not rows:
        raise ValueError(f"expected models of one kind or more: {', '.join(f'--{kind}' for kind in FILES)}")
    write_array(Path(arguments["folder"], "points.npy"), np.array(rows))
    for kind, of_kind in FILES.items():
        grid = [[name, words] for name, file, words in rows if file == of_kind]
        write_array(Path(arguments["folder"], f"grid_{kind}.npy"), np.array(grid))
    print(f"{len(rows)} points")


if __name__ == "__main__":
    sys.exit(run(main))
