"""Files that appear whole or not at all: written beside their place, then renamed; the end of a log."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

ERROR_LINES = 4
TAIL_BYTES = 64_000  # of an error output, which may have gigabytes
LINE_LENGTH = 300  # characters shown of a line
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # colours, and what upsets a terminal
NOTE = "progress.txt"  # one line in a task's folder, or one below, that says how far the task is


def check_place(path) -> Path:
    """The path as one. Raises ValueError or OSError, in one line, where no file can be written there."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: expected a file to write; it is a folder")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: its folder does not exist")
    if not os.access(path.absolute().parent, os.W_OK):
        raise PermissionError(f"{path}: its folder cannot be written to")
    return path


def save_model(model, path: Path) -> None:
    """Save a Keras model whole or not at all."""
    temporary = path.with_name(f"unfinished_{path.name}")
    model.save(temporary)
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises as check_place."""
    temporary = check_place(path).with_name(f"unfinished_{path.name}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def write_array(path: Path, values) -> None:
    """Write a NumPy array whole or not at all. Raises as check_place."""
    import numpy as np  # the command line must not pay for it

    temporary = check_place(path).with_name(f"unfinished_{path.name}")
    with temporary.open("wb") as file:
        np.save(file, values, allow_pickle=False)
    os.replace(temporary, path)


def write_json(path: Path, content) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path):
    """The content of a JSON file, which may begin with a byte order mark. Raises ValueError, in one line, for none."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON ({str(error)[:200]})") from error


def keep_lines(path: Path, count: int) -> None:
    """Cut a text file after its first `count` lines."""
    write_text(path, "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:count]))


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def last_lines(path: Path, count: int = ERROR_LINES, *, prefix: str = "", start: int = 0) -> list[str]:
    """The last `count` lines of a file that are not empty, each cut to LINE_LENGTH, without control characters.

    What stands before the byte `start` is old. `prefix` is left out of the paths in them: with it, what the shell says
    after the name of its script is cut off.
    """
    with path.open("rb") as file:
        file.seek(max(start, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        text = file.read(TAIL_BYTES).decode(errors="replace")
    text = text.replace(prefix, "") if prefix else text
    lines = (CONTROL.sub("", line).rstrip() for line in re.split(r"[\r\n]+", text))
    return [line[:LINE_LENGTH] for line in lines if line.strip()][-count:]
