"""Keeping: a fitted candidate as files without code: its numbers in arrays.npz, its Keras models beside them.

lengths                 an array, a number or a text of the field `lengths`
state.known             an entry of a dict; members.0.network.keras: of a tuple of dataclasses
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

ARRAYS = "arrays.npz"


def save(fitted: Any, folder: Path) -> None:
    """Write a dataclass of arrays, numbers, texts, Keras models, and dicts, tuples and dataclasses of them."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for name, value in leaves("", fitted):
        if hasattr(value, "save_weights"):
            value.save(folder / f"{name}.keras")
        else:
            arrays[name] = np.asarray(value)
    np.savez(folder / ARRAYS, **arrays)


def leaves(name: str, value) -> Iterator[tuple[str, Any]]:
    """What a value is made of, each with its dotted name; None is left out."""
    if is_dataclass(value):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, dict):
        inner = value
    elif isinstance(value, tuple):
        inner = {str(i): each for i, each in enumerate(value)}
    else:
        inner = {}
        if value is not None:
            yield name, value
    for part, each in inner.items():
        yield from leaves(f"{name}.{part}" if name else part, each)


def read(kind: type, folder: Path) -> Any:
    """The dataclass of this kind that `save` wrote, before a field with a default was there or after.

    Raises KeyError or ValueError for a broken folder.
    """
    with np.load(folder / ARRAYS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return built(kind, "", arrays, folder)


def built(hint: Any, name: str, arrays: dict, folder: Path) -> Any:
    """The value of this type under this name."""
    if get_origin(hint) in (types.UnionType,):  # or None
        return built(get_args(hint)[0], name, arrays, folder) if is_there(name, arrays, folder) else None
    if get_origin(hint) is dict:
        return {each.removeprefix(f"{name}."): arrays[each] for each in arrays if each.startswith(f"{name}.")}
    if get_origin(hint) is tuple:
        known = [
            each.removeprefix(f"{name}.") for each in [*arrays, *names_of_models(folder)] if each.startswith(f"{name}.")
        ]
        count = len({each.partition(".")[0] for each in known})
        return tuple(built(get_args(hint)[0], f"{name}.{i}", arrays, folder) for i in range(count))
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        named = {each: f"{name}.{each.name}" if name else each.name for each in fields(hint)}
        inner = {
            each.name: full for each, full in named.items() if each.default is MISSING or is_there(full, arrays, folder)
        }
        kind: Any = hint
        return kind(**{part: built(hints[part], full, arrays, folder) for part, full in inner.items()})
    if hint in (int, float, bool, str):
        return hint(arrays[name].item())
    if hint is np.ndarray:
        return arrays[name]
    import keras

    return keras.saving.load_model(folder / f"{name}.keras", safe_mode=True)


def is_there(name: str, arrays: dict, folder: Path) -> bool:
    return any(each == name or each.startswith(f"{name}.") for each in [*arrays, *names_of_models(folder)])


def names_of_models(folder: Path) -> list[str]:
    return [path.name.removesuffix(".keras") for path in folder.glob("*.keras")]
