#!/usr/bin/env python
"""Bounce a ball in a cubic box and write the run as one DSV record, or many runs as one array file.

    python ball_bounce.py --xpos 48 --ypos 49 --zpos 50 --xvel 5.1 --yvel 4.8 --zvel 4.9 \
        --gravity 0.0981 --box_side_length 100 --group demo --run 1 --output output.dsv
    python ball_bounce.py --table table.npy --rows 0:1000 --output runs.h5

The box is [0, L] on each axis; y points up. Two schemes, each one implementation that serves one run
(floats, no NumPy to import) and many runs at once (arrays of shape (runs,)):

tick    The rule of the public demo that this study started from, kept so that its data can be reproduced.
        Its units are its own: positions advance by velocity / frequency each tick; the whole of --gravity is
        subtracted from that per-tick velocity each tick (0.0981 at 20 ticks/s acts like 39.24 length/s^2);
        drag takes (drag / frequency) * v^2 / 2 off each component per tick; a ball that would leave the box is
        put on the wall and its velocity turned round. Sample k is the state after tick k + 1, stamped k / frequency.

exact   SI units: gravity in m/s^2, dv/dt = -g - (drag / 2) |v| v for unit mass, area and density. A free flight is
        solved exactly, and so is drag; a step is half its drag, flight, half its drag (Strang splitting). Each wall is
        hit at its own time inside the step, where the step is cut and the normal velocity multiplied by -restitution.
        Exact without drag, second order in 1 / frequency with it. Sample k is the state at time k / frequency.
"""

import math
import sys
from types import SimpleNamespace

FLOATS = SimpleNamespace(
    where=lambda condition, yes, no: yes if condition else no, maximum=max, minimum=min, sqrt=math.sqrt, any=bool
)
REST_FLIGHT = 1e-6  # s: a bounce shorter than this ends in rest, or a lossy ball would bounce for ever
MOST_STEPS = 10_000_000
MOST_CROSSINGS = 1000  # of the box in one step; beyond, the step is too long for the speed


def array_operations():
    """The operations of FLOATS for arrays of runs."""
    import numpy as np  # only ensembles pay for this import

    return SimpleNamespace(where=np.where, maximum=np.maximum, minimum=np.minimum, sqrt=np.sqrt, any=np.any)


def bounce(position, velocity, *, gravity, box, drag, frequency, steps, scheme="tick", restitution=1.0):
    """Simulate one run or many.

    position, velocity   three components (x, y, z), each a float or an array (runs,)
    gravity, box, drag, restitution   floats or arrays (runs,); frequency in steps a second; steps >= 1

    Returns (times, series, position, velocity, bounces): times is a list of `steps` seconds, series three lists
    (x, y, z) with one entry a step, the rest is the state after the last step. Raises ValueError for an unknown scheme.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme {scheme!r}: expected one of {', '.join(SCHEMES)}")
    arrays = any(hasattr(value, "shape") for value in (*position, *velocity, gravity, box, drag, restitution))
    ops, rate = array_operations() if arrays else FLOATS, float(frequency)
    world = SimpleNamespace(gravity=gravity, box=box, drag=drag, frequency=rate, restitution=restitution, ops=ops)
    times = [step / frequency for step in range(steps)]
    return (times, *SCHEMES[scheme](tuple(position), tuple(velocity), steps, world))


def bounce_by_ticks(position, velocity, steps, world):
    """The tick scheme: see the module's first lines. Arguments and results as in `bounce`."""
    where = world.ops.where
    velocity = tuple(component / world.frequency for component in velocity)
    bounces, series = 0, ([], [], [])
    for _ in range(steps):
        moved = [tick_axis(p, v, world) for p, v in zip(position, velocity, strict=True)]
        position, (vx, vy, vz), hits = zip(*moved, strict=True)
        bounces = bounces + sum(hits)
        for axis, component in zip(series, position, strict=True):
            axis.append(component)
        vy = vy - world.gravity
        vy = where((position[1] == 0) & (vy < 0), 0.0, vy)  # on the floor and pulled down: at rest
        velocity = (vx, vy, vz)
    return series, position, velocity, bounces


