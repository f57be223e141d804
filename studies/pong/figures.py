#!/usr/bin/env python
"""The card's pictures, of models that benchmarks/pong.py has trained: strips, errors by horizon, a film, a sweep.

    python studies/pong/figures.py pong_models/pong --board leaderboard.csv --output studies/pong/pictures

Strips show the median and the worst episode of each model, by the mean distance of the ball; the lines that the card
shows them by are printed. The sweep is that of a Merlin study (grids.py): its leaderboard.csv, or what board.py writes.
"""

from __future__ import annotations

import json
import sys
from itertools import cycle, product
from pathlib import Path

import numpy as np
from PIL import Image

from sim2seq._support.command import Parser, run
from sim2seq.report.colours import GREY
from sim2seq.report.style import COLOURS, Picture, grid, plain, styled
from studies.pong import dream, guesses, limit, places, scores, simulate
from studies.pong.grids import board_of, sweep
from studies.pong.scores import HORIZONS, Episodes
from studies.pong.worlds import CubeCrash, Pong

SHOWN = 12  # frames of a strip
STEPS, EPISODES = 60, 200
SCALE, GAP, SPEED = 5, 4, 50  # of the film: pixels a pixel, between panels, ms a frame
FILM_EPISODES = 4
FILM_OF = "ours_angle_told"
DASHES = "--", ":", "-."
STYLES = {
    0: [{"color": colour, "marker": mark, "ms": 3.5} for mark, colour in product("o^", COLOURS)],
    1: [{"color": "black", "lw": 1.2, "ls": dashes} for dashes in DASHES],
    2: [{"color": GREY, "lw": 1, "ms": 3.5, "ls": ls, "marker": mark} for mark, ls in product("sx^vd", DASHES)],
}
ROWS = ("true", "made", "difference")
LEARNED_FROM = 500  # training episodes that the guesses of a report know
AT = HORIZONS.index(10)  # whose distance the legend says
STRIPS_SAY = (
    "What was, what the model made of it, and the difference: the median of the test episodes, and the worst one."
)
DISTANCE_SAYS = (
    "Distance of the ball, or the cube, from the truth, free-running on the recorded actions of test episodes. Black: "
    "the best that can be known from the frames that the model was shown; grey: guesses shown as many, the nearest and "
    f"the mean of {LEARNED_FROM} training episodes at most."
)


def episodes_of(world, many: int = EPISODES) -> Episodes:
    """The first episodes of the test set."""
    chosen = simulate.SETS["test"]
    seeds = range(chosen.first, chosen.first + many)
    played = simulate.simulate(world, seeds, simulate.make_agent(world, seeds, chosen.stochasticity))
    return Episodes(played.frames, played.actions, played.lengths, world.inputs(played.states[:, 0]))


def of_training(training, ensemble, *, most: int = 100) -> dict:
    """The figures of the report: name -> (figure, caption); of a trained model, on the first test episodes."""
    model, name = dream.of_training(training), training.settings.model
    episodes = recorded(model.world, ensemble, "test", most)
    results = beside(model, name, episodes, recorded(model.world, ensemble, "train", LEARNED_FROM))
    thing = "cube" if model.world.name == CubeCrash.name else "ball"
    return {
        "strips": (strips(model, episodes, name), STRIPS_SAY),
        "distance": (by_horizon(results, guessed=[each for each in results if each != name], of=thing), DISTANCE_SAYS),
    }


def recorded(world, ensemble, group: str, most: int) -> Episodes:
    """The first episodes of a set, from the runs of a store."""
    rows = [number for number, each in enumerate(ensemble.groups) if each == group][:most]
    values = np.asarray(ensemble.values[rows])
    inputs = {name: column[rows] for name, column in ensemble.inputs.items()}
    return Episodes(places.frames_of(world, values), values[..., -1], ensemble.lengths[rows], inputs)


def beside(model: dream.Dream, name: str, episodes: Episodes, training: Episodes) -> dict[str, list[float]]:
    """Name -> distance at each horizon: of a model, of guesses shown as many frames, and the best that can be known."""
    makers = guesses.beside(model.world, training.frames, training.lengths, model.known)
    dreams = {name: model} | {each: make() for each, make in makers.items()}
    distances = {each: scores.rollout(made, episodes, STEPS).distance for each, made in dreams.items()}
    return {each: scores.by_horizon(distance) for each, distance in distances.items()} | limits(model, episodes)


