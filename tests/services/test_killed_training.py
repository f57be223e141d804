"""A training that is killed goes on where it was."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import logistic_ensemble

from sim2seq.training.fit import fit
from sim2seq.training.folder import member_paths, read_history
from sim2seq.training.settings import Settings

# a training of 7 epochs, slow enough to be caught in the middle of it
SLOW = ["size=debug", "units=4", "window=5", "epochs=7", "patience=7", "learning_rate=0.01", "batch_size=16"]
SLOW += ["targets_per_epoch=16000", "model=autoregression", "targets=1", "passes=4", "members=2"]
SLOW_TRAINING = f"""
from helpers import logistic_ensemble
from sim2seq.training.settings import Settings
from sim2seq.training.fit import fit
fit(logistic_ensemble(), Settings.parse({SLOW}), "training")
"""


def test_training_killed_at_any_moment_ends_as_if_never_killed(tmp_path):
    """Killed after an epoch; and, as if killed again in the middle of writing, with a torn weights file and line."""
    ensemble, settings = logistic_ensemble(), Settings.parse(SLOW)
    whole = fit(ensemble, settings, tmp_path / "whole")
    folder = tmp_path / "training"
    paths = member_paths(folder, settings.members - 1)
    train_and_kill(folder, paths["checkpoint"] / "state.json", 3)
    epoch = json.loads((paths["checkpoint"] / "state.json").read_text())["epoch"]
    (paths["checkpoint"] / f"epoch_{epoch + 1:04d}.weights.h5").write_bytes(b"torn")
    with paths["history"].open("a") as history:
        history.write(f"{epoch + 1},0.1")
    resumed = fit(ensemble, settings, folder)
    last = member_paths(tmp_path / "whole", settings.members - 1)["history"]
    ours, theirs = (read_history(path) for path in (paths["history"], last))
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
    assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-3)
    assert len(resumed.models) == settings.members
    for member, other in zip(resumed.models, whole.models, strict=True):
        for ours, theirs in zip(member.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-3)


def train_and_kill(folder: Path, state: Path, epochs: int) -> None:
    """Train in a process of its own and kill it without warning once `epochs` epochs are on disk."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with (folder.parent / "log").open("w") as log:
        command = [sys.executable, "-c", SLOW_TRAINING]
        process = subprocess.Popen(command, cwd=folder.parent, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while not (state.exists() and json.loads(state.read_text())["epoch"] + 1 >= epochs):
        assert process.poll() is None, (folder.parent / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "scores.json").exists()