def tick_axis(position, velocity, world):
    """One tick of one axis: move, turn round at a wall, brake. Returns (position, velocity, hit)."""
    where, maximum, minimum = world.ops.where, world.ops.maximum, world.ops.minimum
    moved = position + velocity
    below, above = moved < 0, moved > world.box
    position = where(below, 0.0, where(above, world.box, moved))
    velocity = where(below | above, -velocity, velocity)
    braking = abs(world.drag / world.frequency) * (velocity * velocity) / 2  # not **: on arrays it rounds otherwise
    velocity = where(velocity > 0, maximum(0.0, velocity - braking), minimum(0.0, velocity + braking))
    return position, velocity, below | above


def bounce_exactly(position, velocity, steps, world):
    """The exact scheme: see the module's first lines. Arguments and results as in `bounce`."""
    bounces, series = 0, ([], [], [])
    for step in range(steps):
        for axis, component in zip(series, position, strict=True):
            axis.append(component)
        if step < steps - 1:  # the last sample is the final state
            position, velocity, hits = step_exactly(position, velocity, 1 / world.frequency, world)
            bounces = bounces + hits
    return series, position, velocity, bounces


def step_exactly(position, velocity, duration, world):
    """One step of `duration` s, cut at each wall hit. Returns (position, velocity, hits)."""
    where, minimum = world.ops.where, world.ops.minimum
    left, hits = duration + 0 * position[0], 0
    while world.ops.any(left > 0):
        pulls = (0.0, where((position[1] <= 0) & (velocity[1] == 0), 0.0, world.gravity), 0.0)
        times = [time_to_wall(*axis, world) for axis in zip(position, velocity, pulls, strict=True)]
        first = minimum(minimum(times[0], times[1]), times[2])
        reaches = (first <= left) & (left > 0)
        time = where(reaches, first, left)
        # half the drag before a free flight; all of it after one that ends at a wall, or braking would move the hit
        braked = brake(velocity, time / 2, world)
        moved = [time_to_wall(*axis, world) for axis in zip(position, braked, pulls, strict=True)]
        divided = where(reaches, False, minimum(minimum(moved[0], moved[1]), moved[2]) > time)
        launch = [where(divided, *pair) for pair in zip(braked, velocity, strict=True)]
        flown = [fly(*axis, time, world) for axis in zip(position, launch, pulls, strict=True)]
        velocity = brake([v for _, v in flown], where(divided, time / 2, time), world)
        struck = [reaches & (axis_time <= time) for axis_time in times]
        bounced = [rebound(*axis, world) for axis in zip(velocity, flown, struck, pulls, strict=True)]
        position, velocity = zip(*bounced, strict=True)
        hits = hits + sum(where(hit, 1, 0) for hit in struck)
        left = left - time
    return position, velocity, hits


def brake(velocity, duration, world):
    """Quadratic drag for `duration` s, exactly: |v| becomes |v| / (1 + (drag / 2) |v| duration)."""
    speed = world.ops.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)
    factor = 1 / (1 + world.drag / 2 * speed * duration)
    return tuple(component * factor for component in velocity)


def fly(position, velocity, gravity, duration, world):
    """Free flight along one axis, exactly; rounding that would leave the box is cut. Returns (position, velocity)."""
    position = position + velocity * duration - gravity * duration * duration / 2
    return world.ops.maximum(0.0, world.ops.minimum(world.box, position)), velocity - gravity * duration


def rebound(velocity, flown, struck, gravity, world):
    """The state of one axis after its flight: turned round where it struck a wall. Returns (position, velocity)."""
    where = world.ops.where
    position = flown[0]
    at_floor = 2 * position < world.box
    speed = world.restitution * abs(velocity)
    speed = where(at_floor & (2 * speed < gravity * REST_FLIGHT), 0.0, speed)
    wall, turned = where(at_floor, 0.0, world.box), where(at_floor, speed, -speed)
    return where(struck, wall, position), where(struck, turned, velocity)


