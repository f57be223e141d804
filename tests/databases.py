"""A real MariaDB server as docs/cluster.md sets it up: password, TLS, no account without either."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import daemons
import pymysql
import pytest

from sim2seq.store import store

DOCUMENT = Path(__file__).parents[1] / "docs" / "cluster.md"
HOST = "127.0.0.1"  # the only name in the server's certificate
PASSWORD = "p@ss/w:rd"
ROOT_PASSWORD = "of root"


@dataclass(frozen=True)
class Server:
    """A running server, and the document's blocks with its names."""

    folder: Path
    port: int

    def documented(self, title: str) -> str:
        """The block of docs/cluster.md whose first line is this title."""
        (found,) = re.findall(rf"^```\w*\n[#-]+ {re.escape(title)}\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)
        names = {"DNS:login1.example.org": f"IP:{HOST}", "login1.example.org": f"{HOST}:{self.port}", "3306": self.port}
        for theirs, ours in (names | {"0.0.0.0": HOST, "/home/me/broker": self.folder}).items():
            found = found.replace(theirs, str(ours))
        return found

    def query(self, *statements: str) -> list:
        """What the last of these statements gives, said by the administrator."""
        socket = str(self.folder / "socket")
        options = {"user": "root", "password": ROOT_PASSWORD, "autocommit": True}
        with pymysql.connect(unix_socket=socket, **options) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def make_database(self, name: str) -> None:
        words = self.documented("the study's database").replace("study", name).replace("PASSWORD", PASSWORD)
        words = words.replace("sim2seq@", f"{name}@")
        self.query(*filter(str.strip, words.split(";")))

    def url_file(self, path: Path, database: str, **other) -> Path:
        """The document's file that names this database; `other` words in the place of its own."""
        words = self.documented("study.url").replace("/study", f"/{database}").replace("sim2seq:", f"{database}:")
        words = words.replace("PASSWORD", "p%40ss%2Fw%3Ard")
        for theirs, ours in other.items():
            words = words.replace(theirs, ours)
        path.touch(mode=0o600)
        path.write_text(words)
        return path

    def answers(self) -> bool:
        try:
            return self.query("SELECT 1") == [(1,)]
        except pymysql.MySQLError:
            return False


@pytest.fixture(scope="session")
def database_server(tmp_path_factory):
    """A server of the tests' own; nobody gets in without a password."""
    server = Server(tmp_path_factory.mktemp("mariadb"), daemons.free_port())
    programs = {name: daemons.program(name) for name in ("mariadb-install-db", "mariadbd", "openssl")}
    base = programs["mariadbd"].parent.parent
    common = [f"--basedir={base}", f"--datadir={server.folder / 'data'}", "--innodb-log-file-size=16M"]
    temporary = server.folder / "tmp"  # a server that starts deletes what others have in its own
    temporary.mkdir()
    env = daemons.environment() | {"TMPDIR": str(temporary)}
    make = [programs["mariadb-install-db"], "--no-defaults", "--auth-root-authentication-method=normal", *common]
    for command in (make, ["sh", "-ec", server.documented("keys")]):
        done = subprocess.run(command, cwd=server.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    (server.folder / "my.cnf").write_text(server.documented("my.cnf"))
    first = server.folder / "first.sql"
    first.touch(mode=0o600)
    first.write_text(
        "DELETE FROM mysql.global_priv WHERE User = '' OR Host <> 'localhost';\nFLUSH PRIVILEGES;\n"
        f"ALTER USER root@localhost IDENTIFIED BY '{ROOT_PASSWORD}';\n"
    )
    options = [f"--socket={server.folder / 'socket'}", f"--init-file={first}", "--user=root", *common]
    command = [programs["mariadbd"], f"--defaults-file={server.folder / 'my.cnf'}", *options]
    with daemons.running(command, server.answers, folder=server.folder, env=env):
        yield server


@pytest.fixture(scope="session")
def database_with_store(database_server):
    """A server with a store without runs in its database `study`, and the ids of what Kosh put there."""
    database_server.make_database("study")
    assert store.create(database_server.url_file(database_server.folder / "study.url", "study")) is True
    return database_server, [name for (name,) in database_server.query("SELECT id FROM study.Record")]


@pytest.fixture
def database_store(database_with_store, tmp_path):
    """The file that names a store in MariaDB, without runs."""
    server, ids = database_with_store
    server.query(f"DELETE FROM study.Record WHERE id NOT IN ({', '.join(map(repr, ids))})")
    return server.url_file(tmp_path / "store.url", "study")
