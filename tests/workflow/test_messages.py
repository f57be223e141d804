"""The message of a task must not grow with the number of runs."""

import pickle

import pytest

from sim2seq.workflow import messages


def test_graph_travels_as_a_path(tmp_path):
    content = pickle.dumps({"maestro_values": {}, "study_name": "tiny"})
    path = tmp_path / messages._file_name(content)
    path.write_bytes(content)
    graph = messages.load_graph(str(path))
    assert len(pickle.dumps(graph)) < 100 + len(str(path))
    assert pickle.loads(pickle.dumps(graph)).study_name == "tiny"
    path.write_bytes(b"something else")
    messages.load_graph.cache_clear()
    with pytest.raises(ValueError, match="damaged"):
        messages.load_graph(str(path))


def test_message_does_not_grow_with_the_runs(study):
    """Neither the graph nor a step takes the other runs along when it is pickled for the broker."""
    lengths = {}
    for runs in (16, 256):
        output = study.folder / f"runs_{runs:03}"
        pargs, variables = [f"NUM_STUDIES:{runs}"], {"OUTPUT_PATH": str(output)}
        graph = messages.MerlinStudy(str(study.spec), variables, pgen_file=str(study.pgen), pargs=pargs).dag
        step = graph.step("simulate_R10")
        lengths[runs] = [len(pickle.dumps(graph)), len(pickle.dumps(step))]
        assert pickle.loads(pickle.dumps(step)).get_workspace() == step.get_workspace()
    assert lengths[256] == pytest.approx(lengths[16], abs=16)
    assert max(lengths[256]) < 3000, lengths
