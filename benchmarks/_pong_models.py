"""The table of Pong's models: every one trained, and played on the test episodes beside guesses and the limit.

Of Pong also on the set `shift`, where the planks are played by agents that follow the ball better, or hardly.

Everything is kept in a folder and only what is missing is made, so a benchmark that was interrupted goes on. With
`--study` nothing is trained: the trainings of a finished Merlin study are played instead.
"""

from __future__ import annotations

import json
import resource
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from _pong_rows import NOTHING, Beside, distance_rows, over_seeds, told, without_seed
from _rows import kept as kept_rows

from sim2seq._support.files import read_json, write_json
from sim2seq.data import arrays
from sim2seq.store import store
from studies.pong import guesses, limit, simulate
from studies.pong.dream import load, of_training, read_world
from studies.pong.scores import HORIZONS, Episodes, rollout, summary
from studies.pong.simulate import SETS
from studies.pong.trainings import OURS as MODEL
from studies.pong.trainings import OWN_FRAMES
from studies.pong.worlds import make_world

LONG = ("budget:1h",)
TOLD = ("inputs:launch_sin,launch_cos", "window:1")
PIXELS = ("recipe:pixels", "epochs:4", "budget:1h")  # epochs are what limits it, so that the load does not matter
CUBE = ("window:1", "targets:39")
FAMILIES = ("dense_rnn", "deconvolving_rnn", "spatial_transformer", "asset_transformer", "frame_transformer")
OURS = {
    "ours, angle told": (*TOLD, "epochs:16", "learning_rate:2e-2", "budget:1h"),
    "ours, P = 16": LONG,
    "ours, P = 3": ("window:3", *LONG),
}
KNOWN = {"pong": (3, 16, 1), "cube_crash": (1,)}  # frames that models are shown; of Pong with one, the angle is told
LIMIT_TOLD = {"pong": "limit, angle told", "cube_crash": "limit, P = 1"}
STEPS = 60
COMPLETE = "complete"  # a file beside a store that holds all sets
PLAYED = 300  # frames, to measure how fast
SHIFT = "other players"  # the set `shift`
NOTED = 10.0  # seconds between two notes of the time that a training has taken so far


def trials(world) -> dict[str, tuple[str, ...]]:
    """Name -> words of its settings, in the order in which they are trained: those that matter most come first."""
    if world.name != "pong":
        ours = {"ours": (*CUBE, "model:objects", "epochs:60", "patience:60", *LONG)}
        return ours | {name: (*CUBE, *of_family(name)) for name in FAMILIES}
    found = dict(OURS)
    found |= {f"{name}, P = 3": of_family(name) for name in FAMILIES}
    for name in FAMILIES[:-1]:
        found[f"{name}, skip 8"] = (*of_family(name), "skip:8")
        found[f"{name}, angle told"] = (*of_family(name), *TOLD)
    found |= {f"{name}, true frames": (*PIXELS, f"model:{name}") for name in OWN_FRAMES}
    return found | {f"{name}, seed {seed}": (*words, f"seed:{seed}") for name, words in OURS.items() for seed in (1, 2)}


def finished(study: Path, world) -> dict[str, Path]:
    """Name -> folder of the finished trainings of a Merlin study on this world, in the order of its grid.

    Raises ValueError where there is none.
    """
    found = {}
    for place in sorted(study.glob("train-pong/**/judged.json")):
        if read_world(place.parent).name == world.name:
            found[called(read_json(place.with_name("settings.json")))] = place.parent
    if not found:
        raise ValueError(f"{study}: expected a finished study of {world.name}, with trainings in train-pong")
    return found


def called(settings: dict) -> str:
    """What a training is called in the table, by its settings."""
    told, skip = settings["inputs"], settings["skip"]
    name = "ours" if settings["model"] == MODEL else settings["model"]
    parts = [f"skip {skip}"] * (skip > 1) + ["angle told"] * bool(told)
    return ", ".join([name, *(parts or [f"P = {settings['window']}"])])


def of_family(name: str) -> tuple[str, ...]:
    """The words of one of the source's families; of some of them, to learn from their own frames."""
    return (*PIXELS, f"model:{name}", *OWN_FRAMES.get(name, "").split())