def time_to_wall(position, velocity, gravity, world):
    """When a free flight along one axis meets 0 or the upper wall, in s; infinite where it meets neither."""
    where, sqrt = world.ops.where, world.ops.sqrt
    rising, pulled = velocity > 0, gravity > 0
    closing = sqrt(velocity**2 + 2 * gravity * position) - velocity  # 0 for a ball that does not fall
    falls = (rising == False) & (closing > 0)  # noqa: E712 - `not` is for floats only
    down = where(falls, 2 * position / where(falls, closing, 1.0), math.inf)
    over_the_top = (closing + 2 * velocity) / where(pulled, gravity, 1.0)
    to_floor = where(rising & pulled, over_the_top, down)
    room = world.box - position
    square = velocity**2 - 2 * gravity * room
    reaches = rising & (square >= 0)
    up = 2 * room / where(reaches, velocity + sqrt(where(reaches, square, 0.0)), 1.0)
    return world.ops.minimum(to_floor, where(reaches, up, math.inf))


# the command line's names, and the columns of the parameter table that hold them
PARAMETERS = {f"{axis}{kind}": f"{axis.upper()}_{kind.upper()}_INITIAL" for axis in "xyz" for kind in ("pos", "vel")}
PARAMETERS |= {"gravity": "GRAVITY", "box_side_length": "BOX_SIDE_LENGTH", "drag": "DRAG"}
SCHEMES = {"tick": bounce_by_ticks, "exact": bounce_exactly}


def check_inputs(inputs) -> int:
    """Return the number of steps of a run with these command-line inputs; ValueError names the first bad value."""
    for name, value in inputs.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"--{name} {value}: expected a finite number")
    box, gravity, frequency = inputs["box_side_length"], inputs["gravity"], inputs["frequency"]
    for name, value, allowed, good in (
        ("box_side_length", box, "a length above 0", box > 0),
        ("gravity", gravity, "0 or more (it pulls down)", gravity >= 0),
        ("drag", inputs["drag"], "0 or more", inputs["drag"] >= 0),
        ("restitution", inputs["restitution"], "a number from 0 to 1", 0 <= inputs["restitution"] <= 1),
        ("frequency", frequency, "1 tick a second or more", frequency >= 1),
        ("runtime", inputs["runtime"], "a time above 0", inputs["runtime"] > 0),
    ):
        if not good:
            raise ValueError(f"--{name} {value}: expected {allowed}")
    for axis in ("xpos", "ypos", "zpos"):
        if not 0 <= inputs[axis] <= box:
            raise ValueError(f"--{axis} {inputs[axis]}: the ball starts outside the box, expected 0 to {box}")
    if inputs["scheme"] == "tick" and inputs["restitution"] != 1:
        found = inputs["restitution"]
        raise ValueError(f"--restitution {found}: the tick scheme has none, expected 1 or --scheme exact")
    fastest = max(abs(inputs[axis]) for axis in ("xvel", "yvel", "zvel")) + math.sqrt(2 * gravity * box)
    if fastest / frequency > MOST_CROSSINGS * box:
        raise ValueError(f"--frequency {frequency}: the ball crosses the box over {MOST_CROSSINGS} times a step")
    return count_steps(inputs["runtime"], frequency)


def count_steps(runtime, frequency) -> int:
    """The whole number of steps in `runtime` s at `frequency` steps/s; ValueError where it is none."""
    steps = round(runtime * frequency)
    if not 1 <= steps <= MOST_STEPS or not math.isclose(steps, runtime * frequency, rel_tol=1e-9):
        found = f"at {frequency} ticks/s that is {runtime * frequency:g} steps"
        raise ValueError(f"--runtime {runtime}: {found}, expected a whole number from 1 to {MOST_STEPS}")
    return steps


def make_run(inputs, group, run):
    """Simulate one run from the command line's inputs and return it as a record. Raises ValueError on bad input."""
    from sim2seq.data.records import Run, check_id

    return Run(check_id(f"{group}_{run}"), *simulate(inputs, group, check_inputs(inputs)))


def make_runs(table, inputs):
    """Simulate the rows of a parameter table together: run ids, data and series for sim2seq.data.arrays.write.

    table is a structured array (runs,) with the columns that pgen_ensembles.py writes; `inputs` says the rest, the same
    for all. Raises ValueError, naming the run, on bad input.
    """
    import numpy as np

    from sim2seq.data import tables

    missing = [column for column in PARAMETERS.values() if column not in table.dtype.names]
    if missing:
        raise ValueError(f"--table: expected the columns {', '.join(PARAMETERS.values())}; {missing[0]} is missing")
    run_ids = tables.run_ids(table)
    columns = {name: table[column].astype(float) for name, column in PARAMETERS.items()}
    for row, run_id in enumerate(run_ids):
        try:
            steps = check_inputs(inputs | {name: float(column[row]) for name, column in columns.items()})
        except ValueError as error:
            raise ValueError(f"run {run_id}: {error}") from error
    data, curves = simulate(inputs | columns, table["GROUP_ID"], steps)
    return run_ids, data, {name: np.transpose(curves[name]) for name in curves if name != "time"}, curves["time"]


