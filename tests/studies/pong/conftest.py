"""What tests of Pong share: a few episodes as its study reads them from a store."""

import pytest
from games import SETS


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory):
    """What the study reads of a store with three small sets."""
    from sim2seq.data import arrays
    from sim2seq.store import store
    from studies.pong import simulate
    from studies.pong.study import STUDY

    folder = tmp_path_factory.mktemp("store")
    path = folder / "store.sqlite"
    store.create(path)
    for name, episodes in SETS.items():
        file = folder / f"{name}.h5"
        simulate.main(["--set", name, "--episodes", str(episodes), "--steps", "24", "--output", str(file)])
        store.ingest(path, arrays.read(file))
    return STUDY.read(path)
