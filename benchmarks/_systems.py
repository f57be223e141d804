"""The systems of benchmarks/general.py: ensembles from files, of dysts, of Gymnasium, and of the bouncing ball.

Each is made as arrays by name, as the files hold them (systems/README.md): values, times, features, inputs_NAME, clean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from sim2seq.data.ensemble import Ensemble

HERE = Path(__file__).parent / "systems"
RUNS, STEPS = 100, 400  # of a system that is made here
DRAW, DRAWN = 2026, 6  # seed by which systems of dysts are drawn, and how many
PER_PERIOD, SETTLING, COVERED = 30, 5, 200  # steps a period; periods before a run; periods that starts are taken from
MOST_NUMBERS = 10  # of the state of a drawn system
MOST_CALLS = 3_000_000  # of the right-hand side for the starts: a system that needs more is stiff beyond use
BALL_INPUTS = tuple(f"{axis}_{kind}_initial" for kind in ("pos", "vel") for axis in "xyz")
CONDITIONS = ("gravity", "drag", "box_side_length")


@dataclass(frozen=True)
class System:
    """How an ensemble is made, what a user would name of it, and what is asked.

    make     folder of files -> arrays by name
    words    settings: inputs, controls, window
    goal, stretch   skill; valid: the same of the valid prediction time in Lyapunov times
    length   root mean square error in the ensemble's unit that is not to be exceeded
    """

    make: Callable[[Path], dict]
    words: tuple[str, ...] = ()
    goal: float | None = None
    stretch: float | None = None
    valid: tuple[float, float] | None = None
    length: float | None = None

    @property
    def one_law(self) -> bool:
        """Whether all runs follow one law without inputs, controls and clock, so that a Lyapunov exponent means it."""
        return not self.words


@dataclass(frozen=True)
class Made:
    """An ensemble, and the same without measurement noise where that is known."""

    ensemble: Ensemble
    clean: np.ndarray | None = field(default=None)


def from_file(name: str, folder: Path) -> dict:
    """The arrays of NAME.npz in `folder`, or else beside this file. Raises FileNotFoundError where there is none."""
    path = next((path for path in (folder / f"{name}.npz", HERE / f"{name}.npz") if path.exists()), None)
    if path is None:
        raise FileNotFoundError(f"{name}.npz: expected in {folder}; --systems says where it is")
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def of_accuracy(name: str, folder: Path) -> dict:
    """An ensemble of benchmarks/accuracy.py, less the runs outside its ranges; positions of the bouncing ball."""
    import accuracy

    ensemble, split, _, inputs = accuracy.ensemble_and_split(name, quick=False)
    inside = sum(len(part.runs) for part in (split.train, split.validation, split.test))
    told = {f"inputs_{given}": ensemble.inputs[given][:inside] for given in inputs}
    return {"values": ensemble.values[:inside], "times": ensemble.times, "features": ensemble.features, **told}


def ball(folder: Path, *, runs: int = 1024) -> dict:
    """The bouncing ball whose start, gravity, drag and box side are told and vary: accuracy.py's `conditions`."""
    import accuracy

    values, told = accuracy.simulated(runs, SEED=DRAW, CONDITIONS=0.5)
    told = {f"inputs_{name}": told[name] for name in (*BALL_INPUTS, *CONDITIONS)}
    return {"values": values, "times": np.arange(values.shape[1]) / 20, "features": ("x", "y", "z"), **told}


def steered(name: str, features: tuple[str, ...], choose: Callable, folder: Path) -> dict:
    """Runs of a Gymnasium environment under random actions, beyond its own end. The first row's action moves nothing.

    choose   generator -> (what the environment takes, the number that stands for it)
    """
    import gymnasium

    gymnasium.logger.min_level = gymnasium.logger.ERROR  # it warns of each run that goes on
    world, generator = gymnasium.make(name).unwrapped, np.random.default_rng(DRAW)
    runs = [steered_run(world, generator, choose, DRAW + run) for run in range(RUNS)]
    return {"values": np.array(runs), "times": np.arange(STEPS) * 1.0, "features": (*features, "action")}


def steered_run(world, generator, choose, seed: int) -> list:
    """One run, (steps, features and action): what was seen after each action."""
    seen, _ = world.reset(seed=seed)
    rows = [[*seen, choose(generator)[1]]]
    for _ in range(STEPS - 1):
        action, number = choose(generator)
        rows.append([*world.step(action)[0], number])
    return rows


def push(generator) -> tuple[int, float]:
    """One of CartPole's two actions."""
    action = int(generator.integers(2))
    return action, float(action)


def torque(generator) -> tuple[np.ndarray, float]:
    """Pendulum's torque, in its range."""
    action = generator.uniform(-2, 2, size=1).astype("float32")
    return action, float(action[0])


def candidates() -> list[str]:
    """The systems of dysts whose state is a point of up to ten numbers, sorted: those with a delay are left out."""
    from dysts import flows
    from dysts.systems import get_attractor_list

    names = get_attractor_list("continuous_no_delay")
    return [name for name in names if len(np.atleast_1d(getattr(flows, name)().ic)) <= MOST_NUMBERS]


def draw(seed: int, count: int) -> list[str]:
    """The first `count` names of a permutation by `seed` of the candidates whose integration succeeds."""
    found: list[str] = []
    for name in np.random.default_rng(seed).permutation(candidates()).tolist():
        if len(found) < count and attractor(name) is not None:
            found.append(name)
    return found