def sets(folder: Path, world, episodes: dict[str, int]) -> Path:
    """The store with the sets of a world, made where it is missing."""
    path = folder / world.name / "store.sqlite"
    if not (path.parent / COMPLETE).exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        store.create(path)
        for name, many in episodes.items():
            file = path.parent / f"{name}.h5"
            words = ["--environment", world.name, "--set", name, "--episodes", str(many), "--output", str(file)]
            simulate.main(words)
            store.ingest(path, arrays.read(file))
        (path.parent / COMPLETE).touch()
    return path


def check_setup(path: Path, episodes: dict[str, int]) -> None:
    """Raise ValueError where what is kept beside `path` comes of other numbers of episodes, or nobody knows of which.

    Else they are noted there.
    """
    if not kept_rows(path, episodes, instead="another --folder"):
        if (path.parent / COMPLETE).exists():
            raise ValueError(f"{path}: expected the numbers of episodes of what is kept there; take another --folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"setup": episodes})


def episodes_of(world, many: int, name: str):
    """Episodes of a set as the simulation gives them, and as scores take them."""
    seeds = range(SETS[name].first, SETS[name].first + many)
    agent = simulate.make_agent(world, seeds, SETS[name].stochasticity)
    played = simulate.simulate(world, seeds, agent)
    return played, Episodes(played.frames, played.actions, played.lengths, world.inputs(played.states[:, 0]))


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def kept(path: Path, make) -> dict:
    """What a file holds; where there is none, what `make` gives is put there first, with its seconds."""
    if not path.exists():
        began, wall = cpu_seconds(), time.perf_counter()
        found = make()
        found |= {"cpu_seconds": cpu_seconds() - began, "wall_seconds": time.perf_counter() - wall}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".tmp").write_text(json.dumps(found))
        path.with_suffix(".tmp").rename(path)
    return json.loads(path.read_text())


def measured(path: Path, work) -> tuple:
    """What `work()` gives, and its CPU seconds: with those of earlier calls that were cut off, which `path` keeps."""
    before, began, done = json.loads(path.read_text()) if path.exists() else 0.0, cpu_seconds(), threading.Event()

    def note() -> float:
        write_json(path, spent := before + cpu_seconds() - began)
        return spent

    def watch() -> None:
        while not done.wait(NOTED):
            note()

    path.parent.mkdir(parents=True, exist_ok=True)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = work()
    finally:
        done.set()
        watcher.join()
        spent = note()
    return found, spent


def trained(path: Path, words, folder: Path, episodes: Episodes) -> dict:
    """Train a model, or go on with it, and play it on the test episodes."""
    from sim2seq import sweep
    from studies.pong.study import STUDY

    (found, _, data), training = measured(
        folder / "cpu_seconds.json", lambda: sweep.train_and_record(path, list(words), folder, None, study=STUDY)
    )
    more = {"parameters": data["parameters"], "training_cpu_seconds": training, "words": " ".join(words)}
    return scored_of(of_training(found), episodes) | more


def played_again(source: Path, place: Path, episodes: Episodes) -> dict:
    """Play a model of a study on the test episodes; it is copied to `place`, where pictures are drawn from."""
    shutil.copytree(source, place, dirs_exist_ok=True)
    return scored_of(load(place), episodes)


def scored_of(dream, episodes: Episodes) -> dict:
    """What is kept of a model: its scores on these episodes, and how fast it plays."""
    found = summary(rollout(dream, episodes, STEPS), dream.world)
    return found | {"frames_a_second": frames_a_second(dream, episodes)}


def frames_a_second(dream, episodes: Episodes) -> float:
    """Frames of one episode that a model makes in a second, drawing included, nothing shown."""
    inputs = [episodes.inputs[name][0] for name in dream.told] or None
    known = dream.known
    state = dream.begin(episodes.frames[0, :known], episodes.actions[0, :known], inputs)
    _, state = dream.step(state, dream.world.idle)
    began = time.process_time()
    for _ in range(PLAYED):
        _, state = dream.step(state, dream.world.idle)
    return PLAYED / (time.process_time() - began)


def limits(world, played, known: int) -> list[float]:
    """The mean distance of the best forecast from the ball at each horizon."""
    paths = limit.every_angle(world, played.states.shape[1])
    errors = limit.limit(paths, played.states, played.actions, played.lengths, known)
    return limit.by_horizon(errors, known, HORIZONS)[0].tolist()