def limits(model: dream.Dream, episodes: Episodes) -> dict[str, list[float]]:
    """The best that can be known of what a model is shown: 0 where it is told the angle, or a frame shows all.

    Of a game without rules of its own, nobody knows it.
    """
    world = model.world
    if world.name == CubeCrash.name or (world.name == Pong.name and limit.tell_the_angle(model.told)):
        return {"limit": [0.0] * len(HORIZONS)}
    if world.name != Pong.name:
        return {}
    launched = (episodes.inputs[name] for name in limit.LAUNCH)
    states = limit.states_of(world, episodes.frames, *launched)
    paths = limit.every_angle(world, states.shape[1])
    errors = limit.limit(paths, states, episodes.actions.astype(int), episodes.lengths, model.known)
    return {f"limit, P = {model.known}": limit.by_horizon(errors, model.known, HORIZONS)[0].tolist()}


def made_of(model: dream.Dream, episodes: Episodes) -> tuple[np.ndarray, np.ndarray]:
    """True and made frames, both 0 to 1, (episodes, steps, height, width), from the last known frame on."""
    steps = min(STEPS, episodes.frames.shape[1] - model.known)
    made = np.stack([frame for frame, _ in scores.frames_of(model, episodes, steps)], axis=1)
    return episodes.frames[:, model.known : model.known + steps] / 255, made