def simulate(inputs, group, steps):
    """Data and series of a record, from inputs that are floats or, for many runs, arrays (runs,)."""
    places, speeds = ([inputs[f"{axis}{kind}"] for axis in "xyz"] for kind in ("pos", "vel"))
    same = {name: inputs[name] for name in ("gravity", "drag", "frequency", "scheme", "restitution")}
    box = inputs["box_side_length"]
    times, series, position, velocity, bounces = bounce(places, speeds, box=box, steps=steps, **same)
    data = {f"{axis}_{kind}_initial": inputs[f"{axis}{kind}"] for kind in ("pos", "vel") for axis in "xyz"}
    data |= {"gravity": inputs["gravity"], "box_side_length": inputs["box_side_length"], "group_id": group}
    for kind, values in (("pos", position), ("vel", velocity)):
        data |= {f"{axis}_{kind}_final": value for axis, value in zip("xyz", values, strict=True)}
    settings = ("drag", "runtime", "frequency", "scheme", "restitution")
    data |= {"num_bounces": bounces} | {name: inputs[name] for name in settings}
    return data, {"time": times} | {f"{axis}_pos": values for axis, values in zip("xyz", series, strict=True)}


def parse_arguments(argv=None):
    from sim2seq._support.command import Parser

    parser = Parser(description="Bounce a ball, or many, in a cubic box and write a DSV record, or an array file.")
    for kind, text in (("pos", "initial {}, in the box"), ("vel", "{} velocity at first")):
        for axis in "xyz":
            short = axis if kind == "pos" else axis.upper()
            parser.add_argument(f"--{axis}{kind}", f"-{short}", type=float, default=0.0, help=text.format(axis))
    parser.add_argument("--gravity", "-g", type=float, default=9.81, help="pull along -y (units: see --scheme)")
    parser.add_argument("--box_side_length", "-b", type=float, default=10.0, help="side of the box")
    parser.add_argument("--runtime", "-r", type=float, default=20.0, help="simulated time in s")
    parser.add_argument("--frequency", "--ticks_per_seconds", type=int, default=20, help="steps a second")
    parser.add_argument("--drag", "-d", type=float, default=0.1, help="drag coefficient")
    parser.add_argument("--restitution", "-e", type=float, default=1.0, help="speed kept at a wall (exact scheme)")
    schemes = {"choices": list(SCHEMES), "help": "tick: the demo's rule and units; exact: SI units"}
    parser.add_argument("--scheme", default="tick", **schemes)
    parser.add_argument("--output", "-o", required=True, help="file to write: DSV, or HDF5 with --table")
    parser.add_argument("--group", "-G", default="group", help="group id, first half of the run's id")
    parser.add_argument("--run", "-R", default="1", help="run id, second half of the run's id")
    parser.add_argument("--table", metavar="FILE", help="many runs at once: a table of pgen_ensembles.py (.npy)")
    parser.add_argument("--rows", metavar="FIRST:END", default=":", help="rows of the table, the last one not included")
    arguments = parser.parse_args(argv)
    if arguments.table is None:
        return arguments if arguments.rows == ":" else parser.error("--rows needs --table")
    given = [name for name in (*PARAMETERS, "group", "run") if getattr(arguments, name) != parser.get_default(name)]
    if given:
        parser.error(f"--{given[0]}: the table says it for each run, expected no such option beside --table")
    return arguments


def main(argv=None):
    from sim2seq.data import records

    inputs = vars(parse_arguments(argv))
    output, group, run, table, rows = (inputs.pop(name) for name in ("output", "group", "run", "table", "rows"))
    if table is None:
        return records.write(output, [make_run(inputs, group, run)])
    from sim2seq.data import arrays, tables

    return arrays.write(output, *make_runs(tables.read_table(table, rows), inputs))


if __name__ == "__main__":
    from sim2seq._support.command import run

    sys.exit(run(main))
