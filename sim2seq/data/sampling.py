"""Joint space-filling samples of named ranges, and how they reach Maestro and Merlin."""

import csv
import math
import sys

import numpy as np

from sim2seq._support.command import Parser
from sim2seq._support.config import assignments
from sim2seq.data.tables import write_table


def latin_hypercube(ranges: dict[str, tuple[float, float]], runs: int, *, seed: int):
    """Draw one joint Latin hypercube: name -> list of `runs` floats, rounded for short names of folders.

    ranges maps a name to (low, high) in the input's own unit. One draw for all names
    (scipy.stats.qmc.LatinHypercube): a draw of its own for each, with one seed, would make all inputs the same number.
    Raises ValueError for fewer than 1 run or an empty range.
    """
    from scipy.stats import qmc  # longer than all else that a generator imports: only who draws waits for it

    if runs < 1:
        raise ValueError(f"runs {runs}: expected 1 or more")
    for name, (low, high) in ranges.items():
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"range of {name} ({low}, {high}): expected two finite numbers, the first one smaller")
    low, high = np.transpose(list(ranges.values()))
    unit = qmc.LatinHypercube(d=len(ranges), rng=np.random.default_rng(seed)).random(runs)
    table = qmc.scale(unit, low, high)
    return {name: rounded(table[:, column], *ranges[name]) for column, name in enumerate(ranges)}


def rounded(values, low, high) -> list[float]:
    """The values to 4 decimals, or as many as keep `runs` strata between low and high apart."""
    decimals = max(4, math.ceil(-math.log10((high - low) / (2 * len(values)))))
    return np.clip(np.round(values, decimals), low, high).tolist()


def parse_arguments(texts: dict, defaults: dict) -> dict:
    """`defaults` with the values of `texts`, each converted to its default's type.

    Merlin's --pargs arrive as text. Raises ValueError for an unknown name or a value of another type.
    """
    settings = dict(defaults)
    for name, text in texts.items():
        if name not in defaults:
            raise ValueError(f"unknown argument {name!r}: expected one of {', '.join(defaults)}")
        kind = type(defaults[name])
        try:
            settings[name] = kind(text)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}:{text}: expected a value of type {kind.__name__}") from error
    return settings


def main(parameter_table, arguments: dict, example: str) -> None:
    """The command line of a parameter generator: print its table as CSV, or write it for Merlin's samples."""
    parser = Parser(description="Print the ensemble's parameter table as CSV.")
    known = ", ".join(f"{name}:{value}" for name, value in arguments.items())
    text = f"as for --pargs; known: {known}; {example}".replace("%", "%%")
    parser.add_argument("arguments", nargs="*", metavar="NAME:VALUE", help=text)
    parser.add_argument("--write", metavar="FOLDER", help="write table.npy and batches.npy there, for Merlin's samples")
    parser.add_argument("--batch", type=int, default=1000, metavar="RUNS", help="runs that one task simulates")
    options = parser.parse_args()
    table = parameter_table(**assignments(options.arguments))
    if options.write is not None:
        print(f"{write_table(options.write, table, options.batch)} batches")
        return
    writer = csv.writer(sys.stdout)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
