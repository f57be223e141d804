"""Samples: Merlin's, made and read so that what would be lost, or must not be read, is a ValueError."""

import subprocess
from pathlib import Path

import numpy as np

from sim2seq._support.files import last_lines
from sim2seq.workflow.checks.commands import SAMPLES, ending


def refuse_bad_samples() -> None:
    """Let Merlin make and read samples with the functions below, in this process."""
    from merlin.spec import specification
    from merlin.study import study

    specification.load_array_file = study.load_array_file = load_samples
    study.MerlinStudy.generate_samples = generate_samples


def generate_samples(study) -> None:
    """Merlin's method: the command for samples that are not there; ValueError if it fails, or makes none.

    What a failed command has written is removed: whoever looks next would take it for all samples.
    """
    path = Path(study.samples_file)
    if path.exists():
        return
    command = study.expanded_spec.merlin["samples"]["generate"]["cmd"]
    done = subprocess.run(command, shell=True, capture_output=True, check=False)
    for end, content in (("sh", command.encode()), ("out", done.stdout), ("err", done.stderr)):
        Path(study.info, f"cmd.{end}").write_bytes(content)
    if done.returncode:
        path.unlink(missing_ok=True)
    if not path.exists():
        reason = ending(done.returncode) if done.returncode else f"nothing has made {path}"
        words = next(iter(last_lines(Path(study.info, "cmd.err"), 1)), reason)
        raise ValueError(f"{SAMPLES}: {words.strip()}")


def load_samples(filename, ndmin: int = 2) -> np.ndarray:
    """Merlin's `load_array_file`; here a file with pickled objects, or without rows, is a ValueError."""
    from merlin.utils import load_array_file

    if str(filename).endswith(".npy"):
        try:
            np.load(filename, allow_pickle=False, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise ValueError(f"{filename}: expected an array of numbers or words ({error})") from error
    samples = load_array_file(filename, ndmin)
    if samples.ndim != 2 or not samples.size:
        raise ValueError(f"{filename}: expected samples, one a row; got an array of shape {samples.shape}")
    return samples
