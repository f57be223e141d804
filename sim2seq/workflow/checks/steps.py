"""Steps and parameters of a spec, as written: what Merlin would drop, or stop over, without a reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import yaml

MERLINS_FOLDER = "merlin_info"  # in the study's folder, as those of the steps


def duplicate_keys(loader: type) -> type:
    """A YAML loader of this kind that refuses a name that stands twice in one place: YAML keeps the last, silently."""

    class Strict(loader):  # type: ignore[misc, valid-type]
        def construct_mapping(self, node, deep=False):
            names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            for name, count in names.items():
                if count > 1 and name != "<<":
                    raise yaml.YAMLError(f"{name!r} stands {count} times in one place{node.start_mark}")
            return super().construct_mapping(node, deep)

    return Strict


def step_problems(spec: dict) -> Iterator[str]:
    """Names that stand twice, or where Merlin has its own folder, and dependencies on what does not come before."""
    before: list[str] = []
    for step in spec["study"]:
        name = step["name"]
        if name in before:
            yield f"two steps have the name {name!r}, and Merlin runs the first: give each a name of its own"
        if name == MERLINS_FOLDER:
            yield f"step {name!r}: Merlin has a folder of that name: give it another one"
        for other in map(str, step["run"].get("depends") or ()):
            parent = re.sub(r"_?\*", "", other)
            if parent not in before and "$(" not in parent:
                known = ", ".join(before) or "none"
                yield f"step {name!r} depends on {other!r}: expected a step that stands before it, one of: {known}"
        before.append(name)


def table_problems(spec: dict) -> Iterator[str]:
    """Parameters without values, of different lengths, or with values that are no number or word."""
    lengths = {}
    for name, column in (spec.get("global.parameters") or {}).items():
        values = column.get("values") if isinstance(column, dict) else None
        if not isinstance(values, list) or not values:
            yield f"global.parameters: {name}: expected a list of values, one a row; got {values!r:.40}"
            continue
        lengths[name] = len(values)
        for number, value in enumerate(values, start=1):
            if value is None or value == "" or isinstance(value, (dict, list)):
                yield f"global.parameters: {name}, row {number}: expected a number or word, got {value!r:.40}"
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        yield f"global.parameters: expected as many values of each, one a row; {counts}"


def sample_problems(spec: dict) -> Iterator[str]:
    """Samples without a file, or without names of their columns."""
    samples = (spec.get("merlin") or {}).get("samples")
    if samples is None:
        return
    if not isinstance(samples, dict) or not isinstance(samples.get("file"), str):
        yield f"merlin.samples: expected a file, got {samples!r:.60}"
    elif not isinstance(labels := samples.get("column_labels"), list) or not all(map(str, labels)) or not labels:
        yield f"merlin.samples: expected column_labels, a list with a name for each column; got {labels!r:.60}"
