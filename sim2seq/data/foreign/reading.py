"""Reading: how foreign files are to be read where they do not say it themselves, and the words they say it with."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path

from sim2seq._support.config import one_of
from sim2seq.data.records import LONGEST_ID, SAFE_ID, RecordError, shown

# names, in lower case, of what holds the clock, the counter of steps, the run; earlier ones go before later ones
CLOCKS = (
    *("time", "times", "t", "sim_time", "simtime", "simulation_time", "timestamp", "datetime", "date", "datum", "zeit"),
    *("uhrzeit", "seconds", "flow_time", "physical_time", "elapsed_time"),
)
COUNTERS = (
    *("step", "steps", "timestep", "tick", "ticks", "cycle", "iteration", "iter", "frame", "epoch", "sample", "index"),
    "year",
)
RUNS = (
    *("run", "runs", "run_id", "run_ids", "runid", "simulation", "sim", "sim_id", "member", "ensemble", "realization"),
    *("realisation", "sample", "sample_id", "case", "trial", "episode", "experiment", "scenario", "instance"),
    *("instances", "id", "ids"),
)
MAYBE_RUNS = ("number", "trajectory", "seed", "replicate", "ens")  # where the numbers agree: each may be a feature
NO_TIME = "none"  # for `time`: the steps are counted
TAKEN = ("name", "creation_date")  # words that a store gives each run
ABOUT_FILE = {"conventions", "title", "history", "institution", "source", "references", "comment", "featuretype"}
ABOUT_FILE |= {"matlab_class", "matlab_fields", "h5path", *TAKEN}
GAPS = ("refuse", "fill", "drop")
REPEATS = ("refuse", "first", "last")
AXES = ("run", "time", "feature")
CLOCK_WITH_UNIT = re.compile(r"(?:time|t)[ _](s|sec|ms|us|ns|min|h|d)")
NUMBER_IN_NAME = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?=$|[^A-Za-z0-9.])")
BRACKETS = re.compile(r"(.*?)(?:\s*\[([^\[\]]*)\]|\s+\(([^()]*)\))\s*")
UNITS = frozenset(
    re.split(
        r"\s+",
        """s ms us ns min h d m mm cm km um g kg mg t N kN J kJ W kW MW Pa kPa MPa bar V mV A mA Hz kHz K C F degC °C
        degF °F rad deg ° mol l L ml - % 1 rpm Nm sec seconds days hours""",
    )
)


@dataclass(frozen=True)
class Reading:
    """How files are read. Names are those after `rename`.

    time, run   the column, variable or dimension that is the clock, that tells the runs apart; "": found by its name.
                time "none": steps are counted
    features    the series to read, in that order; none: all; controls: series that are read besides, set at each step
    rename      name in the file -> name
    label       the run of a file that is one run, and the beginning of ids that are places; "": the file's name
    group       the group of an HDF5, NetCDF or Zarr file that holds the arrays
    dims        what the axes of arrays without named dimensions are: of "run", "time", "feature"
    columns     the names of a table's columns, where its first line has none
    dates       how dates are written, as for strptime
    gaps        what becomes of nan and infinite numbers within a run: "refuse"; "fill": interpolated in time, the
                nearest number at the ends; "drop": runs with gaps are left out
    repeats     which of several rows of one time in a run counts where they differ: "refuse", "first", "last"
    every       1: each step; 2: every second one, ...
    resample    > 0: each run is interpolated linearly to that time step, and its times count from its first one
    met         the names in files and tables that were asked for so far, as they stand there
    Raises ValueError for a value that is not possible.
    """

    time: str = ""
    run: str = ""
    features: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)
    label: str = ""
    group: str = ""
    dims: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    dates: str = ""
    gaps: str = "refuse"
    repeats: str = "refuse"
    every: int = 1
    resample: float = 0.0
    met: set[str] = field(default_factory=set, compare=False, repr=False)

    def __post_init__(self):
        for name in ("features", "controls", "dims", "columns"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        one_of("way with gaps", self.gaps, GAPS)
        one_of("way with repeats", self.repeats, REPEATS)
        for axis in self.dims:
            one_of("axis", axis, AXES)
        if self.every < 1:
            raise ValueError(f"every: expected 1 or more; got {self.every}")
        if not 0 <= self.resample < float("inf"):
            raise ValueError(f"resample: expected a time step above 0; got {self.resample}")

    @property
    def series(self) -> tuple[str, ...]:
        """The series that are asked for; none: all."""
        return tuple(dict.fromkeys((*self.features, *self.controls))) if self.features else ()

    def name(self, name: str) -> str:
        """What a name in the file becomes."""
        self.met.add(name)
        return self.rename.get(name, name)

    def check_renamed(self) -> None:
        """Raise RecordError for a name to be changed that no file has, once all were read."""
        if lacking := [name for name in self.rename if name not in self.met]:
            old, names = lacking[0], sorted(map(str, self.met))
            near = get_close_matches(old, names, n=1)
            guess = f"; did you mean {near[0]}?" if near else f": {listed(names)}"
            raise RecordError(f"--rename {old}={self.rename[old]}: nothing that was read is named {old}{guess}")

    def to_json(self) -> dict:
        """What differs from the defaults, for a store."""
        plain, told = Reading(), {key: value for key, value in asdict(self).items() if key != "met"}
        return {key: value for key, value in told.items() if value != getattr(plain, key)}

    @classmethod
    def of(cls, content) -> Reading:
        """From what `to_json` gave. Raises ValueError for anything else."""
        known = {each.name: type(getattr(cls(), each.name)) for each in fields(cls) if each.name != "met"}
        if not isinstance(content, dict) or not content.keys() <= known.keys():
            raise ValueError("expected how the file is to be read")
        return cls(**{name: known[name](value) for name, value in content.items()})


def split_unit(header: str) -> tuple[str, str]:
    """A name with its unit in brackets, "speed [m/s]" or "speed (m/s)", as a pair; an index as in x[0] is no unit."""
    header = " ".join(header.split())
    found = BRACKETS.fullmatch(header)
    if not found and (name := header.partition(" / "))[2] and is_unit(name[2]):  # t / s, as ISO 80000 writes them
        return name[0], name[2]
    if not found or not found[1] or re.fullmatch(r"[\d,: ]+", found[2] or found[3] or ""):
        return header, ""
    return found[1].strip(), (found[2] or found[3] or "").strip()


def are_units(row: list[str]) -> bool:
    """Whether at least half of the cells are units, known ones or some in brackets."""
    some = [cell for cell in row if cell]
    found = [cell for cell in some if is_unit(cell) or (cell[0] in "[(" and cell[-1] in ")]")]
    return len(found) > 0 and 2 * len(found) >= len(some)


def ends_oddly(widths: list[int]) -> bool:
    """Whether the last line has another width than those before: a sum below a table, or what a full disk cut off."""
    return len(widths) > 2 and len({*widths[1:-1]}) == 1 and widths[-1] not in widths[:-1]


def is_unit(text: str) -> bool:
    """Whether a text begins as known units do: mm, kg/s."""
    return re.sub(r"[/*^.\d -].*", "", text) in UNITS


def clock_among(names, asked: str = "") -> str:
    """The name of the clock, or of the counter of steps, among `names`; "": there is none.

    Raises RecordError where `asked` is not there.
    """
    names = list(names)
    if asked:
        if asked not in names:
            raise RecordError(f"no time {shown(asked)}: it has {listed(names)}")
        return asked
    return named_clock(names) or first_of(names, COUNTERS)


def named_clock(names: list[str]) -> str:
    """The name that says time; "": there is none."""
    return first_of(names, CLOCKS) or next(filter(is_clock, names), "")


def is_clock(name: str) -> bool:
    """Whether a name says time and its unit: time_s, t_ms."""
    return bool(CLOCK_WITH_UNIT.fullmatch(name.lower()))


def first_of(names, known) -> str:
    """That of `names` that comes first among `known`, whatever its case; "": none of them."""
    names = [name for name in names if len(name) > 1 or name.islower()]  # T is a temperature
    lower = {re.sub("[ -]", "_", name.lower()): name for name in reversed(names)}
    return next((lower[each] for each in known if each in lower), "")


def with_run_of(data, reading: Reading) -> Reading:
    """The reading, with a dimension of a Dataset as the run that its attributes, or a name of other programs, say.

    Where none was asked for or is known by its name; the clock alone does not lie along it.
    """
    dims = [str(each) for each in data.dims]
    if reading.run or reading.dims or first_of(dims, RUNS):
        return reading
    many = {str(dim) for each in data.data_vars.values() if each.ndim > 1 for dim in each.dims}
    clocks = {each.dims for name, each in data.variables.items() if clock_among([str(name)])}
    said = [str(name) for name, each in data.variables.items() if says_run(each.attrs) and each.ndim == 1]
    found = next((name for name in said if str(data[name].dims[0]) in many), "") or first_of(many, MAYBE_RUNS)
    dim = data[found].dims[:1] if found in data.variables and data[found].ndim == 1 else (found,)
    return replace(reading, run=found) if found and dim not in clocks else reading


def means_run(name: str) -> bool:
    """Whether a name says which run it is, as in seed=7, and not what it was given."""
    return bool(first_of([name], (*RUNS, *MAYBE_RUNS)))


def says_run(attributes: dict) -> bool:
    """Whether attributes, by the conventions of CF, say that a variable tells runs apart."""
    return attributes.get("standard_name") == "realization" or attributes.get("cf_role") == "trajectory_id"


def id_of(text) -> str:
    """A run's id made of any text: what an id may not hold becomes "_". Raises RecordError where nothing is left."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if isinstance(text, float) and text.is_integer():
        text = int(text)
    if not SAFE_ID.fullmatch(made := fitting_id(str(text))):
        raise RecordError(f"run {shown(text)}: expected an id with letters or digits")
    return made


