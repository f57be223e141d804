"""Wait for a study that somebody else's workers do: on a cluster, where no process of ours starts or ends it."""

import contextlib
import json
import os
import time

from sim2seq.workflow.plan import Plan, expanded_spec, folder_of, load_plan
from sim2seq.workflow.progress import Display, Progress
from sim2seq.workflow.summary import MISSING, ending, failure_table, unfinished_tasks

PATIENCE = 60.0  # seconds without a finished task before the broker is searched for anything left to do
LOOKS = 3  # times in a row that there must be nothing: what follows a task may not be in the broker yet


def wait(study: str, steps=(), *, workers: int | None = None, every: float = 5.0, patience: float = PATIENCE) -> int:
    """Wait until the study in the folder `study`, or only its `steps`, has ended; show progress; return the exit code.

    0: every task is finished; 1: some failed, or are missing while nobody has them, and a table says which; 130: it was
    interrupted. It looks each `every` seconds, and no longer than the process group `workers` lives. Raises ValueError
    for a folder without a study, for a step that the study does not have, and if `every` is not above 0.
    """
    if every <= 0:
        raise ValueError(f"expected a time of more than 0 seconds between two looks, got {every}")
    progress = Progress(_part(load_plan(study), steps, study))
    with Display() as display:
        try:
            trouble = _watch(progress, Work(study, progress.plan, workers), display, every, patience)
        except KeyboardInterrupt:  # the study does not mind
            return 130
        display.show(progress, last=True)
        display.close()
        if not progress.complete:
            display.say(ending(progress, trouble))
            display.say(failure_table(progress, os.path.abspath(study)))
    return int(not progress.complete)


def _part(plan: Plan, steps, study: str) -> Plan:
    possible, steps = plan.steps(), [folder_of(step) for step in steps]
    for step in steps:
        if step not in possible:
            raise ValueError(f"{study}: expected a step of this study, one of {', '.join(possible)}, got {step}")
    return Plan(tuple(task for task in plan.tasks if not steps or task.step in steps), plan.children)


def _watch(progress: Progress, work, display, every: float, patience: float) -> str | None:
    """Follow the tasks until each one is finished or failed, or nobody has the others; what is wrong then, or None."""
    ended, since, looks = None, 0.0, 0
    while True:
        began = time.monotonic()
        progress.scan()
        display.show(progress)
        if len(progress.done) + len(progress.failed) == len(progress.plan.tasks):
            return None
        if not work.workers_live():
            return "the workers of this allocation have ended"
        if (now := (len(progress.done), len(progress.failed))) != ended:
            ended, since, looks = now, began, 0
        elif began - since > patience:
            progress.failed |= {task: state for task, state in unfinished_tasks(progress) if state != MISSING}
            looks = looks + 1 if work.none_left(display) else 0
            if looks == LOOKS:
                return "the broker has none of their messages, and no worker is at one"
        time.sleep(max(every, 5 * (time.monotonic() - began)))  # a slow file system is looked at less often


class Work:
    """What the broker of ./app.yaml, or of Merlin's own choice, still holds of a study."""

    def __init__(self, study: str, plan: Plan, workers: int | None = None):
        self.workers = workers
        self.spec, self.steps = str(expanded_spec(f"{study}/merlin_info")), list(plan.steps())
        self._said = False

    def workers_live(self) -> bool:
        """Whether the process group of the workers, if there is one to look at, still has a process."""
        with contextlib.suppress(ProcessLookupError):
            if self.workers is not None:
                os.killpg(self.workers, 0)
            return True
        return False

    def none_left(self, display) -> bool:
        """Whether no message waits in the queues of these steps and no worker has one; False if it cannot be known."""
        try:
            return not self._messages()
        except Exception as error:  # each kind of broker has its own
            if not self._said:
                display.say(f"the broker cannot be asked: {' '.join(str(error).split()):.200}")
            self._said = True
            return False

    def _messages(self) -> bool:
        from merlin.celery import app

        from sim2seq.workflow.messages import MerlinSpec

        of_steps = MerlinSpec.load_specification(self.spec).get_task_queues()
        queues = {queue for step, queue in of_steps.items() if folder_of(step) in self.steps}
        with app.connection_for_read() as connection:
            if any(_waiting(connection, queue) for queue in queues):
                return True
            channel = connection.default_channel
            if hasattr(channel, "unacked_key"):  # Redis: dead workers' messages too, until the visibility timeout
                held = (json.loads(message) for message in channel.client.hvals(channel.unacked_key))
                return any(routing_key in queues for _, _, routing_key in held)
        look = app.control.inspect(timeout=10)  # RabbitMQ gives dead workers' messages back at once
        return any(tasks for kind in (look.active, look.reserved, look.scheduled) for tasks in (kind() or {}).values())


def _waiting(connection, queue: str) -> int:
    with connection.channel() as channel:
        try:
            return channel.queue_declare(queue, passive=True).message_count
        except connection.channel_errors:  # no such queue: it was never used
            return 0
