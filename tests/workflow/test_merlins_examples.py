"""Each spec that `merlin example` writes runs, or is refused for what plain Merlin lacks here: docs/cluster.md."""

from pathlib import Path

import pytest
from merlin.examples.generator import gather_all_examples, setup_example
from scene import finish

from sim2seq.workflow import request
from sim2seq.workflow.checks import serving

FLUX, SLURM, LSF = (f"{program} is not on this machine" for program in ("flux", "srun", "jsrun"))
ELSEWHERE, FORM = "for the machines borax, quartz, and this is", "merlin.samples: expected a file, got"
REFUSED = {
    **dict.fromkeys(("flux_local", "flux_par", "flux_par_restart", "paper"), FLUX),
    **dict.fromkeys(("slurm_par", "slurm_par_restart", "lsf_par_srun", "null_spec", "null_chain"), SLURM),
    **dict.fromkeys(("hpc_demo", "iterative_demo"), ELSEWHERE),
    **dict.fromkeys(("openfoam_wf", "openfoam_wf_no_docker", "openfoam_wf_singularity"), FORM),
    "hello_samples": "the study's samples: .*make_samples.py needs the package names, which is not installed",
    "lsf_par": LSF,
    "my_hello": "expected a name of the study",
}
BEGUN = {  # some then lack a shell, a package or a program: python2, spellbook, docker
    *("hello", "restart", "restart_delay", "simple_chain", "feature_demo", "remote_feature_demo"),
    *("optimization_basic", "openfoam_wf_docker_template", "openfoam_wf_no_docker_template"),
    "openfoam_wf_singularity_template",
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes an example and gives its spec; the working directory is beside it, and there is no launcher."""

    def write(name: str) -> str:
        monkeypatch.chdir(tmp_path)
        setup_example(name, None)
        path = next(tmp_path.rglob(f"{name}.yaml"))
        monkeypatch.chdir(path.parent)
        return path.name

    monkeypatch.setattr(serving, "_found", lambda program: not program)
    monkeypatch.setattr(request, "launch_problems", lambda *_: [])  # python2 and other shells, which some machines have
    return write


def test_every_example_of_merlin_is_accounted_for():
    assert {Path(path).stem for path in gather_all_examples()} == BEGUN | REFUSED.keys()


@pytest.mark.parametrize(("name", "words"), REFUSED.items())
def test_example_that_cannot_run_here_is_refused_with_the_reason(written, name, words):
    with pytest.raises(ValueError, match=words):
        request.new_study(written(name), None, None, [], [], None)


@pytest.mark.parametrize("name", sorted(BEGUN))
def test_example_that_needs_no_launcher_is_begun(written, name):
    study = request.new_study(written(name), None, None, [], [], None)
    assert study.served.problems == []
    assert study.served.started


def test_example_that_needs_nothing_else_runs_to_its_end(study, written):
    spec = Path(written("restart")).resolve()
    code, output = finish(study.start(spec), 300)
    assert code == 0, output
    assert len(list(study.folder.rglob("MERLIN_FINISHED"))) == 32