def fitting_id(text: str) -> str:
    """What of a text can be an id."""
    text = re.sub(r"^-(?=\.?\d)", "minus_", text.strip())  # run -1 is not run 1
    return re.sub(r"\.\.+", ".", re.sub(r"[^A-Za-z0-9._+-]", "_", text)).lstrip("._+-")[:LONGEST_ID]


def named_apart(paths: list[str]) -> dict[str, str]:
    """Path -> a name for it: the file's, or of folders; no two make one id. Raises RecordError where all of them do."""
    ids: list[str] = []
    levels = enumerate(zip(*(Path(path).parts for path in paths), strict=False))
    differ = [level for level, names in levels if len(set(names)) > 1]
    for name_of in (
        stem,
        lambda path: path.parent.name,
        lambda path: "_".join([*path.parent.parts, stem(path)][level] for level in differ),  # a of runs/a/out/x.csv
        lambda path: path.name,
        lambda path: "_".join(path.parts),
    ):
        for written in (str, by_numbers):
            names = [written(name_of(Path(path))) for path in paths]
            ids = [fitting_id(name) for name in names]
            if len(set(ids)) == len(ids) and all(ids):
                return dict(zip(paths, names, strict=True))
    first, again = next((ids.index(each), place) for place, each in enumerate(ids) if ids.index(each) < place)
    raise RecordError(f"{paths[again]}: expected a name that tells its run apart from that of {paths[first]}")


