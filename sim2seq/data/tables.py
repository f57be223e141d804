"""Parameter tables of large ensembles: one array file, of which each task reads its rows, and the batches of rows."""

from pathlib import Path

import numpy as np

from sim2seq._support.files import write_array

TABLE, BATCHES = "table.npy", "batches.npy"
RUN_ID_COLUMNS = ("GROUP_ID", "RUN_ID")


def write_table(folder, table: dict[str, list], batch: int) -> int:
    """Write table.npy, and batches.npy for Merlin's samples, into `folder`; the number of batches.

    table maps a parameter to one value a run. table.npy is a structured array (runs,); batches.npy is (batches, 2):
    the first row of `batch` runs, and the one after their last. Raises ValueError for a batch of less than 1 run.
    """
    if batch < 1:
        raise ValueError(f"--batch {batch}: expected 1 run or more")
    columns = [np.array(values) for values in table.values()]
    rows = np.rec.fromarrays(columns, names=list(table))  # type: ignore[call-overload]  # names alone: not in its stubs
    first = np.arange(0, len(rows), batch)
    write_array(Path(folder, TABLE), rows.view(np.ndarray))
    write_array(Path(folder, BATCHES), np.stack([first, np.minimum(first + batch, len(rows))], axis=1))
    return len(first)


def read_table(path, rows: str = ":") -> np.ndarray:
    """Rows FIRST:END of a table.npy as a structured array (runs,); only these are read.

    Raises ValueError, in one line, for rows that the table does not have.
    """
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ValueError(f"{path}: expected a parameter table, an .npy file ({error})") from error
    if not isinstance(table, np.ndarray) or table.dtype.names is None or table.ndim != 1:
        raise ValueError(f"{path}: expected a parameter table, an array (runs,) with named columns")
    begin, colon, stop = rows.partition(":")
    if not colon or not all(part.isdigit() or part == "" for part in (begin, stop)):
        raise ValueError(f"--rows {rows}: expected FIRST:END, such as 0:1000")
    first, end = int(begin or 0), int(stop or len(table))
    if not first < end <= len(table):
        raise ValueError(f"--rows {rows}: expected one row or more of the {len(table)} in {path}")
    return np.array(table[first:end])


def run_ids(table: np.ndarray) -> list[str]:
    """GROUP_ID_RUN_ID of each row. Raises ValueError for a table without these columns."""
    missing = [name for name in RUN_ID_COLUMNS if name not in (table.dtype.names or ())]
    if missing:
        raise ValueError(f"expected the parameters GROUP_ID and RUN_ID, {' and '.join(missing)} missing")
    return [f"{group}_{run}" for group, run in zip(*(table[name].tolist() for name in RUN_ID_COLUMNS), strict=True)]
