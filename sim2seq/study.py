"""Study: the one object that a study supplies, found by the path of its file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from sim2seq.training.study import FORECAST, Study

__all__ = ["FORECAST", "Study", "load_study", "read"]


def load_study(path) -> Study:
    """The object STUDY in the Python file `path`, or in the study.py of the folder `path`; None: a plain forecast.

    The file is run, as any program of yours: it may import what stands beside it. Raises ValueError, in one line, for a
    file without a STUDY, or with a package missing.
    """
    if path is None:
        return FORECAST
    path = Path(path)
    path = (path / "study.py" if path.is_dir() else path).absolute()
    if not path.is_file():
        raise ValueError(f"{path}: expected the file of a study, with a STUDY in it")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(f"study_of_{path.parent.name}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: expected a Python file with a STUDY in it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names of their annotations
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"{path}: it needs the package {error.name}, which is not installed") from error
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise ValueError(f"{path}: expected STUDY = sim2seq.Study(...), got {type(study).__name__}")
    return study


def read(study: Study, store, *, resample: float | None = None):
    """The Ensemble of the runs in the store, as the study reads it; `resample` as for store.load.

    Raises ValueError where a study with a reader of its own should resample.
    """
    if study.read is not None:
        if resample is not None:
            raise ValueError(f"--resample: the study {study.name} reads its runs by itself: resample them there")
        return study.read(store)
    from sim2seq.store.store import load

    return load(store, resample=resample)