def stem(path) -> str:
    """The name of a file without its suffix, which begins with a letter: T=0.5 has none."""
    return re.sub(r"(?<=.)\.[A-Za-z][A-Za-z0-9]*$", "", Path(path).name)


def by_numbers(name: str) -> str:
    """The name with the hexadecimal number of each character that an id may not hold in its place, but for k=1,n=2."""
    return re.sub(r"[^A-Za-z0-9._+=,-]", lambda found: f"_{ord(found[0]):x}", name)


def is_about_file(attribute: str) -> bool:
    """Whether an attribute tells of the file rather than of the run."""
    return attribute.lower() in ABOUT_FILE or attribute.startswith("_")


def without_prefix(name: str) -> str:
    """The name of an input, without the word that says that it is one: inputs_mass is mass."""
    for prefix in ("inputs_", "input_"):
        if name.lower().startswith(prefix) and len(name) > len(prefix):
            return name[len(prefix) :]
    return name


def values_in(name: str) -> dict[str, float | str]:
    """The inputs in the name of a file, such as k=0.5_mode=fast: what stands between a value and the next = is a name.

    A value that is no number ends before the next "_" or ",".
    """
    before, *parts = name.split("=")
    found: dict[str, float | str] = {}
    for part in parts:
        number = NUMBER_IN_NAME.match(part)
        word = number[0] if number else re.split("[_,]", part)[0]
        if before := before.strip("_, -"):
            found[before] = float(word) if number else word
        before = part[len(word) :]
    return {name: value for name, value in found.items() if value != ""}


def natural(text: str):
    """Sort key that puts run 2 before run 10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text)]


def listed(names, most: int = 8) -> str:
    """Names as a message may hold them."""
    names = [str(name)[:60] if str(name).isprintable() else repr(str(name)[:60]) for name in names]
    return ", ".join(names[:most] + ([f"{len(names) - most} more"] if len(names) > most else []))
