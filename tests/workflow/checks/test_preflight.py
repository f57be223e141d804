"""A store on a file system of many nodes is pointed out, by the kind that the kernel names."""

import os

import psutil
import pytest

from sim2seq import cli
from sim2seq.workflow.checks import preflight

MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
automount /home autofs rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
10.0.0.1@o2ib:/scratch /scratch lustre rw,flock 0 0
/dev/nvme0n1 /scratch/on\040this\040node xfs rw 0 0
user@host: /far fuse.sshfs rw 0 0
overlay /container fuse.fuse-overlayfs rw 0 0
nothing /there/is nosuchfs rw 0 0
"""


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """These file systems, and lustre on tmp_path/lustre, which is also the working directory."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "lustre").mkdir()
    (tmp_path / "proc" / "self" / "mounts").write_text(f"{MOUNTS.lstrip()}x {tmp_path}/lustre lustre rw 0 0\n")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))
    monkeypatch.chdir(tmp_path / "lustre")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/scratch/me/store.sqlite", "lustre"),
        ("/scratch", "lustre"),
        ("/scratch/on this node/store.sqlite", None),
        ("/scratchpad/store.sqlite", None),
        ("/home/me/../you/store.sqlite", "nfs4"),
        ("/far/store.sqlite", "fuse.sshfs"),
        ("/container/store.sqlite", None),
        ("/there/is/store.sqlite", None),
        ("store.sqlite", "lustre"),
    ],
)
def test_a_file_system_is_of_the_kind_of_the_innermost_mount(mounted, path, kind):
    assert preflight.parallel_file_system(path) == kind


def test_link_to_a_parallel_file_system_is_followed(mounted):
    link = mounted / "here.sqlite"
    link.symlink_to(mounted / "lustre" / "store.sqlite")
    assert preflight.parallel_file_system(link) == "lustre"


def test_store_in_a_database_has_no_file_system(mounted):
    assert preflight.sqlite_doubt("mysql+pymysql://me@server/store") is None


def test_check_and_doctor_warn_in_one_line_and_go_on(mounted, capsys, monkeypatch):
    from sim2seq.store import store
    from sim2seq.workflow import plan

    monkeypatch.setenv("C_FORCE_ROOT", "1")
    monkeypatch.setattr(plan, "expected_runs", lambda info, where: ["a_1"])
    monkeypatch.setattr(store, "missing_runs", lambda path, expected: [])
    assert cli.main(["check", "store.sqlite", "merlin_info"]) == 0
    line = capsys.readouterr().err
    assert line.startswith("sim2seq check: warning: store.sqlite: on a parallel or network file system (lustre)")
    assert line.count("\n") == 1
    assert cli.main(["doctor"]) == 0
    output = capsys.readouterr()
    assert output.err.startswith(f"sim2seq doctor: warning: {os.getcwd()}: on a parallel")
    assert output.err.count("\n") == 1
    assert output.out.endswith("a study can run here\n")
