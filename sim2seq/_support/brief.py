"""Brief words for objects that hold much, as a notebook shows them."""

from __future__ import annotations

from reprlib import Repr

SHORT = Repr()
SHORT.maxstring = SHORT.maxother = 200  # a path is shown whole


def brief(of, **told) -> str:
    """The `repr` of an object of which this is told; of long lists the first six."""
    return f"{type(of).__name__}({', '.join(f'{name}={SHORT.repr(value)}' for name, value in told.items())})"
