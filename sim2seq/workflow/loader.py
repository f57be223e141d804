"""Celery's loader for the workers of `sim2seq run`: they start without what Merlin has no use for.

jsonschema, which Merlin imports, would build a grammar of addresses in each worker: a second of a core before its first
task. See messages.py, which comes too late for that in a worker.
"""

import os
import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None: not to be imported (import system)

from celery.loaders.app import AppLoader  # noqa: E402


class Loader(AppLoader):
    """Celery's own, in the worker and not in the environment of its tasks."""

    def on_worker_init(self):
        os.environ.pop("CELERY_LOADER", None)
        super().on_worker_init()
