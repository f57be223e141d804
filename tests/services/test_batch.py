"""Allocations of a real Slurm join one study, and what one of them leaves undone the others do; Flux's launch lines."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from cluster import BIN, PGEN, ROOT, SPEC, environment, queue, run, store_of, study_folder, write_suite_without_training
from runs import dump, library_store, make_runs
from slurm import slurm

from sim2seq.workflow import waiting
from sim2seq.workflow.broker import Broker

RUNS = 8
# Each run notes its allocation. An allocation waits before its first run while the study is held, and before its second
# one while it is held again: as under a time limit, which hears what the workers ignore. Then the run takes its
# resources, as a job step of its own.
SIMULATE = """
set -euo pipefail
echo $SLURM_JOB_ID >> began
timeout 600 bash -c 'while [ -e {folder}/hold ] || [ -e {folder}/hold_again -a -e {folder}/$SLURM_JOB_ID ]; do
    sleep 0.1
done'
$(LAUNCHER) bash -c 'echo $SLURM_JOB_ID $SLURM_STEP_NUM_TASKS $SLURM_CPUS_PER_TASK > resources'
touch {folder}/$SLURM_JOB_ID
"""
QUICK = {"CONCURRENCY": "1", "EVERY": "0.5", "GRACE": "1", "CELERY_LOADER": "sim2seq.workflow.loader:Loader"}
RESOURCES = {"procs": 2, "nodes": 1, "cores per task": 1, "walltime": "00:01:00"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm(tmp_path_factory.mktemp("slurm"), cpus=4) as one:
        yield one


class Study:
    """The ball's suite without its training, queued by `merlin run`; `hold` and `hold_again` keep its runs waiting."""

    def __init__(self, folder, home, cluster, *, workers=2):
        self.folder, self.home, self.cluster = folder, Path(home), cluster
        (folder / "hold").touch()
        (folder / "hold_again").touch()
        path = write_suite_without_training(folder)
        spec = yaml.safe_load(path.read_text())
        step = spec["study"][1]["run"]
        step |= RESOURCES | {"cmd": SIMULATE.format(folder=folder) + step["cmd"]}
        if workers == 1:
            spec["merlin"]["resources"]["workers"] = {
                "worker": {"args": "--concurrency 1 --prefetch-multiplier 2 -O fair"}
            }
        path.write_text(yaml.safe_dump(spec))
        words = ["--pargs", f"NUM_STUDIES:{RUNS}", "--vars", f"OUTPUT_PATH={folder / 'out'}", "BATCH=slurm"]
        run(BIN / "merlin", "run", path, "--pgen", PGEN, *words, folder=home)
        self.path = study_folder(folder)

    def submit(self) -> str:
        path = f"{BIN}:{self.cluster.environment['PATH']}"
        variables = {"PATH": path, "C_FORCE_ROOT": 1, "PYTHONPATH": environment()["PYTHONPATH"]} | QUICK
        return self.cluster.submit("--ntasks=2", ROOT / "batch" / "slurm.sh", self.path, folder=self.home, **variables)

    def words(self, name: str) -> list[list[str]]:
        """What the runs wrote into their files of this name, in words."""
        return [path.read_text().split() for path in self.path.glob(f"run-ball-bounce/*/{name}")]

    def began(self, job: str) -> int:
        return sum(words.count(job) for words in self.words("began"))

    def wait_for(self, found) -> None:
        deadline = time.monotonic() + 90
        while not found():
            assert time.monotonic() < deadline, "\n".join(path.read_text() for path in self.home.glob("*.log"))
            time.sleep(0.1)


def assert_complete(study: Path, folder: Path, runs=RUNS):
    """The store holds what the library alone makes: no run lost, none doubled."""
    library = library_store(folder / "library.sqlite", make_runs(runs))
    assert dump(store_of(study)) == dump(library)