def known_by(words) -> int:
    """How many frames a model with these settings is shown."""
    from studies.pong.study import PongSettings

    return PongSettings.parse(list(words)).window


def heading(world) -> None:
    """The head of the table."""
    shares, others = (("ends", "bounce"), "planks 20") if world.name == "pong" else (("ends", "exact"), "hole 20")
    heads = ["1 step", *map(str, HORIZONS[1:]), *shares, "MSE 20", others, "CPU min", "frames/s"]
    print("| | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|", flush=True)


def limits_of(results: Path, world, played) -> tuple[dict[int, list[float]], list[dict]]:
    """The limit by the number of known frames, its lines and rows; 0 where the angle is told, or a frame shows all."""
    found = {known: [0.0] * len(HORIZONS) for known in KNOWN[world.name]}
    for known in found:
        if known > 1:
            make = partial(lambda known: {"distance": limits(world, played, known)}, known)
            found[known] = kept(results / f"limit_{known}.json", make)["distance"]
    rows = []
    for known, distances in found.items():
        name = f"limit, P = {known}" if known > 1 else LIMIT_TOLD[world.name]
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in distances) + " |" * 7, flush=True)
        rows += distance_rows(name, distances, NOTHING)
    return found, rows


def guessed(results: Path, world, training: Episodes, episodes: Episodes) -> tuple[dict[int, list[float]], list[dict]]:
    """Distances of copying the last frame, by the number of known frames; the rows of all guesses, at each."""
    copied, rows = {}, []
    for known in KNOWN[world.name]:
        for name, make in guesses.beside(world, training.frames, training.lengths, known).items():
            whole = f"{name}, P = {known}"
            scored = partial(lambda make: summary(rollout(make(), episodes, STEPS), world), make)
            found = kept(results / f"{whole.replace(' ', '_')}.json", scored)
            rows += told(whole, found)
            if name == guesses.COPY:
                copied[known] = found["distance"]
    return copied, rows


def models(arguments) -> list[dict]:
    """Every model, guess and limit; see the module."""
    folder, world = arguments.folder, make_world(arguments.environment)
    many = {"train": arguments.training_episodes, "validation": arguments.episodes, "test": arguments.episodes}
    results = folder / world.name
    check_setup(results / "setup.json", many)
    making = played_of(arguments, world, many)
    played, episodes = episodes_of(world, arguments.episodes, "test")
    shift = episodes_of(world, arguments.episodes, "shift")[1] if world.name == "pong" else None
    _, training = episodes_of(world, arguments.training_episodes, "train")
    heading(world)
    known, rows = limits_of(results, world, played)
    copied, more = guessed(results, world, training, episodes)
    rows, scored, beside = rows + more, {}, {}
    for name, (frames, make) in making.items():
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        place = results / name.replace(" ", "_").replace(",", "").replace("=", "")
        scored[name] = kept(place / "test.json", partial(make, place, episodes))
        beside[without_seed(name)] = compared = beside_of(name, world, frames, known, copied)
        rows += told(name, scored[name], compared)
        if shift:
            found = kept(place / "shift.json", lambda place=place: summary(rollout(load(place), shift, STEPS), world))
            rows += told(f"{name}, {SHIFT}", found)
    return rows + over_seeds(scored, beside)


def played_of(arguments, world, many: dict[str, int]) -> dict[str, tuple[int, Callable]]:
    """Name -> frames that it is shown, and what makes its scores of a place and the test episodes: of all models.
    Those are trained, or are the finished ones of a study."""
    if arguments.study:
        found = finished(arguments.study, world)
        windows = {name: read_json(source / "settings.json")["window"] for name, source in found.items()}
        return {name: (windows[name], partial(played_again, source)) for name, source in found.items()}
    path = sets(arguments.folder, world, many)
    return {name: (known_by(words), partial(trained, path, words)) for name, words in trials(world).items()}


def beside_of(name: str, world, frames: int, known: dict[int, list[float]], copied: dict[int, list[float]]) -> Beside:
    """What a model's line is compared with, by the frames that it is shown; of ours with a limit above 0, that too."""
    family = not name.startswith("ours")
    limited = known[frames] if not family and any(known[frames]) else None
    return Beside(limited, copied[frames], family and world.name == "pong")
