"""What is the default model worth on systems that nobody has told it of? Skill, beside baselines and peers.

    python benchmarks/general.py [--quick] [--only NAME ...] [--seeds 0 1 2] [--budget 3m] [--json FILE]
                                 [--peers [NAME ...]] [--systems FOLDER] [--again] [--ablation]

systems/*.npz       ensembles from textbook equations (systems/README.md); --systems: where the two large ones are
ball_*              the ensembles of accuracy.py, and the ball from its nine inputs alone
dysts_1 to 6        drawn by a seed from the chaotic systems of `dysts` (Gilpin 2021), 100 runs of 400 steps each
cartpole, swing_up  Gymnasium's CartPole-v1 and Pendulum-v1 under random actions, which are told for the future too

Each is learned by `sim2seq.fit` with the default settings; named are only inputs, controls and `window:0` where a user
would name them, the budget of time and the seed, which also splits the runs 60 / 20 / 20. Errors are root mean squares
of the free-running forecasts of the test runs over all features, each in standard deviations of the training runs (a
constant one left out), against the truth without measurement noise where that is known.

skill      1 - error / error of the best of hold, mean trajectory, nearest run, ridge, extra trees, and from inputs
           alone a Gaussian process on principal components
valid      steps until the error of a run exceeds 0.4 standard deviations, median of the runs; in brackets Lyapunov
           times, where the training runs show an exponent (sim2seq/evaluation/long_term.py)
spectrum, histogram    Hellinger distance from the truth, mean of the features: 0 equal, 1 apart
band       lowest and highest coverage of the 90 % band in a tenth of the horizon, any seed
--ablation    the combination weighed again without each candidate that carries weight (_ablation.py)
--peers    reservoirpy, pysindy and darts, or those named, with the same windows, features and split; uv installs each
           for this run (_peers.py)

One process a system and seed. With --json what is finished is kept there after each, and left alone the next time,
unless --again. All of it takes 22 systems x 3 seeds x the budget and a little: four hours. --quick shows in minutes
that it works, on 40 runs of 100 steps and other systems of dysts; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent.parent))  # the study's scripts stand beside the package

from _ablation import ablation
from _general import Options, measured
from _general_tables import markdown, rows_of
from _peers import NAMES
from _rows import kept, table
from _systems import DRAW, DRAWN, HERE, SYSTEMS, draw

from sim2seq._support.command import Parser, plain, run
from sim2seq._support.files import write_json
from sim2seq.training.settings import seconds_of

QUICK_DRAW, QUICK_BUDGET = 1, "15s"  # what is drawn in earnest stays unseen
POSITIONS = tuple(f"dysts_{number + 1}" for number in range(DRAWN))


def apart(function, *arguments):
    """What a function says in a process of its own. Raises RuntimeError, in one line, where that fails."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()
    except BrokenProcessPool:
        raise RuntimeError("the process ended early, maybe for want of memory") from None
    except Exception as error:  # one system that fails must not end the others
        raise RuntimeError(f"{type(error).__name__}: {plain(error, 300)}") from error


def result_of(name: str, title: str, seed: int, options: Options) -> dict:
    """The result of one system and seed; where it fails, with the reason."""
    try:
        return apart(measured, name, title, seed, options)
    except RuntimeError as error:
        return {"system": name, "title": title, "seed": seed, "budget": options.budget, "failed": str(error)}


def kept_results(path: Path | None, setup: dict) -> list[dict]:
    """What an earlier run with the same setup finished. Raises ValueError for a file of another one."""
    return [each for each in kept(path, setup).get("results", []) if "failed" not in each]


def progress(result: dict) -> str:
    where = f"{result['title']}, seed {result['seed']}"
    if "failed" in result:
        return f"{where}: {result['failed']}"
    return (
        f"{where}: skill {result['skill']:.3f}, error {result['error']:.3g}, {result['best']} "
        f"{result['baselines'][result['best']]:.3g}, {result['seconds']:.0f} s"
    )


def titles(names: list[str], *, quick: bool) -> dict[str, str]:
    """System -> what it is called; those of dysts are drawn, in a process of its own."""
    last = max((POSITIONS.index(name) + 1 for name in names if name in POSITIONS), default=0)
    drawn = apart(draw, QUICK_DRAW if quick else DRAW, last) if last else []
    found = {position: name for position, name in zip(POSITIONS, drawn, strict=False)}
    return {name: found.get(name, name) for name in names}


def parsed():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*SYSTEMS, *POSITIONS]
    parser.add_argument("--quick", action="store_true", help="few short runs, a small budget, one seed")
    parser.add_argument("--only", choices=names, nargs="+", default=names, metavar="NAME", help="these systems")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of split and training")
    parser.add_argument("--budget", default="3m", help="of one training")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="further settings, to compare")
    parser.add_argument("--systems", type=Path, default=HERE, metavar="FOLDER", help="where files of ensembles are")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep results and rows there")
    parser.add_argument("--again", action="store_true", help="measure again what is kept there")
    parser.add_argument("--peers", choices=NAMES, nargs="*", metavar="NAME", help=f"ask these too: {', '.join(NAMES)}")
    parser.add_argument("--ablation", action="store_true", help="weigh again without each candidate")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    budget, words = QUICK_BUDGET if arguments.quick else arguments.budget, tuple(arguments.set)
    peers = () if arguments.peers is None else tuple(arguments.peers) or NAMES
    options = Options(budget, words, arguments.systems, arguments.quick, peers, arguments.ablation)
    asked = {"quick": arguments.quick, "peers": list(peers) or False, "ablation": arguments.ablation}
    setup = {"budget": budget, "words": list(words), **asked}
    limit, results = seconds_of(budget), [] if arguments.again else kept_results(arguments.json, setup)
    finished = {(each["system"], each["seed"]) for each in results}
    called = titles(arguments.only, quick=arguments.quick)
    for seed in arguments.seeds[:1] if arguments.quick else arguments.seeds:
        for name in arguments.only:
            if (name, seed) not in finished:
                results.append(result_of(name, called[name], seed, options))
                print(progress(results[-1]), file=sys.stderr, flush=True)
                keep(arguments.json, setup, results, limit)
    print(*filter(None, (markdown(results), ablation(results), table(rows_of(results, limit)))), sep="\n\n")
    keep(arguments.json, setup, results, limit)


def keep(path: Path | None, setup: dict, results: list[dict], limit: float) -> None:
    if path is not None:
        write_json(path, {"setup": setup, "results": results, "rows": rows_of(results, limit)})


if __name__ == "__main__":
    sys.exit(run(main))