def median_and_worst(model: dream.Dream, episodes: Episodes) -> list[int]:
    """Of the episodes that last for all steps, that with the median, and that with the largest, mean distance."""
    wanted = min(model.known + STEPS, episodes.lengths.max())
    lasting = np.flatnonzero(episodes.lengths >= wanted)
    distance = np.nanmean(scores.rollout(model, episodes.some(lasting), STEPS).distance, axis=1)
    order = np.argsort(distance)
    return [int(lasting[order[len(order) // 2]]), int(lasting[order[-1]])]


@styled
def strips(model: dream.Dream, episodes: Episodes, title: str) -> Picture:
    """True, made and difference, at SHOWN steps: of the median episode, and below of the worst one."""
    chosen = median_and_worst(model, episodes)
    true, made = made_of(model, episodes.some(chosen))
    true, made = (each[:, : episodes.lengths[chosen].min() - model.known] for each in (true, made))
    steps = np.linspace(0, true.shape[1] - 1, SHOWN).round().astype(int)
    figure, axes = grid(6, SHOWN, width=11, height=0.95)
    for block, name in enumerate(("median", "worst")):
        for row, frames in enumerate((true[block], made[block], np.abs(true[block] - made[block]))):
            for column, step in enumerate(steps):
                axis = axes[3 * block + row, column]
                axis.imshow(frames[step], cmap="gray", vmin=0, vmax=1)
                axis.set(xticks=[], yticks=[])
                if row == 0:
                    axis.set_title(f"{step + 1}", fontsize=8)
            axes[3 * block + row, 0].set_ylabel(f"{name}\n{ROWS[row]}" if row == 0 else ROWS[row], fontsize=8)
    figure.suptitle(f"{title}: steps after the last known frame")
    return figure


def kind_of(name: str, guessed) -> int:
    """0 of a model, 1 of a limit, 2 of a guess: the order of the legend."""
    return 0 if name not in guessed else 1 if name.startswith("limit") else 2


@styled
def by_horizon(results: dict[str, list[float]], *, guessed=(), of: str = "ball") -> Picture:
    """Distance of the ball at each horizon: a coloured line a model, black ones the limits, grey those of `guessed`.

    Of several seeds of a model the first is shown; horizons that no episode reaches are not. `of`: what is meant.
    """
    figure, axes = grid(1, 1, width=9, height=4.6)
    shown = sorted((name for name in results if " seed " not in name), key=lambda name: kind_of(name, guessed))
    styles = {kind: cycle(each) for kind, each in STYLES.items()}
    scored = [results[name] for name in shown if kind_of(name, guessed) != 1]  # a limit of 0 is one of all horizons
    last = np.flatnonzero(np.isfinite(scored).any(axis=0)).max(initial=0) + 1
    for name in shown:
        style = next(styles[kind_of(name, guessed)])
        words = f"{name}: {results[name][AT]:.2f}"
        axes[0, 0].plot(HORIZONS[:last], results[name][:last], label=plain(words.replace("nan", "–")), **style)
    axes[0, 0].set(xlabel="steps ahead", xscale="log")
    axes[0, 0].set_xticks(HORIZONS[:last], [str(step) for step in HORIZONS[:last]])
    distance_axis(axes[0, 0], [results[name] for name in shown], of)
    figure.legend(loc="outside right upper", fontsize=8, title=f"px after {HORIZONS[AT]} steps", title_fontsize=8)
    return figure


def distance_axis(axis, drawn, of: str) -> None:
    """A logarithmic axis of distances; linear at its foot where some are 0, so that these are seen too."""
    values = np.concatenate([np.asarray(each, dtype=float).ravel() for each in drawn])
    axis.set_ylabel(f"distance of the {of} [px]")
    if not (values == 0).any():
        axis.set_yscale("log")
        return
    least = 10 ** np.floor(np.log10(values[values > 0].min(initial=1.0)))
    axis.set_yscale("symlog", linthresh=least, linscale=0.5)
    axis.set_ylim(bottom=-least / 4)
    axis.set_ylabel(f"distance of the {of} [px], linear below {least:g}")


def film(model: dream.Dream, episodes: Episodes, path: Path) -> int:
    """True, made and difference side by side, some episodes one after the other, as a GIF; its bytes."""
    chosen = np.argsort(-episodes.lengths, kind="stable")[:FILM_EPISODES]
    true, made = made_of(model, episodes.some(chosen))
    images = []
    for one, other, length in zip(true, made, episodes.lengths[chosen] - model.known, strict=True):
        for left, right in zip(one[:length], other[:length], strict=False):
            gap = np.full((len(left), 1), 0.35)
            whole = np.concatenate([left, gap, right, gap, np.abs(left - right)], axis=1)
            image = Image.fromarray((255 * whole.clip(0, 1)).astype(np.uint8))
            images.append(image.resize((whole.shape[1] * SCALE, whole.shape[0] * SCALE), Image.Resampling.NEAREST))
    images[0].save(path, "GIF", save_all=True, append_images=images[1:], duration=SPEED, loop=0, optimize=True)
    return path.stat().st_size


def name_of(stem: str) -> str:
    """What a model or guess is called whose results the benchmark keeps under this name."""
    return stem.replace("_", " ").replace(" P  ", ", P = ")


def kept(folder: Path) -> dict[str, list[float]]:
    """Name -> distances, of everything in a folder of the benchmark that was scored."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    found |= {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/test.json"))}
    return {name_of(name): each["distance"] for name, each in found.items() if "distance" in each}


def few(results: dict[str, list[float]], guessed) -> dict[str, list[float]]:
    """Those that the picture by horizon has room for: no dilated models, none of the source's that is told the angle,
    and of the guesses those that are shown as many frames as the source's models."""
    frames = "P = 3" if any(name.endswith("P = 3") for name in results) else "P = 1"
    of_source = [name for name in results if name not in guessed and "skip" not in name and "angle told" not in name]
    kept = {name for name in guessed if name.endswith(frames) or name.startswith("limit")} | {*of_source}
    return {name: each for name, each in results.items() if name in kept or name.startswith("ours")}


def main(argv=None) -> None:
    parser = Parser(description="Draw the pictures of Pong's card.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the benchmark keeps its models")
    parser.add_argument("--output", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--film", default=FILM_OF, help="the model of the film, by its folder's name")
    parser.add_argument("--board", type=Path, metavar="FILE", help="a leaderboard's CSV: the picture of a sweep")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="of the test set, that strips are chosen from")
    options = parser.parse_args(argv)
    if options.episodes < 1:
        raise ValueError(f"--episodes {options.episodes}: expected 1 or more")
    boards = board_of(options.board) if options.board else {}
    results = kept(options.folder)
    if not results:
        raise ValueError(f"{options.folder}: expected models that benchmarks/pong.py has trained")
    options.output.mkdir(parents=True, exist_ok=True)
    learned = [path.parent for path in sorted(options.folder.glob("*/test.json"))]
    guessed = [name for name in results if name not in {name_of(path.name) for path in learned}]
    if boards:
        sweep(boards).savefig(options.output / "sweep.png", dpi=110)
    by_horizon(few(results, guessed), guessed=guessed).savefig(options.output / "horizon.png", dpi=110)
    for folder in learned:
        if "_seed_" not in folder.name:  # of several seeds the first is shown
            draw_model(folder, options)
    if options.film not in [folder.name for folder in learned]:
        print(f"no film: {options.film} is not in {options.folder}", file=sys.stderr)


def draw_model(folder: Path, options) -> None:
    """Write a model's strips, and the film if it is of this one; print the card's line."""
    model, name = dream.load(folder), name_of(folder.name)
    episodes = episodes_of(model.world, options.episodes)
    strips(model, episodes, name).savefig(options.output / f"{folder.name}.png", dpi=100)
    print(f"![{name}: median and worst episode]({options.output.name}/{folder.name}.png)", flush=True)
    if folder.name == options.film:
        print(f"{film(model, episodes, options.output / 'pong.gif')} bytes", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run(main))
