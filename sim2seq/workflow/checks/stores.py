"""Stores: can the one that a study's first step makes be made? Tried before any simulation runs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sim2seq.workflow.checks.commands import calls

NONE = "none"  # as the suites say it: the store is a file of the study


def store_problems(spec: dict, output: str) -> Iterator[str]:
    """Why a store that a step of an expanded spec makes cannot be made below `output`, or in its DATABASE."""
    if not any(map(makes_store, (step["run"]["cmd"] for step in spec["study"]))):
        return
    database = str(((spec.get("env") or {}).get("variables") or {}).get("DATABASE", NONE))
    why = database_problem(database) if database != NONE else sqlite_problem(output)
    if why:
        yield f"the store cannot be made: {why}"


def makes_store(cmd: str) -> bool:
    """Whether a script calls `sim2seq create` or create_store.py."""
    return any(
        (program == "sim2seq" and words[:1] == ["create"])
        or (words and os.path.basename(words[0]) == "create_store.py")
        for program, *words in calls(cmd)
    )


def database_problem(path: str) -> str | None:
    """Why the first step could not make the store that the file `path` names; made here, as there, where it can be."""
    from sim2seq.store.store import create, is_url

    if not os.path.isabs(path):
        return (
            f"DATABASE: expected the whole path of a file, got {path}: the step that makes the store stands elsewhere"
        )
    if not is_url(path):
        return sqlite_problem(os.path.dirname(path))
    try:
        create(path)
    except (ValueError, OSError) as error:
        return str(error)
    return None


def sqlite_problem(output: str) -> str | None:
    """Why SQLite cannot keep a file below `output` (no locks, a quota, no permission); None if it can."""
    place = Path(os.path.abspath(output))
    place = next(folder for folder in (place, *place.parents) if folder.is_dir())
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".sim2seq_", dir=place) as folder,
            contextlib.closing(sqlite3.connect(Path(folder, "try.sqlite"))) as connection,
        ):
            connection.execute("CREATE TABLE tried (number)")
            connection.commit()
    except (sqlite3.Error, OSError) as error:
        return f"SQLite cannot write below {place}: {error}"
    return None
