"""Run a command so that nothing it starts outlives us, whatever becomes of us.

    python -m sim2seq._support.guard FD FOLDER COMMAND ...

FD is the reading end of a pipe whose only writing end belongs to the process that asked. When that end closes, by a
`close` or because its owner was killed, the guard ends everything the command has started and removes FOLDER
("-" for none). The guard leads a session of its own, so a Ctrl-C in the terminal reaches only the owner.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

import psutil

GRACE = 3.0  # seconds between asking processes to end and ending them
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2), Linux


class Guarded:
    """A command under a guard: it and everything below it end with `stop()`, and with this process.

    `output` is an open file for stdout and stderr; `remove` a folder that the guard deletes at the end.
    """

    def __init__(self, command: list[str], *, output, cwd: str, env: dict | None = None, remove: str = "-"):
        watched, lifeline = os.pipe()
        self._lifeline: int | None = lifeline
        guard = [sys.executable, "-P", "-m", "sim2seq._support.guard", str(watched), remove, *command]
        try:
            self.process = subprocess.Popen(
                guard,
                pass_fds=[watched],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        except OSError:
            os.close(lifeline)
            raise
        finally:
            os.close(watched)

    def poll(self) -> int | None:
        """The command's exit code once it and everything below it are gone, else None."""
        return self.process.poll()

    def members(self) -> list[psutil.Process]:
        """Processes started below the guard that are still running, at any depth."""
        return members(self.process.pid)

    def release(self) -> None:
        """Let the guard end everything below it, without waiting for that."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def stop(self) -> None:
        """End everything below the guard; returns when nothing is left."""
        self.release()
        try:
            self.process.wait(timeout=3 * GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        end(self.process.pid)  # nothing to do unless the guard itself was killed


def members(guard: int) -> list[psutil.Process]:
    """Running processes of the session `guard` leads, and its descendants that left the session; without itself."""
    found = {}
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            if pid != guard and os.getsid(pid) == guard:
                found[pid] = psutil.Process(pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        found |= {process.pid: process for process in psutil.Process(guard).children(recursive=True)}
    return [process for process in found.values() if runs(process)]


def runs(process: psutil.Process) -> bool:
    """Whether this very process is there and not a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(guard: int, reap=lambda: None) -> None:
    """Ask the members to end, and kill what is left after GRACE seconds; `reap` collects the dead ones."""
    deadline, asked = time.monotonic() + GRACE, set()
    while left := members(guard):
        late = time.monotonic() > deadline
        for process in left:
            if late or process.pid not in asked:
                asked.add(process.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill() if late else process.terminate()
        time.sleep(0.05)
        reap()


def process_control(option: int, value: int) -> None:
    """Call prctl(2), where there is one (Linux); elsewhere the session alone holds the processes together."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def end_with(parent: int) -> None:
    """Have this process killed when `parent`, which began it, ends in whatever way; or end, where it has ended."""
    process_control(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"process {parent}, which began this one, has ended")


def reap_children(codes: dict[int, int]) -> bool:
    """Note the exit codes of all ended children in `codes`; False if there is no child left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        codes[pid] = os.waitstatus_to_exitcode(status)


def main() -> int:
    lifeline, remove, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    stopped = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.append(True))
    process_control(PR_SET_CHILD_SUBREAPER, 1)  # orphans below become children of this process
    child = subprocess.Popen(command, preexec_fn=lambda: process_control(PR_SET_PDEATHSIG, signal.SIGKILL))
    codes: dict[int, int] = {}
    while reap_children(codes) or members(os.getpid()):
        if stopped or select.select([lifeline], [], [], 0.1)[0]:
            break
    end(os.getpid(), reap=lambda: reap_children(codes))
    if remove != "-":
        shutil.rmtree(remove, ignore_errors=True)
    return codes.get(child.pid, 1) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
