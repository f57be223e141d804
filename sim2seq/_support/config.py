"""Config: settings as people write them, name:value or name=value, checked against a dataclass of defaults."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Self


@dataclass(frozen=True)
class Config:
    """What settings that are a frozen dataclass of defaults inherit; `recipes` are its ready sets of values, by name.

    A default's type is the type of its setting: numbers, words, true or false, or a tuple.
    """

    recipes: ClassVar[dict[str, dict]] = {"full": {}}

    def __init_subclass__(cls, recipes: dict[str, dict] | None = None, **options):
        super().__init_subclass__(**options)
        cls.recipes = {"full": {}} | (cls.recipes if recipes is None else recipes)

    @classmethod
    def parse(cls, words=(), *, base: Self | None = None) -> Self:
        """`base` (the defaults) changed by texts such as "epochs=2", "units=64,32" or "size=debug" (see `recipes`).

        With a recipe and a size, the size goes over the recipe, but for the model, which is the recipe's.
        """
        texts = dict(map(split_assignment, words))
        ready = {word: texts.pop(word, "full") for word in ("recipe", "size")}
        for word, name in ready.items():
            one_of(word, name, cls.recipes)
        changes = {name: convert(cls.default(name), name, text) for name, text in texts.items()}
        recipe, size = (cls.recipes[name] for name in ready.values())
        model = {"model": recipe["model"]} if "model" in recipe else {}
        return cls.of({**asdict(base or cls()), **recipe, **size, **model, **changes})

    @classmethod
    def of(cls, values: dict) -> Self:
        """Settings from a dict; lists become tuples. An unknown name is a ValueError."""
        for name in values:
            cls.default(name)
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    @classmethod
    def default(cls, name: str):
        """The default of a setting. Raises ValueError for an unknown name."""
        defaults = {field.name: field.default for field in fields(cls)}
        one_of("setting", name, defaults)
        return defaults[name]


def one_of(what: str, name: str, known) -> None:
    """Raise ValueError, with what is known, unless `name` is."""
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(known)}")


def split_assignment(text: str, what: str = "") -> tuple[str, str]:
    """ "name:value" or "name=value" as a pair; Merlin's --vars takes no second equals sign.

    The one parser of its kind: settings, axes of a grid, --pargs and --inputs. `what` comes before the message.
    """
    match = re.fullmatch(r"\s*(\w+)\s*[:=](.*)", text, re.DOTALL)
    if not match:
        raise ValueError(f"{what}expected name:value; got {text!r}")
    return match[1], match[2].strip()


def assignments(texts, what: str = "") -> dict[str, str]:
    """Several of them, name -> value; the last one of a name counts."""
    return dict(split_assignment(text, what) for text in texts)


def convert(default, name: str, text: str):
    """The text of a setting as the type of its default."""
    try:
        if isinstance(default, tuple):
            kind = type(default[0]) if default else str
            return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(default)(text)
    except (ValueError, KeyError):
        shape = "numbers with commas between" if isinstance(default, tuple) else type(default).__name__
        raise ValueError(f"setting {name}: expected {shape}, like {default}; got {text!r}") from None
