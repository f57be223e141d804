"""What a study does when machines, disks, clocks and people get in its way: a trial of each of faults.py and kills.py.

benchmarks/soak.py has many trials, with kill -9 at random moments; the death of a worker and of the broker is in
test_orchestrate.py, that of a training in test_training.py.
"""

import contextlib
import json
import os
import random
from pathlib import Path

import faults
import kills
import pytest
from disks import mounted, resize, unwritable, used
from runs import library_store
from scene import finish, prepared
from suite import INGEST, LEARN, STORE, Outcome, Suite, Unavailable, started, stored_ids, verify

from sim2seq.store import store
from sim2seq.workflow import orchestrate, plan, rounds

CHANCE = random.Random(1777)


def clean(suite: Suite) -> None:
    """The study is whole, right and in order."""
    outcome = verify(suite, Outcome())
    assert (outcome.lost, outcome.doubled, outcome.silent) == (0, 0, [])


def kill(suite: Suite, kind: str) -> None:
    suite.wait_for(lambda: kills.VICTIMS[kind](suite))
    for victim in kills.find(suite, kind, CHANCE):
        victim.kill()


def test_failed_runs_are_named_and_what_needs_them_waits_or_not(tmp_path):
    """The steps after them wait, until they are told how many runs may be missing."""
    hostile = {9: faults.HANGS, 10: faults.FAILS, 11: faults.HALF_WRITTEN, 12: faults.NO_NUMBER}
    suite = Suite(tmp_path / "study", runs=12, hostile=hostile, changes={"TIME_LIMIT": 1})
    suite.touch("hostile")
    with started(suite) as (process, _):
        kill(suite, "simulation")
        suite.wait_for(lambda: suite.done(INGEST))
        kill(suite, "ingest")
        code, output = finish(process)
        assert code == 1
        for words in ("timeout: sending signal TERM", "the ball left the box", "truncated", "column time", "Killed"):
            assert words in output
        trained = suite.study() / LEARN / "digest.json"
        assert not trained.exists()

        code, output = suite.go_on("--vars", "FAILURES_ALLOWED=0.34")
        assert (code, "the steps after them went on with what there was" in output) == (1, True)
        assert len(json.loads(trained.read_text())["runs"]) == 8  # those that were killed are there now

        suite.remove("hostile")
        faults.forget_runs(suite, 11, 12)
        code, output = suite.go_on("--vars", "FAILURES_ALLOWED=0")
        assert code == 0, output
        clean(suite)


def test_dead_processes_lose_nothing_and_only_one_person_goes_on(tmp_path):
    """All workers die, then the orchestrator; then two people go on at once."""
    suite = Suite(tmp_path / "study", runs=8)
    suite.touch("hold")
    with started(suite) as (process, _):
        suite.wait_for(suite.held)
        before = {one.pid for one in suite.workers()}
        kill(suite, "all workers")
        suite.wait_for(lambda: suite.held() and not before & {one.pid for one in suite.workers()})
        suite.remove("hold")
        suite.wait_for(suite.done)
        kill(suite, "orchestrator")
        said, _ = process.communicate()
        assert "2 of 2 workers died; starting them again" in said
        both = [suite.start(suite.study()) for _ in range(2)]
        (first, _), (second, refusal) = sorted(map(finish, both))
        assert (first, second) == (0, 2)
        assert "another sim2seq run is at work on this study" in refusal
        clean(suite)


def test_tasks_delivered_twice_and_wrong_clocks_change_nothing(tmp_path):
    """Run 4 takes longer than the others twice: were they counted twice, the training would begin without it."""
    folder = tmp_path / "study"
    suite = Suite(folder, runs=4, hostile={4: faults.LASTS}, changes=faults.wrong_clock(folder))
    suite.marked_once = False
    faults.set_clock(suite, CHANCE)
    suite.touch("hold")
    suite.touch("hostile")
    with started(suite, "--vars", "FAILURES_ALLOWED=0.25", workers=8) as (process, _):
        suite.wait_for(lambda: len(suite.held()) == 4)
        faults.deliver_again(suite.brokers()[0])
        suite.wait_for(lambda: len(suite.held()) == 8)
        faults.set_clock(suite, CHANCE)
        suite.remove("hold")
        code, output = finish(process)
        assert code == 0, output
        clean(suite)


