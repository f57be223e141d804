"""Trainings that benchmarks time: each is read where it is done, and begins anew where it was interrupted."""

import time
from pathlib import Path
from shutil import rmtree

from sim2seq._support.files import read_json, write_json
from sim2seq.training.fit import fit
from sim2seq.training.folder import Training


def fit_timed(ensemble, settings, place: Path, file: str, **options) -> Training:
    """Train in the folder `place`, or read what is there, and write into its `file` the seconds of the processor.

    What was interrupted is removed, as seconds of its last part would not be those of all. Raises ValueError, as fit
    does, for a training with other settings or data.
    """
    done = (place / "scores.json").exists()
    if not done:
        rmtree(place, ignore_errors=True)
    begun = time.process_time()
    training = fit(ensemble, settings, place, quiet=True, **options)
    if not done:
        write_json(place / file, time.process_time() - begun)
    return training


def seconds_of(place: Path, file: str) -> float | None:
    """The seconds of that training; None where it was stopped before they were written."""
    return read_json(place / file) if (place / file).exists() else None