def integrated(system, start, times) -> np.ndarray | None:
    """The states of a system of dysts at `times`, (steps, numbers); None where the solver fails or needs too much."""
    from scipy.integrate import solve_ivp

    left = iter(range(MOST_CALLS))

    def rate(time, state):
        next(left)
        return system.rhs(state, time)

    try:
        with np.errstate(all="ignore"):
            found = solve_ivp(rate, (0, times[-1]), start, t_eval=times, method="LSODA", rtol=1e-9, atol=1e-9)
    except (StopIteration, ValueError, ArithmeticError):
        return None
    return found.y.T if found.success and np.isfinite(found.y).all() else None


def attractor(name: str) -> np.ndarray | None:
    """States on the attractor of a system, from which runs start, (steps, numbers); None where there is none."""
    from dysts import flows

    system = getattr(flows, name)()
    times = np.linspace(0, COVERED * system.period, COVERED * PER_PERIOD + 1)
    states = integrated(system, system.ic, times)
    return None if states is None else states[COVERED * PER_PERIOD // 10 :]


def chaotic(name: str, folder: Path) -> dict:
    """Runs of a system of dysts from starts spread over its attractor.

    A start is a state of one long run, moved by 1 % of the standard deviation of each number, so that no run is a piece
    of that one, and then left to settle.
    """
    from dysts import flows

    states, system, generator = attractor(name), getattr(flows, name)(), np.random.default_rng(DRAW)
    if states is None:
        raise ValueError(f"{name}: expected an integration that succeeds")
    starts = states[generator.choice(len(states), RUNS)]
    starts = starts + 0.01 * states.std(axis=0) * generator.standard_normal(starts.shape)
    steps = SETTLING * PER_PERIOD + STEPS
    times = np.arange(steps) * system.period / PER_PERIOD
    runs = [run[-STEPS:] for run in (integrated(system, start, times) for start in starts) if run is not None]
    values = np.array([seen(system, run) for run in runs])
    features = [f"x{number + 1}" for number in range(values.shape[2])]
    return {"values": values, "times": times[:STEPS], "features": features}


def seen(system, run: np.ndarray) -> np.ndarray:
    """A run as dysts shows it: angles that grow without bound as sines."""
    shown = getattr(system, "_postprocessing", None)
    return run if shown is None else np.stack(shown(*run.T), axis=1)


def files(name: str, words: tuple[str, ...] = (), **goals) -> tuple[str, System]:
    return name, System(partial(from_file, name), words, **goals)


SIX = "window=0", "inputs=x_start,y_start,k_x,k_y,coupling,damping"
FOUR = "window=0", "inputs=mean,amplitude,phase,viscosity"
CARTPOLE = "cart", "cart_speed", "angle", "angle_speed"
SYSTEMS: dict[str, System] = dict(
    [
        files("lorenz63", goal=0.95, stretch=0.98),
        files("pendulum", ("inputs=amplitude",), goal=0.5, stretch=0.8),
        files("lossy_ball", goal=0.3, stretch=0.6),
        files("vanderpol_noisy", goal=0.4, stretch=0.7),
        files("kuramoto", goal=0.1, valid=(1.5, 3.0)),
        files("two_tanks", ("inputs=pipe", "controls=valve"), goal=0.8, stretch=0.95),
        files("coupled_inputs", SIX, goal=0.5, stretch=0.8),
        files("burgers_inputs", FOUR, goal=0.3, stretch=0.6),
    ]
)
SYSTEMS["ball_inputs"] = System(
    ball, ("window=0", f"inputs={','.join((*BALL_INPUTS, *CONDITIONS))}"), goal=0.9, stretch=0.99
)
LENGTHS = {"correlated": 6.5e-6, "joint": 6.9e-6, "fresh": 6e-6, "conditions": 5e-4}  # when goals were set
for ensemble, most in LENGTHS.items():
    words = (f"inputs={','.join(CONDITIONS)}",) if ensemble == "conditions" else ()
    SYSTEMS[f"ball_{ensemble}"] = System(partial(of_accuracy, ensemble), words, length=most)
SYSTEMS["ball_limit"] = System(partial(of_accuracy, "limit"), goal=-0.02, stretch=0.5)
SYSTEMS["cartpole"] = System(partial(steered, "CartPole-v1", CARTPOLE, push), ("controls=action",))
SYSTEMS["swing_up"] = System(partial(steered, "Pendulum-v1", ("cos", "sin", "speed"), torque), ("controls=action",))
UNSEEN = ("cartpole", "swing_up")  # and those of dysts: nothing of them was looked at before the last measurement


def made(name: str, system: System, folder: Path, *, quick: bool) -> Made:
    """The ensemble of a system; `quick`: few runs of few steps."""
    arrays = system.make(folder)
    values, times = np.asarray(arrays["values"], dtype=float), np.asarray(arrays["times"], dtype=float)
    runs, steps = (40, 100) if quick else values.shape[:2]
    told = {key.removeprefix("inputs_"): column[:runs] for key, column in arrays.items() if key.startswith("inputs_")}
    names, values = tuple(f"{name}_{run + 1}" for run in range(len(values)))[:runs], values[:runs, :steps]
    ensemble = Ensemble(values, names, tuple(map(str, arrays["features"])), times[:steps], told)
    return Made(ensemble, arrays["clean"][:runs, :steps] if "clean" in arrays else None)
