"""Keep Merlin's messages small: what every task needs to know is stored once, beside the study.

Merlin 1.13 sends the whole study graph with every task, and the parameters of all runs with every step: broker
traffic and worker time grow with the square of the number of runs. Here both are replaced while they are pickled:

- the graph travels as the path of `merlin_info/dag_<sha256>.pickle`, written once and read once a process;
- a step carries its own row of the parameter table only.

`keep_messages_small()` in the process that queues the study is all it takes. A worker needs no option: unpickling such
a message imports this module, which does the same there. Files and messages are both pickle, as in Merlin itself:
whoever can write to the broker can run code as you. Write access to the study's folder is not enough for that here:
the message names the file by its checksum, and what does not have it is never unpickled.

A task that is delivered twice counts once. Merlin lets a step wait for others in a Celery chord, for which Redis counts
the tasks that were added and those that ended. A task that is delivered twice (its worker died after its last word, or
the visibility timeout passed) would be counted twice, and the step begin before the last tasks have ended.
"""

import atexit
import copy
import copyreg
import functools
import hashlib
import json
import os
import pickle
import secrets
import subprocess
import sys
from pathlib import Path

import yaml

from sim2seq._support import permissions
from sim2seq.workflow import nested
from sim2seq.workflow.checks.expansion import checked_generator, expansion_problems
from sim2seq.workflow.checks.preflight import FAST_LOADER
from sim2seq.workflow.checks.samples import refuse_bad_samples
from sim2seq.workflow.plan import CHECKED
from sim2seq.workflow.tasks import REFUSAL, REFUSED, REHEARSAL, begun_rehearsal, found_by, report_failures

# jsonschema would build a grammar from it: 0.9 s, and Merlin has no use
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None: not to be imported (import system)
from celery.backends.redis import RedisBackend  # noqa: E402
from jsonschema import ValidationError as ValidationError  # noqa: E402
from merlin.cli.utils import parse_override_vars as parse_override_vars  # noqa: E402
from merlin.spec.expansion import get_spec_with_expansion as get_spec_with_expansion  # noqa: E402
from merlin.spec.specification import MerlinSpec as MerlinSpec  # noqa: E402
from merlin.study.dag import DAG  # noqa: E402
from merlin.study.step import Step  # noqa: E402
from merlin.study.study import MerlinStudy as MerlinStudy  # noqa: E402

if sys.modules["rfc3987_syntax"] is None:
    del sys.modules["rfc3987_syntax"]

ADD_ONCE = "if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then redis.call('INCR', KEYS[2]) end"
DAY = 24 * 60 * 60
OUTPUT, FROM = "SIM2SEQ_OUTPUT", "SIM2SEQ_FROM"  # environment of the `merlin` command, see there


def keep_messages_small() -> None:
    """Pickle Merlin's graphs and steps in the short form from now on, in this process."""
    copyreg.pickle(DAG, _reduce_graph)
    copyreg.pickle(Step, _reduce_step)


def parameter_generator(table: dict[str, list], labels: dict[str, str]):
    """A Maestro ParameterGenerator of the table's columns; `labels` name the folders (%% stands for the value)."""
    from maestrowf.datastructures.core import ParameterGenerator

    generator = ParameterGenerator()
    for name, values in table.items():
        generator.add_parameter(name, values, labels[name])
    return generator


def merlin() -> None:
    """The `merlin` command with small messages; takes its arguments from sys.argv.

    OUTPUT is where a study goes whose spec does not say it. FROM is the folder that a new study's relative paths, such
    as that of a command for its samples, are meant from; Merlin has read ./app.yaml by then.
    """
    from merlin.main import main
    from merlin.spec import defaults
    from merlin.study import celeryadapter

    keep_messages_small()
    # our broker is this study's alone; Merlin looks at all of the user's processes, and fails over one that is a zombie
    celeryadapter.get_running_queues = lambda *_, **__: []
    MerlinStudy.load_pgen = checked_generator(MerlinStudy.load_pgen)
    MerlinStudy.load_dag = _refuse_losses(MerlinStudy.load_dag, _start_rehearsal())
    if output := os.environ.get(OUTPUT):
        defaults.ENV["env"]["variables"]["OUTPUT_PATH"] = output
    if sys.argv[1:2] == ["run"]:
        sys.path[:] = [path for path in sys.path if path]  # not what lies in that folder
        os.chdir(os.environ.get(FROM, "."))
    sys.exit(main())


def _start_rehearsal() -> subprocess.Popen | None:
    """Start the command of REHEARSAL, beside which Merlin makes its graph; None without one."""
    if not os.path.exists(REHEARSAL) or sys.argv[1:2] not in (["run"], ["restart"]):
        return None
    path = os.path.abspath(REHEARSAL)
    process = begun_rehearsal(json.loads(Path(path).read_text())["command"], path)
    atexit.register(process.kill)  # whoever waits for this process waits for what it started, too
    return process


def _refuse_losses(merlins, rehearsal: subprocess.Popen | None):
    """Merlin's `load_dag`, which makes the graph; where a new one has lost something, this process says so and ends."""

    @functools.wraps(merlins)
    def load_dag(self):
        merlins(self)
        problems = expansion_problems(self) if self.restart_dir is None else []
        if not problems and rehearsal and rehearsal.returncode is None:  # it ends once
            problems = found_by(rehearsal)
        if problems:
            print(*(f"{REFUSAL}{line}" for line in problems), sep="\n", flush=True)
            sys.exit(REFUSED)
        Path(self.info, CHECKED).touch()

    return load_dag


