"""A real Slurm of one node: munged, slurmctld and slurmd from Debian's packages, run by this user, on the loopback."""

import contextlib
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from daemons import environment, free_port, program, running

CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
PluginDir={plugins}
# no control groups and no account of the resources used: those need the system's own configuration
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides  # the CPUs below, whatever the machine has
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=60 State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """How to speak to it: an environment with its commands on PATH."""

    environment: dict[str, str]

    def ask(self, *words, **options) -> str:
        """What a command of Slurm prints; raises CalledProcessError if it fails."""
        command = [str(word) for word in words]
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, text=True, check=True, **options)
        return done.stdout.strip()

    def submit(self, *words, folder: Path, **variables) -> str:
        """`sbatch` from this folder; the job's id."""
        done = Slurm(self.environment | {name: str(value) for name, value in variables.items()})
        return done.ask("sbatch", "--parsable", "--ntasks=1", "--output=%j.log", *words, cwd=folder)

    def state(self, job: str) -> tuple[str, str]:
        """(state, "exit code:signal") of a job."""
        said = self.ask("scontrol", "--oneliner", "show", "job", job)
        words = dict(word.partition("=")[::2] for word in said.split())
        return words["JobState"], words["ExitCode"]

    def end(self, *jobs, seconds=60.0) -> list[tuple[str, str]]:
        """Wait until these jobs have ended; their states."""
        deadline = time.monotonic() + seconds
        while queued := self.ask("squeue", "--noheader", f"--jobs={','.join(jobs)}", "--states=all", "--format=%T"):
            if not {"PENDING", "RUNNING", "COMPLETING"} & set(queued.split()):
                break
            assert time.monotonic() < deadline, self.ask("squeue")
            time.sleep(0.2)
        return [self.state(job) for job in jobs]


@contextlib.contextmanager
def slurm(folder: Path, cpus=2):
    """Slurm with one node of this many CPUs, its files in `folder`, to the end of the block. Skips without packages."""
    daemons = {name: program(name) for name in ("munged", "slurmctld", "slurmd", "slurmstepd")}
    for name in ("munge", "slurmctld", "slurmd", "state", "spool"):
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge" / "key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    places = {"folder": folder, "host": socket.gethostname().split(".")[0], "user": getuser(), "cpus": cpus}
    places |= {"controller_port": free_port(), "node_port": free_port(), "plugins": _plugins(daemons["slurmd"])}
    (folder / "slurm.conf").write_text(CONF.format(**places))
    one = Slurm(environment() | {"SLURM_CONF": str(folder / "slurm.conf")})
    files = [f"--{name}-file={folder}/munge/{name}" for name in ("key", "pid", "log", "seed")]
    munged = [daemons["munged"], "--foreground", "--force", f"--socket={folder}/munge/socket", *files]
    conf = ["-D", "-f", folder / "slurm.conf"]
    with contextlib.ExitStack() as stack:
        for name, command, answers in (
            ("munge", munged, (folder / "munge" / "socket").exists),
            ("slurmctld", [daemons["slurmctld"], *conf], lambda: _answers(one, "scontrol", "ping")),
            ("slurmd", [daemons["slurmd"], *conf, "-d", daemons["slurmstepd"]], lambda: _idle(one)),
        ):
            stack.enter_context(running(command, answers, folder=folder / name, env=one.environment))
        yield one


def _plugins(slurmd: Path) -> Path:
    """The folder of the plugins that belong to this daemon."""
    return next(file.parent for file in slurmd.parents[1].glob("lib/**/slurm-wlm/auth_munge.so"))


def _answers(one: Slurm, *command) -> bool:
    return subprocess.run(command, env=one.environment, capture_output=True, check=False).returncode == 0


def _idle(one: Slurm) -> bool:
    return one.ask("sinfo", "--noheader", "--format=%t") == "idle"
