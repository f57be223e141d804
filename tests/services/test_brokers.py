"""Brokers as docs/cluster.md sets them up: the study passes, strangers stay out, the password stays where it is."""

import contextlib
import re
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import daemons
import psutil
import pytest
import redis
from cluster import ROOT, environment, queue, run, store_of, study_folder, wait, workers, write_suite_without_training
from runs import dump, library_store, make_runs

from sim2seq.store import store

RUNS = 4
HOST = "127.0.0.1"  # the only name in the server's certificate
BROKERS = ("Redis", "RabbitMQ")
LIES = {  # what app.yaml has wrong: (the right words, in their place, what Merlin says)
    "password": ("/password\n", "/ca.key\n", "invalid username-password|ACCESS_REFUSED"),
    "authority": ("/ca.pem", "/stranger/ca.pem", "CERTIFICATE_VERIFY_FAILED"),
    "host": (f": {HOST}\n", ": localhost\n", "Hostname mismatch"),
}


@dataclass(frozen=True)
class Site:
    """The document's folder, and the ports that stand for the document's."""

    folder: Path
    ports: dict[str, str]

    def documented(self, title: str) -> str:
        """The block of docs/cluster.md whose first line is this title, with this site's names."""
        text = (ROOT / "docs" / "cluster.md").read_text()
        (found,) = re.findall(rf"^```\w*\n# {re.escape(title)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        names = {"DNS:login1.example.org": f"IP:{HOST}", "login1.example.org": HOST, "0.0.0.0": HOST}
        for theirs, ours in (names | {"/home/me/broker": str(self.folder)} | self.ports).items():
            found = found.replace(theirs, ours)
        return found

    def make_keys(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        run("sh", "-ec", self.documented("keys"), folder=folder, env=daemons.environment())

    @property
    def password(self) -> str:
        return (self.folder / "password").read_text().strip()

    def write(self, name: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(self.documented(name).replace("PASSWORD", self.password))
        return path

    def place(self, broker: str, name: str, right: str = "", wrong: str = "") -> tuple[Path, Path, dict]:
        """For a study with this broker: (where its results go, where app.yaml is, environment)."""
        folder = self.folder / f"{broker} {name}".replace(" ", "_")
        home = folder / "home"
        home.mkdir(parents=True)
        text = self.documented(f"app.yaml for {broker}")
        assert right in text
        (home / "app.yaml").write_text(text.replace(right, wrong) if right else text)
        return (
            folder,
            home,
            environment(HOME=str(home), CELERY_LOADER="sim2seq.workflow.loader:Loader"),  # starts sooner
        )


def client_of(site) -> redis.Redis:
    options = {"ssl": True, "ssl_ca_certs": str(site.folder / "ca.pem"), "password": site.password}
    return redis.Redis(host=HOST, port=int(site.ports["6379"]), **options)


def redis_answers(site) -> bool:
    try:
        return client_of(site).ping()
    except redis.RedisError:
        return False


def rabbit_answers(site) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, int(site.ports["5671"])), timeout=1):
        return True
    return False


@contextlib.contextmanager
def rabbit(site):
    """RabbitMQ with all its files in the site's folder and all its ports on the loopback."""
    folder = site.folder / "rabbit"
    folder.mkdir()
    names = {"CONFIG_FILE": site.write("rabbitmq.conf"), "CONF_ENV_FILE": "/dev/null", "LOGS": "-"}
    names |= {"NODENAME": f"test{site.ports['5671']}@localhost", "MNESIA_BASE": folder / "data", "LOG_BASE": folder}
    names |= {"ENABLED_PLUGINS_FILE": folder / "plugins", "DIST_PORT": daemons.free_port()}
    names |= {"SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
    env = daemons.environment() | {f"RABBITMQ_{name}": str(value) for name, value in names.items()}
    env |= {"HOME": str(folder), "ERL_EPMD_PORT": str(daemons.free_port()), "ERL_EPMD_ADDRESS": HOST}
    start = ["sh", "-ec", '"$0" -daemon; exec "$1"', daemons.program("epmd"), daemons.program("rabbitmq-server")]
    with daemons.running(start, lambda: rabbit_answers(site), folder=folder, env=env):
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Redis runs; see `documented`."""
    ports = {port: str(daemons.free_port()) for port in ("6379", "5671")}
    made = Site(tmp_path_factory.mktemp("brokers"), ports)
    daemons.program("openssl")
    made.make_keys(made.folder)
    made.make_keys(made.folder / "stranger")
    command = [daemons.program("redis-server"), made.write("redis.conf")]
    with daemons.running(command, lambda: redis_answers(made), folder=made.folder):
        yield made


@pytest.fixture(scope="module")
def rabbit_or_reason(site):
    """None while RabbitMQ runs, or why it does not."""
    try:
        daemons.program("rabbitmq-server")
    except pytest.skip.Exception as missing:
        yield str(missing)
        return
    with rabbit(site):
        yield None


@pytest.fixture(scope="module")
def outcomes(site, rabbit_or_reason):
    """What became of every study, refused or not, by (broker, what was wrong); many at once, as each waits too."""
    brokers = BROKERS[:1] if rabbit_or_reason else BROKERS
    with ThreadPoolExecutor(4) as pool:
        found = {(broker, ""): pool.submit(passed, site, broker) for broker in brokers}
        found |= {(broker, lie): pool.submit(refused, site, broker, lie) for broker in brokers for lie in LIES}
        found |= {(broker, "workers"): pool.submit(refused_workers, site, broker) for broker in brokers}
    return {key: future.result() for key, future in found.items()}


@pytest.fixture(params=BROKERS)
def outcome(request, outcomes, rabbit_or_reason):
    """Of one broker: a function from what was wrong to what became of it."""
    if request.param == "RabbitMQ" and rabbit_or_reason:
        pytest.skip(rabbit_or_reason)
    return lambda lie: outcomes[request.param, lie]


def passed(site, broker) -> tuple[Path, set]:
    """The study's folder, and the processes that showed the password meanwhile."""
    folder, home, env = site.place(broker, "study")
    exposed = set()
    queue(folder, home, RUNS, env=env)
    with workers(folder, home, env=env):
        wait(folder, RUNS, lambda: exposed.update(processes_with(site.password)))
    return study_folder(folder), exposed


def processes_with(secret: str) -> set[str]:
    """Names of the processes that have it in their command line or environment, for `ps` or a child to see."""
    seen = ((one.info["name"], one.info) for one in psutil.process_iter(["name", "cmdline", "environ"]))
    return {name for name, info in seen if secret in f"{info['cmdline']} {info['environ']}"}


def refused(site, broker, lie):
    """The end of `merlin run` (CompletedProcess)."""
    right, wrong, _ = LIES[lie]
    folder, home, env = site.place(broker, lie, right, wrong)
    return queue(folder, home, RUNS, env=env, check=False)


def refused_workers(site, broker) -> str:
    """What workers with a wrong password say before the last of them ends; they have 60 s."""
    right, wrong, _ = LIES["password"]
    folder, home, env = site.place(broker, "workers", right, wrong)
    write_suite_without_training(folder)
    with workers(folder, home, "--steps", "create-initial-store", env=env) as guarded:
        deadline = time.monotonic() + 60
        while guarded.poll() is None:
            assert time.monotonic() < deadline, "workers that are refused go on"
            time.sleep(0.1)
    return (folder / "workers.log").read_text()


def test_study_passes_with_password_and_checked_certificates(outcome, tmp_path):
    library = library_store(tmp_path / "store.sqlite", make_runs(RUNS))
    study, _ = outcome("")
    assert dump(store_of(study)) == dump(library)
    assert (store.load(store_of(study)).values == store.load(library).values).all()


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_password_authority_or_host_ends_the_run(outcome, lie):
    """And the run says which of them."""
    end = outcome(lie)
    assert end.returncode == 1
    assert re.search(LIES[lie][2], end.stdout + end.stderr), end.stdout + end.stderr


def test_workers_with_a_wrong_password_end_and_say_so(outcome):
    assert re.search("ACCESS_REFUSED|establish a connection to the message broker", outcome("workers"))


def test_password_is_in_its_files_and_nowhere_else(site, outcomes):
    assert not set().union(*(end[1] for (_, lie), end in outcomes.items() if not lie))
    files = [path for path in site.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    holders = [path for path in files if site.password.encode() in path.read_bytes()]
    assert {path.name for path in holders} <= {"password", "redis.conf", "rabbitmq.conf"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}
    assert len(files) > 100  # logs, scripts and records of the studies were among them


def first_byte(port: str, greeting: bytes) -> bytes:
    with socket.create_connection((HOST, int(port)), timeout=10) as one, contextlib.suppress(ConnectionResetError):
        one.sendall(greeting)
        return one.recv(1)
    return b""


def test_servers_answer_nobody_without_tls(site, rabbit_or_reason):
    refusals = (b"", b"\x15")  # the connection's end, or an alert of TLS
    assert first_byte(site.ports["6379"], b"PING\r\n") in refusals
    if not rabbit_or_reason:
        assert first_byte(site.ports["5671"], b"AMQP\x00\x00\x09\x01") in refusals


def test_what_redis_has_taken_outlives_its_death(tmp_path):
    daemons.program("openssl")
    own = Site(tmp_path, {"6379": str(daemons.free_port())})
    own.make_keys(tmp_path)
    command = [daemons.program("redis-server"), own.write("redis.conf")]
    with daemons.running(command, lambda: redis_answers(own), folder=tmp_path) as guarded:
        client_of(own).rpush("queue", "task")
        for server in guarded.members():
            server.kill()
    with daemons.running(command, lambda: redis_answers(own), folder=tmp_path):
        assert client_of(own).lrange("queue", 0, -1) == [b"task"]
