"""Parameters: what a file in JSON, YAML or TOML says that a program was given, as flat names and values.

What lies deeper is named by its whole way: `drag.factor`, and `place.0` for the first of a list. A value may have its
unit beside it, as in {"value": 1.2, "units": "kg"}.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from sim2seq._support.files import read_json

SUFFIXES = (".json", ".yaml", ".yml", ".toml")
MOST_BYTES, MOST_VALUES, DEEPEST = 1_000_000, 10_000, 20  # a few letters of YAML may stand for any number of values
UNIT = ("units", "unit")


def read(path) -> tuple[dict[str, float | str], dict[str, str]]:
    """Name -> number or word, and name -> unit where one is said; yes and no are 1 and 0, what is empty is left out.

    Raises ValueError, in one line, for what is no such file, and FileNotFoundError for none.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected a file")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path}: expected parameters of one run, up to {MOST_BYTES // 1_000_000} MB")
    content, values, units = parsed(path), dict[str, float | str](), dict[str, str]()
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected names and values; got {type(content).__name__}")
    try:
        for name, value, unit in flat(content):
            if not name or name in values:
                raise ValueError(f"expected names that differ; got {name!r}" + " twice" * bool(name))
            if len(values) == MOST_VALUES:
                raise ValueError(f"expected up to {MOST_VALUES} values")
            values[name] = number_or_word(value, name)
            units |= {name: unit} if unit else {}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return values, units


def parsed(path: Path):
    if path.suffix.lower() == ".json":
        return read_json(path)
    import yaml  # the command line must not pay for it

    try:
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(
            f"{path}: expected {path.suffix[1:].upper()} ({' '.join(str(error).split())[:200]})"
        ) from error


def flat(content, name: str = "", depth: int = 0) -> Iterator[tuple[str, object, str]]:
    """Name, value and unit of each value below `content`. Raises ValueError for what is nested without end."""
    if isinstance(content, dict) and "value" in content and content.keys() <= {"value", *UNIT}:
        unit = next((content[each] for each in UNIT if content.get(each)), "")
        yield from ((each, value, str(unit)) for each, value, _ in flat(content["value"], name, depth + 1))
    elif isinstance(content, (dict, list)):
        if depth == DEEPEST:
            raise ValueError(f"expected values that are nested up to {DEEPEST} times")
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from flat(value, f"{name}.{key}" if name else str(key), depth + 1)
    elif content is not None and content != "":
        yield name, content, ""


def number_or_word(value, where: str) -> float | str:
    """A number, also one in quotation marks or as 1e5, which YAML takes for a word; else a word."""
    if isinstance(value, str) and "_" in value:  # 2024_01 is no number, but for Python
        return value
    try:
        return float(value)  # type: ignore[arg-type]  # what is none of either says so
    except OverflowError as error:
        raise ValueError(f"{where}: expected a number that a computer can hold") from error
    except (TypeError, ValueError):
        return str(value)
