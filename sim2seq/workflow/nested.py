"""Nested studies: those that a step of a study makes by calling `merlin run`; they are watched like its own tasks.

The process that makes one notes it in a file beside the broker, before it queues anything. `sim2seq run` reads that
file while the study runs, and keeps the notes in the study's merlin_info.
"""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sim2seq._support.files import write_text

BROKER = "SIM2SEQ_BROKER"  # environment of a step: the folder of its study's broker
ADDRESSES = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND")
NOTES, QUEUES = "nested_studies", "served_queues"  # files in that folder, a line for each


@dataclass(frozen=True)
class Nested:
    """A study in `folder` that the task in the folder `task` has made.

    `kind`: "queued" in the broker; "local", done by the task itself; "refused", then `words` say why.
    """

    folder: str
    task: str
    kind: str
    words: str = ""


def note(study: str, queues: set[str] | None) -> None:
    """Note the study in the folder `study`, if a step makes it here, whose tasks go into `queues` (None: nowhere).

    Raises ValueError for a queue that no worker serves.
    """
    if not (folder := os.environ.get(BROKER)) or not os.path.isdir(folder):
        return
    served = Path(folder, QUEUES).read_text().splitlines()
    unserved = sorted((queues or set()) - set(served))
    words = f"no worker serves the task queues {', '.join(unserved)}, only {', '.join(served)}" if unserved else ""
    kind = "refused" if unserved else "local" if queues is None else "queued"
    with open(os.path.join(folder, NOTES), "a") as file:
        file.write("\t".join([study, _task_folder(), kind, words]) + "\n")
    if unserved:
        raise ValueError(f"{study}: {words}")


def _task_folder() -> str:
    """The folder of the task below which this process runs: Merlin's script of it is a word of an ancestor's."""
    import psutil

    for process in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            for word in process.cmdline()[1:]:
                if word.endswith(".sh") and os.path.exists(os.path.join(os.path.dirname(word), "MERLIN_STATUS.json")):
                    return os.path.dirname(word)
    return ""


def read_notes(folder: str | Path) -> list[Nested]:
    """What is noted in this folder, of a broker or a study's merlin_info; each study once, even restarted.

    One whose folder somebody has removed, maybe a step after its end, is none any more.
    """
    path = Path(folder, NOTES)
    notes = (Nested(*line.split("\t")) for line in path.read_text().splitlines()) if path.exists() else ()
    found = {one.folder: one for one in notes}.values()
    return [one for one in found if one.kind == "refused" or os.path.isdir(one.folder)]


def keep_notes(study: str, notes: Iterable[Nested]) -> None:
    """Write them into the study's merlin_info."""
    lines = ["\t".join([one.folder, one.task, one.kind, one.words]) + "\n" for one in notes]
    write_text(Path(study, "merlin_info", NOTES), "".join(lines))


def without_stale(notes: list[Nested], stale: set[str]) -> list[Nested]:
    """Those that stay when the tasks in the folders `stale` run again: what these have made, they make anew."""
    kept: list[Nested] = []
    gone: list[str] = []
    for one in notes:
        if one.task in stale or any(one.task.startswith(f"{folder}/") for folder in gone):
            gone.append(one.folder)
        else:
            kept.append(one)
    return kept


def take_in(study, progress, broker: str, say) -> None:
    """Let `progress` watch what steps of `study` have noted in the folder `broker` since the last look, too."""
    from sim2seq.workflow.plan import load_plan

    known = {study.folder, *(one.folder for one in study.nested)}
    new = [one for one in read_notes(broker) if one.folder not in known]
    for one in new:
        say(f"a step made a study, {one.kind}: {one.folder}{': ' if one.words else ''}{one.words}")
        if one.kind != "refused":
            progress.plan = progress.plan.joined(load_plan(one.folder), one.folder)
    if new:
        study.nested += new
        keep_notes(study.folder, study.nested)
        progress.scan()
