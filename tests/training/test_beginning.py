"""What a training says and refuses before it begins: a folder that is held, runs that stand in two parts."""

import fcntl
import shutil
import threading
from dataclasses import replace

import numpy as np

from sim2seq.training import fit as fitting
from sim2seq.training.fit import fit
from sim2seq.training.study import FORECAST


def test_a_training_waits_for_another_in_its_folder(tiny_training, tmp_path, capsys):
    """Here it then finds the work done. The lock of a training that was killed holds nobody."""
    trained, ensemble = tiny_training
    folder = tmp_path / "training"
    folder.mkdir()
    of_another = (folder / ".lock").open("w")
    fcntl.flock(of_another, fcntl.LOCK_EX)

    untouched = []

    def end():
        untouched.extend(path.name for path in folder.iterdir())
        shutil.copytree(trained.folder, folder, dirs_exist_ok=True)
        (folder / ".lock").unlink()
        of_another.close()

    ending = threading.Timer(1, end)
    ending.start()
    assert fit(ensemble, trained.settings, folder).scores == trained.scores
    ending.join()
    assert untouched == [".lock"]
    waited, done = capsys.readouterr().out.splitlines()
    assert waited == f"{folder}: another process is at work there; waiting for it to end"
    assert "already trained" in done
    assert not (folder / ".lock").exists()


def test_equal_runs_in_two_parts_are_told(tiny_training, tmp_path, capsys):
    trained, ensemble = tiny_training
    values = ensemble.values.copy()
    pair = sorted((ensemble.run_ids.index(getattr(trained.split, part).runs[0]), part) for part in ("train", "test"))
    values[pair[1][0]] = values[pair[0][0]]
    inputs = {name: np.zeros(ensemble.runs) for name in ensemble.inputs}
    twice = replace(ensemble, values=values, inputs=inputs)
    fitting.tell_runs(twice, trained.settings, trained.split, FORECAST, False)
    said = " is ".join(f"{ensemble.run_ids[run]} ({part})" for run, part in pair)
    assert capsys.readouterr().out == f"one run stands in two parts, so scores say less of new runs: {said}\n"
    fitting.tell_runs(ensemble, trained.settings, trained.split, FORECAST, False)
    assert not capsys.readouterr().out
