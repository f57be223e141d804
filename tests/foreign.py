"""Foreign files as runs, as `sim2seq import` reads them and puts them into a store."""

import h5py
import numpy as np
import xarray as xr

from sim2seq.data.foreign.files import sources
from sim2seq.data.foreign.reading import Reading
from sim2seq.data.foreign.runs import Seen, runs_of
from sim2seq.store import imports

COUNTING = "time,x,y\n0,1,10\n1,2,20\n2,3,30\n"
RUNS, STEPS, FEATURES = 4, 6, 3
VALUES = np.arange(RUNS * STEPS * FEATURES, dtype="float32").reshape(RUNS, STEPS, FEATURES)
TIMES = np.arange(STEPS) / 2
FIRST = VALUES[0, :, 0].tolist()


def read(*paths, **options):
    """Run id -> Run of these files; options as of Reading."""
    reading = Reading(**options)
    return {run.id: run for run in runs_of(sources(paths, reading), reading, Seen())}


def written(folder, **texts):
    """Files of these texts, NAME.csv."""
    paths = [folder / f"{name}.csv" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths


def as_matlab_writes(path, arrays):
    """A file of MATLAB 7.3: HDF5 after a header, at least two axes, in reverse order, letters as numbers."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            letters = [[ord(letter) for letter in value]] if isinstance(value, str) else value
            file[name] = np.atleast_2d(np.array(letters, dtype="u2" if isinstance(value, str) else float)).T
            file[name].attrs["MATLAB_class"] = np.bytes_("char" if isinstance(value, str) else "double")
            file[name].parent.attrs["MATLAB_class"] = np.bytes_("struct")
        file.create_dataset("#refs#/a", data=np.zeros((5, 1)))
        cell = file.create_dataset("cell", (1, 1), dtype=h5py.ref_dtype)
        cell[0, 0], cell.attrs["MATLAB_class"] = file["#refs#/a"].ref, np.bytes_("cell")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def dataset():
    """x and y of four runs, as xarray has them."""
    attributes = {"units": "m", "long_name": "position"}
    variables = {
        "x": (("member", "time"), VALUES[..., 0].copy(), attributes),
        "y": (("member", "time"), VALUES[..., 1].copy()),
    }
    variables["mass"] = ("member", np.arange(4.0), {"units": "kg"})
    return xr.Dataset(
        variables, {"time": ("time", TIMES, {"units": "days since 2001-01-01"})}, {"Conventions": "CF-1.8"}
    )


def imported(path, *files, **options):
    """Import; the counts."""
    return imports.import_files(path, files, Reading(**options)).counts


def same(one, other):
    """Whether two ensembles are equal."""
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.times, other.times)
    names = ("run_ids", "features", "units", "step_unit")
    return all(getattr(one, name) == getattr(other, name) for name in names) and all(
        one.inputs[name].tolist() == other.inputs[name].tolist() for name in {*one.inputs, *other.inputs}
    )
