"""Celery's loader for the workers of `sim2seq run`, and for a `merlin` that one of their steps calls.

A worker starts without what Merlin has no use for: jsonschema, which Merlin imports, would build a grammar of addresses
in each, a second of a core before its first task. See messages.py, which comes too late for that in a worker.

A step that calls `merlin run` gets the broker of its own study, however it calls it and whatever app.yaml lies on the
way: the environment of a step names this loader, and Celery asks it before Merlin connects to anything. Where this
package is not installed, the call fails. What comes of the studies that are queued so: nested.py.
"""

import os
import sys

from sim2seq.workflow.nested import ADDRESSES, BROKER

if BROKER not in os.environ:
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None: not to be imported (import system)

from celery.loaders.app import AppLoader


class Loader(AppLoader):
    """Celery's own, except for Merlin inside a step."""

    def __init__(self, app, **options):
        super().__init__(app, **options)
        if app.main == "merlin" and (folder := os.environ.get(BROKER)):
            _join(app, folder)

    def on_worker_init(self):
        os.environ.setdefault(BROKER, os.getcwd())
        super().on_worker_init()
        from sim2seq.workflow.tasks import tell_broker

        tell_broker()


def _join(app, folder: str) -> None:
    """Let Merlin in this process use the broker in `folder`. Raises ValueError if that has ended."""
    from celery import signals
    from merlin.config import broker, configfile, results_backend
    from merlin.utils import nested_namespace_to_dicts

    from sim2seq.workflow import messages  # its messages are as small as those of its study

    if configfile.is_local_mode():  # `merlin run --local`: it does the tasks itself, and ends with 0 whatever they do
        signals.task_prerun.connect(lambda args, **_: messages.note_graphs(args), weak=False)
        return
    config = configfile.CONFIG
    vars(config).update(vars(configfile.initialize_config(folder)))
    settings = {
        "broker_url": broker.get_connection_string(),
        "broker_use_ssl": broker.get_ssl_config(),
        "result_backend": results_backend.get_connection_string(),
        "redis_backend_use_ssl": results_backend.get_ssl_config(celery_check=True),
        **nested_namespace_to_dicts(config.celery.override),
    }
    for name in ADDRESSES:
        os.environ.pop(name, None)
    app.on_after_configure.connect(lambda **_: app.conf.update(settings), weak=False)