@pytest.fixture(scope="module")
def joined(cluster, tmp_path_factory):
    """A study of two allocations; the first is told that its time is up while it is at its second run."""
    with Broker() as broker:
        study = Study(tmp_path_factory.mktemp("joined"), broker.folder, cluster)
        first, second = study.submit(), study.submit()
        study.wait_for(lambda: study.began(first) and study.began(second))
        (study.folder / "hold").unlink()
        study.wait_for(lambda: study.began(first) == 2)
        cluster.ask("scancel", "--batch", "--signal=USR1", first)
        (state,) = cluster.end(first)
        (study.folder / "hold_again").unlink()
        study.states = [state, *cluster.end(second)]
        study.jobs = [first, second]
    return study


def test_two_allocations_do_one_study(joined, cluster, tmp_path):
    assert {words[0] for words in joined.words("resources")} == set(joined.jobs)
    assert joined.states[1] == ("COMPLETED", "0:0")
    assert cluster.ask("squeue", "--noheader") == ""
    assert_complete(joined.path, tmp_path)


def test_an_allocation_at_its_end_hands_back_what_it_has_begun(joined):
    """To this broker a message in dead hands would come back after a year."""
    first, second = joined.jobs
    assert joined.states[0] == ("FAILED", "75:0")
    assert [words for words in joined.words("began") if len(words) > 1] == [[first, second]]


def test_launcher_takes_the_resources_of_the_step(joined):
    assert {tuple(words[1:]) for words in joined.words("resources")} == {("2", "1")}


def test_a_killed_allocation_loses_nothing(cluster, tmp_path):
    with Broker() as broker:
        app = Path(broker.folder, "app.yaml")
        settings = yaml.safe_load(app.read_text())
        settings["celery"]["override"]["broker_transport_options"]["visibility_timeout"] = 5
        app.write_text(yaml.safe_dump(settings))
        study = Study(tmp_path, broker.folder, cluster, workers=1)
        first, second = study.submit(), study.submit()
        study.wait_for(lambda: study.began(first) and study.began(second))
        cluster.ask("scancel", "--full", "--signal=KILL", first)
        assert cluster.end(first)[0][0] == "CANCELLED"
        (study.folder / "hold").unlink()
        (study.folder / "hold_again").unlink()
        assert cluster.end(second) == [("COMPLETED", "0:0")]
    assert {words[0] for words in study.words("resources")} == {second}
    assert_complete(study.path, tmp_path)


@pytest.fixture
def unfinished(joined, tmp_path):
    """A copy of the study in which one ingest was never done: (its folder, the folder of that task)."""
    copy = tmp_path / joined.path.name
    shutil.copytree(joined.path, copy)
    task = next(copy.glob("ingest-ball-bounce/*"))
    (task / "MERLIN_FINISHED").unlink()
    return copy, task


def test_wait_knows_that_a_study_is_complete(joined, capsys):
    assert waiting.wait(str(joined.path)) == 0
    assert "ingest-ball-bounce 8/8" in capsys.readouterr().out


def test_wait_ends_with_the_failed_task_and_its_error(unfinished, capsys):
    study, task = unfinished
    status = task / "MERLIN_STATUS.json"
    status.write_text(status.read_text().replace('"FINISHED"', '"FAILED"'))
    next(task.glob("*.err")).write_text("no such record\n")
    assert waiting.wait(str(study)) == 1
    said = capsys.readouterr().out
    assert f"failed    ingest-ball-bounce/{task.name}" in said
    assert "| no such record" in said
    assert waiting.wait(str(study), ["run-ball-bounce"]) == 0


def test_wait_lasts_no_longer_than_the_workers(unfinished, capsys):
    study, task = unfinished
    (task / "MERLIN_STATUS.json").unlink()
    gone = subprocess.Popen(["true"], start_new_session=True)
    gone.wait()
    assert waiting.wait(str(study), workers=gone.pid, every=0.1) == 1
    assert "1 of 17 tasks did not finish: the workers of this allocation have ended" in capsys.readouterr().out


def test_wait_ends_when_nobody_has_what_is_missing(unfinished):
    study, task = unfinished
    (task / "MERLIN_STATUS.json").unlink()
    wait = f"waiting.wait({str(study)!r}, every=0.1, patience=0)"
    words = f"import sys; from sim2seq.workflow import waiting; sys.exit({wait})"
    with Broker() as broker:
        done = run(sys.executable, "-c", words, folder=broker.folder, check=False)
    assert done.returncode == 1, done.stderr
    assert "1 of 17 tasks did not finish: the broker has none of their messages, and no worker is at one" in done.stdout


