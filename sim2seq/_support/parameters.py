"""Parameters: what a file in JSON, YAML or TOML says that a program was given, as flat names and values.

What lies deeper is named by its whole way: `drag.factor`, and `place.0` for the first of a list. A value may have its
unit beside it, as in {"value": 1.2, "units": "kg"}.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".json", ".yaml", ".yml", ".toml")
MOST_BYTES, MOST_VALUES, DEEPEST = 1_000_000, 10_000, 20  # a few letters of YAML may stand for any number of values
LONGEST_NAME = 200
UNIT = ("units", "unit")


def read(path) -> tuple[dict[str, float | str], dict[str, str]]:
    """Name -> number or word, and name -> unit where one is said; true and false are 1 and 0; what is null is none.

    Raises ValueError, in one line, for what is no such file, and FileNotFoundError for none.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: expected a file") if path.exists() else FileNotFoundError(f"{path}: no such file")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path}: expected parameters of one run, up to {MOST_BYTES // 1_000_000} MB")
    values, units = dict[str, float | str](), dict[str, str]()
    try:
        for name, value, unit in flat(parsed(path)):
            check_name(name, values)
            if (found := number_or_word(value, name)) == found:  # nan is a gap, as nothing is
                values[name] = found
                units |= {name: unit} if unit else {}
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())[:300]}") from error
    return values, units


def check_name(name: str, known) -> None:
    """Raise ValueError for a name that is there already, is none or cannot be shown in a line."""
    if not name or name in known:
        raise ValueError(f"expected names that differ; got {name!r}" + " twice" * bool(name))
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise ValueError(f"expected names of up to {LONGEST_NAME} letters in a line; got {name[:60]!r}")
    if len(known) == MOST_VALUES:
        raise ValueError(f"expected up to {MOST_VALUES} values")


def parsed(path: Path) -> dict:
    """What the file says, nested. Raises ValueError for what is damaged, or no names and values."""
    kind, text = path.suffix.lower(), path.read_text(encoding="utf-8-sig")
    try:
        if kind == ".json":
            content = json.loads(text, object_pairs_hook=unlike_pairs)
        else:
            content = tomllib.loads(text) if kind == ".toml" else from_yaml(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected {kind[1:].upper()} ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"expected names and values; got {'a list' if isinstance(content, list) else repr(content)[:60]}"
        )
    return content


def unlike_pairs(pairs) -> dict:
    """Names and values. Raises ValueError for a name that is there twice, of which one value would be lost."""
    if len(found := dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"expected names that differ; got {max(names, key=names.count)!r} twice")
    return found


def from_yaml(text: str):
    """Names and words as they are written, true, false and nothing; an empty text has no names.

    For a number, YAML 1.1 takes 010 for 8, 1:30 for 90 and `on` for true; here a number is what is one for people.
    """
    import yaml  # the command line must not pay for it

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}  # noqa: RUF012  # merging

        def construct_mapping(self, node, deep=False):
            keys = [key.value for key, _ in node.value if key.value != "<<"]
            if not all(isinstance(key, str) for key in keys):
                raise yaml.YAMLError("a name is no word")
            unlike_pairs([(key, None) for key in keys])
            self.flatten_mapping(node)
            return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}

    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^([Tt]rue|TRUE|[Ff]alse|FALSE)$"), [*"tTfF"])
    Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(~|[Nn]ull|NULL|)$"), ["~", "n", "N", ""])
    try:
        content = yaml.load(text, Loader)  # a SafeLoader: names and words, no objects
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return {} if content is None else content


def flat(content, name: str = "", depth: int = 0) -> Iterator[tuple[str, object, str]]:
    """Name, value and unit of each value below `content`. Raises ValueError for what is nested without end."""
    if isinstance(content, dict) and "value" in content and content.keys() <= {"value", *UNIT} and len(content) == 2:
        unit = next(content[each] for each in UNIT if each in content)
        yield from ((each, value, str(unit or "")) for each, value, _ in flat(content["value"], name, depth + 1))
    elif isinstance(content, (dict, list)):
        if depth == DEEPEST:
            raise ValueError(f"expected values that are nested up to {DEEPEST} times")
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from flat(value, f"{name}.{key}" if name else str(key), depth + 1)
    elif content is not None and content != "":
        yield name, content, ""


def number_or_word(value, where: str) -> float | str:
    """A number, also one in quotation marks; else a word. Raises ValueError for what cannot be written or held."""
    if isinstance(value, str) and "_" in value:  # 2024_01 is no number, but for Python
        return written(value, where)
    try:
        return float(value)  # type: ignore[arg-type]  # what is none of either says so
    except OverflowError as error:
        raise ValueError(f"{where}: expected a number that a computer can hold") from error
    except (TypeError, ValueError):
        return written(str(value), where)


def written(text: str, where: str) -> str:
    """A word that can be written. Raises ValueError for half a character, which JSON may hold."""
    if not text.isascii() and text != text.encode(errors="ignore").decode():
        raise ValueError(f"{where}: expected text; got {text[:60]!r}")
    return text
