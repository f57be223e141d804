"""What several test modules share: the real data, a tiny study, small stores, tiny finished trainings."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from scene import Scene

from sim2seq.data.ensemble import Ensemble
from sim2seq.store import sqlite

pytest.register_assert_rewrite("specs", "surrogates")

DATA = Path(__file__).parent / "samples"


@pytest.fixture(scope="session", autouse=True)
def stores_made_by_copying():
    """Kosh takes two seconds to make a store without runs: it makes the first one of a process of tests."""
    real, made = sqlite.build, []

    def build(folder, name):
        if made:
            Path(folder, name).write_bytes(made[0])
        else:
            real(folder, name)
            made.append(Path(folder, name).read_bytes())

    sqlite.build = build
    yield
    sqlite.build = real


@pytest.fixture(scope="session")
def bouncing() -> Ensemble:
    """64 runs of the source's bouncing ball (box side 100), 400 steps of 1/20 s."""
    positions = np.load(DATA / "ball_bounce_64_correlated.npz")["positions"]
    return Ensemble(
        values=positions,
        run_ids=tuple(f"run_{number}" for number in range(1, 65)),
        features=("x_pos", "y_pos", "z_pos"),
        times=np.arange(1, 401) / 20,
        inputs={"XPOS": positions[:, 0, 0], "GRAVITY": np.full(64, 0.0981)},
        units=dict.fromkeys(("x_pos", "y_pos", "z_pos"), "length"),
    )


@pytest.fixture
def study(tmp_path):
    """A tiny Merlin study in a folder of its own (scene.Scene)."""
    scene = Scene(tmp_path)
    yield scene
    for process in scene.processes():  # only after a failed test
        process.kill()


@pytest.fixture(scope="session")
def tiny_training(bouncing, tmp_path_factory):
    """A finished training of the smallest kind, on ten runs of 60 steps: (Training, its Ensemble)."""
    from sim2seq.data.splits import Part, select
    from sim2seq.report.figures import draw_all, save_figures
    from sim2seq.training.fit import fit
    from sim2seq.training.settings import Settings

    few = select(bouncing, Part(bouncing.run_ids[:10], 0, 60))
    settings = Settings.parse(["size=debug", "units=4", "window=5"])
    trained = fit(few, settings, tmp_path_factory.mktemp("training"))
    save_figures(trained, draw_all(trained, few))
    return trained, few


@pytest.fixture(scope="module")
def workspace(bouncing, tmp_path_factory) -> Path:
    """A study's folder with a store of six runs of 100 steps."""
    from sim2seq import notebook
    from sim2seq.data.records import Run
    from sim2seq.store import store

    folder = tmp_path_factory.mktemp("study")
    path = folder / notebook.STORE
    path.parent.mkdir()
    store.create(path)
    times, inputs = bouncing.times[:100].tolist(), {"gravity": 0.0981, "box_side_length": 100.0}
    columns = [dict(zip(bouncing.features, run.T.tolist(), strict=True)) for run in bouncing.values[:6, :100]]
    store.ingest(path, [Run(f"run_{i}", inputs, {"time": times, **c}) for i, c in enumerate(columns)])
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with the spec of specs.py and a generator of its runs."""
    from specs import SPEC, write_spec

    from sim2seq.workflow.checks import preflight

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    monkeypatch.setattr(preflight, "parallel_file_system", lambda path: None)  # wherever the tests run
    write_spec(SPEC)
    (tmp_path / "pgen.py").write_text("def get_custom_generator(env, **kwargs):\n    return kwargs['NUM_STUDIES']\n")
    return tmp_path


@pytest.fixture(scope="session")
def counting(tmp_path_factory):
    """The folder of two models that count on by one."""
    from helpers import counting_model
    from surrogates import SCORES, save

    return save(tmp_path_factory.mktemp("counting") / "training", [counting_model(), counting_model()], SCORES)


@pytest.fixture(scope="session")
def paced(tmp_path_factory):
    """The folder of a model that counts on by the sum of a run's two inputs."""
    from surrogates import SCORES, pace_model, save

    scores = SCORES | {"inputs": {"pace": [0, 10], "push": [0, 10]}}
    return save(tmp_path_factory.mktemp("paced") / "training", [pace_model()], scores, ("pace", "push"))


@pytest.fixture(scope="session")
def steered(tmp_path_factory):
    """The folder of a model that counts on by the control u [mV], 0 to 1 in training."""
    from surrogates import SCORES, save, steered_model

    scores = SCORES | {"controls": {"u": [0, 1]}, "told_units": {"u": "mV"}}
    return save(tmp_path_factory.mktemp("steered") / "training", [steered_model()], scores, controls=("u",))


@pytest.fixture(scope="session")
def eight_runs(tmp_path_factory):
    """A store of eight runs of 60 steps."""
    from runs import short_runs

    from sim2seq.store import store

    path = tmp_path_factory.mktemp("runs") / "store.sqlite"
    store.create(path)
    store.ingest(path, short_runs(8, 60))
    return path


@pytest.fixture
def study_store(eight_runs, tmp_path):
    """The same, to write into."""
    return shutil.copy(eight_runs, tmp_path / "store.sqlite")


@pytest.fixture
def trap(tmp_path):
    """A path that exists only if foreign code ran."""
    path = tmp_path / "ran"
    yield path
    assert not path.exists()


@pytest.fixture
def screen(monkeypatch):
    """A display that nobody sees."""
    import pygame  # a second, which few tests need

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    yield
    pygame.display.quit()


LONG = (
    "study",
    "pong_suite",
    "faults",
    "ising_suite",
    "brokers",
    "dodging_study",
    "wheel",
    "batch",
    "starts",
    "orchestrate",
    "new_study",
    "own_files",
    "sweep_study",
    "merlins_examples_whole",
    "mariadb",
    "killed_training",
    "memory",
    "notebook_in_jupyter",
    "merlins_specs",
    "rollout",
    "training",
    "combined",
    "pong_learning",
    "pong_families",
)


def pytest_collection_modifyitems(items):
    """The files that take longest go first, or one process would end with them while the others have nothing to do."""
    order = {f"test_{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
