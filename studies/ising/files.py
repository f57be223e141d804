"""Files of lattices: HDF5 with the source's names, written whole or not at all, checked when read.

    ising_grids     (lattices, n_x, n_y) int8, spins plus or minus one
    true_energies   (lattices,) float64
    beta            (lattices,) float64; (1,) where all have the same
    avg_E           (betas,) float64, the mean energy at each beta, in their order
    chain           (lattices,) int64, not the source's: the lattices of one chain, and no others, have one number

Beside them stands what makes it an array file of one run (sim2seq/data/arrays.py), which the ingest takes: the run's
id, `data` with the settings, and `physics_cycle_series` with what was measured, one step a beta. All datasets are
stored as that module does it, with checksums.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h5py
import numpy as np

from sim2seq._support.files import check_place
from sim2seq.data.array_layout import TIME, own
from sim2seq.data.arrays import write_columns, write_series
from sim2seq.data.records import CURVE_SET

GRIDS, ENERGIES, BETA, MEAN, CHAIN = "ising_grids", "true_energies", "beta", "avg_E", "chain"
ROWS = 4096  # lattices a chunk


@dataclass(frozen=True)
class Lattices:
    """What a file holds.

    grids     (lattices, n_x, n_y) int8, spins plus or minus one
    betas     (lattices,)
    energies  (lattices,), or None where the file has none and none were asked for
    chains    (lattices,), or None where the file does not tell them apart
    """

    grids: np.ndarray
    betas: np.ndarray
    energies: np.ndarray | None
    chains: np.ndarray | None


@contextmanager
def created(path, shape: tuple[int, int, int], *, betas: int) -> Iterator[h5py.File]:
    """An HDF5 file with datasets for (lattices, n_x, n_y), to be filled; named `path` when the block ends well."""
    check_place(path)
    head, tail = os.path.split(os.fspath(path))
    temporary = os.path.join(head, f".{tail}.{os.urandom(6).hex()}.tmp")
    rows, chunk = shape[0], min(shape[0], ROWS)
    try:
        with h5py.File(temporary, "x", locking="best-effort") as file:
            file.create_dataset(GRIDS, shape, np.int8, chunks=(chunk, *shape[1:]), fletcher32=True)
            for name, kind in ((ENERGIES, float), (CHAIN, np.int64), *(((BETA, float),) if betas > 1 else ())):
                file.create_dataset(name, (rows,), kind, chunks=(chunk,), fletcher32=True)
            yield file
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def finish(file: h5py.File, run_id: str, settings: dict, measured: dict[str, np.ndarray]) -> None:
    """Write the mean energies, and the run that the file is to the store: settings, and series with a step a beta."""
    betas = measured["beta"]
    file[MEAN] = measured["energy"]
    if BETA not in file:
        file[BETA] = betas
    write_columns(file, [run_id], settings, None)
    series = file.create_group(CURVE_SET, track_order=True)
    series[TIME] = np.arange(len(betas), dtype=float)
    for name, values in measured.items():
        write_series(series, name, values[None])


def read(path, *, shape: tuple[int, int] | None = None, energies: bool = True) -> Lattices:
    """The lattices of a file; the source's files can be read too.

    shape      (n_x, n_y) that its lattices must have
    energies   whether it must have energies
    Raises ValueError, in one line, for a file that is damaged, of another shape, with spins that are not plus or minus
    one, or without energies.
    """
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            found = {name: own(path, file, name) for name in (GRIDS, ENERGIES, BETA, CHAIN) if name in file}
            check_shapes(path, found, shape, energies)
            found = {name: dataset[:] for name, dataset in found.items()}
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such file of lattices") from error
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: not a file of lattices, or damaged ({' '.join(str(error).split())[:200]})"
        ) from error
    grids = found[GRIDS]
    if not (np.abs(grids) == 1).all():
        raise ValueError(f"{path}: {GRIDS}: expected spins of +1 and -1, got {grids[np.abs(grids) != 1][0]}")
    for name in (ENERGIES, BETA):
        if name in found and not np.isfinite(found[name]).all():
            raise ValueError(f"{path}: {name}: expected finite numbers")
    betas = np.broadcast_to(found[BETA].astype(float), len(grids))
    return Lattices(grids.astype(np.int8), betas, found.get(ENERGIES), found.get(CHAIN))


def check_shapes(path, found: dict, shape: tuple[int, int] | None, energies: bool) -> None:
    """Raise ValueError unless the datasets that are needed are there, and are numbers whose shapes fit together."""
    for name in (GRIDS, BETA, *((ENERGIES,) if energies else ())):
        if name not in found:
            raise ValueError(f"{path}: expected a dataset {name}, found {', '.join(found) or 'none that is known'}")
    for name, dataset in found.items():
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "iuf":
            raise ValueError(f"{path}: {name}: expected a dataset of numbers")
    size = found[GRIDS].shape
    if len(size) != 3 or min(size) < 1 or (shape is not None and size[1:] != tuple(shape)):
        wanted = "n_x, n_y" if shape is None else f"{shape[0]}, {shape[1]}"
        raise ValueError(f"{path}: {GRIDS}: expected shape (lattices, {wanted}), got {size}")
    for name in set(found) - {GRIDS}:
        allowed = [size[:1], (1,)] if name == BETA else [size[:1]]
        if found[name].shape not in allowed:
            raise ValueError(f"{path}: {name}: expected one number a lattice, {size[:1]}, got {found[name].shape}")