def test_wait_refuses_a_step_that_the_study_does_not_have(joined):
    refused = run(BIN / "sim2seq", "wait", joined.path, "learn", folder=joined.folder, check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "expected a step of this study, one of create-initial-store, run-ball-bounce" in refused.stderr


# Debian has no package of Flux, so a stand-in takes its place: it answers what Merlin and the script ask.
FLUX = """#!/usr/bin/env bash
case "$1 $2" in
    "version "*) echo "commands: 0.78.0" ;;
    "job timeleft") echo "$TIMELEFT" ;;
    "exec --noinput") shift 2 && exec "$@" ;;
esac
"""


@pytest.fixture
def flux(tmp_path):
    """An environment with the stand-in on PATH."""
    path = tmp_path / "bin" / "flux"
    path.parent.mkdir()
    path.write_text(FLUX)
    path.chmod(0o755)
    names = environment()
    return names | {"PATH": f"{path.parent}:{names['PATH']}", "FLUX_URI": f"local://{tmp_path}"} | QUICK


def test_flux_allocations_do_one_study(flux, tmp_path):
    """The first is at its end as it begins."""
    script = ["bash", ROOT / "batch" / "flux.sh"]
    with Broker() as broker:
        queue(tmp_path, broker.folder, 2)
        study = study_folder(tmp_path)
        first = run(*script, study, folder=broker.folder, env=flux | {"TIMELEFT": "121"}, check=False)
        assert first.returncode == 75, first.stdout + first.stderr
        run(*script, study, folder=broker.folder, env=flux | {"TIMELEFT": "4294967295"})
    assert_complete(study, tmp_path, runs=2)


def documented(place: str) -> list[str]:
    """The lines of the block in docs/cluster.md that follows these words, or that begins with them."""
    text = (ROOT / "docs" / "cluster.md").read_text().split(place)[1]
    return text.split("```")[int("```" not in place)].strip("\n").splitlines()


SPEC_OF_ONE_STEP = """
description: {name: one, description: the documented step}
env: {variables: {OUTPUT_PATH: out, BATCH: local}}
batch: {type: $(BATCH)}
study:
    - name: simulate
      description: runs on several nodes
"""


@pytest.mark.parametrize(("batch", "command"), [("slurm", "srun"), ("flux", "flux run")])
def test_launcher_is_the_documented_line(batch, command, flux, tmp_path):
    (tmp_path / "one.yaml").write_text("\n".join([SPEC_OF_ONE_STEP, "      run:", *documented("```yaml\n      run:")]))
    words = ["--dry", "--local", "--vars", f"BATCH={batch}"]
    run(BIN / "merlin", "run", "one.yaml", *words, folder=tmp_path, env=flux)
    (script,) = tmp_path.glob("out/*/simulate/*.sh")
    (line,) = (line for line in script.read_text().splitlines() if line.endswith("my_simulation --output output.dsv"))
    (expected,) = (line for line in documented("For this step:") if line.startswith(command))
    assert sorted(line.split()) == sorted([*expected.split(), "my_simulation", "--output", "output.dsv"])


@pytest.mark.parametrize("batch", ["slurm", "flux"])
def test_workers_start_with_the_documented_line(batch, flux, tmp_path):
    (launch,) = re.findall(r'"WORKER_LAUNCH=(.*?)"', (ROOT / "batch" / f"{batch}.sh").read_text())
    words = ["--echo", "--vars", f"BATCH={batch}", f"WORKER_LAUNCH={launch.replace('$nodes', '4')}"]
    said = run(BIN / "merlin", "run-workers", SPEC, *words, folder=tmp_path, env=flux).stdout
    lines = [" ".join(line.split()) for line in said.splitlines() if "celery -A merlin worker" in line]
    assert len(lines) == 2
    (expected,) = (line for line in documented("starts each worker with") if line.startswith(launch.split()[0]))
    assert all(line.startswith(expected.removesuffix(' ..."').removesuffix(" ...")) for line in lines)