@functools.lru_cache(maxsize=4)
def load_graph(path: str) -> DAG:
    """The graph stored at `path`. Raises ValueError if the file is not what its name says."""
    content = Path(path).read_bytes()
    if _file_name(content) != Path(path).name:
        raise ValueError(f"{path}: damaged, its content does not have the checksum in its name")
    return _mark(object.__new__(DAG), pickle.loads(content), path)


def _mark(graph: DAG, state: dict, path: str) -> DAG:
    graph.__dict__.update(state, stored_at=path)
    return graph


def _file_name(content: bytes) -> str:
    return f"dag_{hashlib.sha256(content).hexdigest()}.pickle"


def keep_words_as_they_are() -> None:
    """Let Merlin write a parameter like 007 or "a, b", and a command with a #, so that it reads the same again."""
    merlins = MerlinSpec._dict_to_yaml
    if hasattr(merlins, "__wrapped__"):
        return

    @functools.wraps(merlins)
    def dict_to_yaml(self, obj, string, key_stack, tab):
        own = key_stack and (
            key_stack[-1] in ("cmd", "restart") or key_stack[0::2][:2] == ["global.parameters", "values"]
        )
        if own and isinstance(obj, str) and "\n" not in obj and not _reads_the_same(obj):
            return "'" + obj.replace("'", "''") + "'"
        return merlins(self, obj, string, key_stack, tab)

    MerlinSpec._dict_to_yaml = dict_to_yaml


def keep_defaults_apart() -> None:
    """Let Merlin fill specs with copies of its defaults: what it adds to one would be in the next, too."""
    fill = MerlinSpec.fill_missing_defaults
    MerlinSpec.fill_missing_defaults = staticmethod(lambda spec, defaults: fill(spec, copy.deepcopy(defaults)))


def _reads_the_same(text: str) -> bool:
    try:
        return yaml.load(f"a: [{text}]\nb: {text}", Loader=FAST_LOADER) == {"a": [text], "b": text}
    except yaml.YAMLError:
        return False


def _reduce_graph(graph: DAG):
    if "stored_at" not in graph.__dict__:
        folder = _info_folder(graph)
        if folder is None:  # not a study on disk: nowhere to put it
            return object.__reduce_ex__(graph, 2)
        note_graphs([graph])
        content = pickle.dumps(graph.__dict__)
        path = folder / _file_name(content)
        part = path.with_suffix(f".{secrets.token_hex(6)}")
        permissions.write(str(part), content)
        part.replace(path)
        _mark(graph, {}, str(path))
    return load_graph, (graph.stored_at,)


def _info_folder(graph: DAG) -> Path | None:
    workspace = next(record.workspace.value for record in graph.maestro_values.values() if record)
    folders = (parent / "merlin_info" for parent in Path(workspace).parents)
    return next((folder for folder in folders if folder.is_dir()), None)


def note_graphs(arguments) -> None:
    """Note the study of each graph among a task's arguments, where a step has made it (nested.py)."""
    from merlin.config import configfile  # reads ./app.yaml, and warns where there is none

    for graph in arguments:
        if isinstance(graph, DAG) and (folder := _info_folder(graph)):
            nested.note(str(folder.parent), None if configfile.is_local_mode() else _queues(graph))


def _queues(graph: DAG) -> set[str]:
    from merlin.config import configfile

    tag = configfile.CONFIG.celery.queue_tag
    steps = (graph.step(name) for name in graph.maestro_values if name != "_source")
    return {step.get_task_queue().removeprefix(tag) for step in steps}


def _reduce_step(step: Step):
    name, info = step.name(), step.parameter_info
    row = info["step_param_map"].get(name)
    own = {
        "labels": [label for label in info["labels"] if label in name],
        "step_param_map": {} if row is None else {name: row},
    }
    state = {**step.__dict__, "parameter_info": own}
    return copyreg.__newobj__, (Step,), state  # type: ignore[attr-defined]  # not in the stubs of the standard library


def count_once() -> None:
    """Count each task once in chords, from now on, in this process."""
    if RedisBackend.add_to_chord is not _add_to_chord:
        RedisBackend.add_to_chord = _add_to_chord
        RedisBackend.on_chord_part_return = _count_end_once(RedisBackend.on_chord_part_return)


def _add_to_chord(self, group_id, result) -> None:
    """Celery's method, for a task that may have been added before: in one go, or a death in between would count it."""
    added = self.get_key_for_group(group_id, ".added")
    self.client.eval(ADD_ONCE, 2, added, self.get_key_for_group(group_id, ".t"), _short(result.id))
    self.client.expire(added, DAY)


def _count_end_once(celerys):
    def on_chord_part_return(self, request, state, result, **options):
        if request.group:
            ended = self.get_key_for_group(request.group, ".ended")
            first = self.client.sadd(ended, _short(request.id))
            self.client.expire(ended, DAY)
            if not first:
                return None
            try:
                return celerys(self, request, state, result, **options)
            except BaseException:  # not counted: whoever does the task again has to be
                self.client.srem(ended, _short(request.id))
                raise
        return celerys(self, request, state, result, **options)

    return on_chord_part_return


def _short(task_id: str) -> bytes:
    """Merlin's ids are paths; sixteen bytes tell them apart, and the broker's memory stays small."""
    return hashlib.blake2b(task_id.encode(), digest_size=16).digest()


keep_messages_small()
refuse_bad_samples()
count_once()
keep_words_as_they_are()
keep_defaults_apart()
report_failures()
