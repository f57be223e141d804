"""Scripts of benchmarks/, as modules."""

import importlib
import sys
from pathlib import Path


def script(name: str):
    """A module of the folder of benchmarks."""
    folder = str(Path(__file__).parent.parent / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)