@pytest.fixture
def small_disk(tmp_path):
    """A folder with a file system of its own, whose size can change."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(mounted(tmp_path, "-t", "tmpfs", "-o", "size=1500m", "tmpfs"))
        except Unavailable as error:
            pytest.skip(str(error))
        yield tmp_path


def test_a_study_ends_at_a_store_it_cannot_use_and_can_go_on(small_disk):
    """A disk without room, a file without permission to write, another version in the store's place."""
    suite = Suite(small_disk / "study", runs=4)
    suite.touch("hold")
    with started(suite) as (process, _):
        suite.wait_for(suite.held)
        resize(small_disk, used(small_disk) + 100_000)
        suite.remove("hold")
        code, output = finish(process)
        assert (code, "no space left" in output) == (1, True)
        path = suite.study() / STORE
        assert stored_ids(path) == []
        resize(small_disk, 1_500_000_000)

        with unwritable(path):
            code, output = suite.go_on()
        assert (code, "cannot write" in output) == (1, True)

        kept = path.read_bytes()
        faults.other_version(path)
        foreign = path.read_bytes()
        code, output = suite.go_on()
        assert (code, "not a Kosh store" in output, path.read_bytes() == foreign) == (1, True, True)

        path.write_bytes(kept)
        code, output = suite.go_on()
        assert code == 0, output
        clean(suite)


def test_a_task_that_kills_its_process_each_time_ends_the_study(tmp_path):
    suite = Suite(tmp_path / "study", runs=4, hostile={3: faults.KILLS_ITS_PROCESS})
    suite.touch("hostile")
    with started(suite) as (process, _):
        code, output = finish(process)
        assert code == 1
        assert "a task ended the process that ran it, again and again" in output


@pytest.mark.parametrize("put", [faults.no_database, faults.other_database, faults.other_version])
def test_what_is_no_store_of_ours_is_refused(tmp_path, put):
    path = library_store(tmp_path / "store.sqlite", [])
    put(path)
    before = path.read_bytes()
    with pytest.raises(store.StoreError, match="not a Kosh store"):
        store.ingest(path, [])
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_half_written_spec_of_a_study_is_refused_in_one_line(study, share):
    folder = prepared(study)
    (path,) = folder.glob("merlin_info/*.expanded.yaml")
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(ValueError, match=r"\A.*(expanded\.yaml|tiny_).*\Z"):
        orchestrate.run(str(folder))


@pytest.fixture
def another_user():
    """A context manager in which this process is another user, who may do no more than the files allow."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")

    @contextlib.contextmanager
    def being():
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return being


def test_another_user_cannot_go_on_with_a_study_that_is_at_work(study, tmp_path, another_user):
    folder = prepared(study)
    for path in [*tmp_path.rglob("*"), tmp_path]:
        path.chmod(0o777)
    for path in tmp_path.parents:
        if path.name.startswith(("pytest-", "popen-")):
            path.chmod(0o711)
    refused = pytest.raises(rounds.Refused, match="another sim2seq run is at work on this study")
    with rounds.study_lock(str(folder)), another_user(), refused:
        orchestrate.run(str(folder))


def test_only_the_samples_that_depend_on_a_lost_one_run_again(tmp_path):
    """Merlin lets a sample go from step to step by itself; a step that gathers them has all of them to wait for."""
    steps = {"simulate": 3, "ingest": 3, "learn": 1}
    tasks = [
        plan.Task(step, f"{tmp_path}/{step}/{number}", step) for step, count in steps.items() for number in range(count)
    ]
    for task in tasks:
        Path(task.folder).mkdir(parents=True)
        Path(task.folder, plan.FINISHED).touch()
    children = {"_source": ["simulate"], "simulate": ["ingest"], "ingest": ["learn"], "learn": []}
    study = plan.Plan(tuple(tasks), children)
    assert study.stale() == []
    Path(tasks[1].folder, plan.FINISHED).unlink()
    assert [task.folder[len(str(tmp_path)) :] for task in study.stale()] == ["/simulate/1", "/ingest/1", "/learn/0"]
    gathered = plan.Plan(tuple(tasks), children | {"simulate": ["ingest", "learn"]})
    assert [task.step for task in gathered.stale()] == ["simulate", "ingest", "ingest", "ingest", "learn"]
