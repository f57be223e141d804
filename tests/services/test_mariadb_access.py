"""Who gets into a database, and what a store may be made of: one line says what does not fit, without the password."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pymysql
import pytest
from databases import PASSWORD
from runs import address, content
from sqlalchemy import text

from sim2seq.store import database, mariadb, store

ROOT = Path(__file__).parents[2]


def script(name, *arguments):
    command = [sys.executable, ROOT / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_many_processes_make_one_store_and_hide_the_password(database_with_store, tmp_path):
    server, _ = database_with_store
    server.make_database("study_many")
    path = server.url_file(tmp_path / "study.url", "study_many")
    command, seen = [sys.executable, ROOT / "create_store.py", path], set()
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    while any(process.poll() is None for process in processes):
        for process in psutil.Process().children(recursive=True):
            try:
                seen |= {*process.cmdline(), *process.environ().values()}
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        time.sleep(0.02)
    assert [process.returncode for process in processes] == [0] * 3
    assert sum("created" in process.communicate()[0] for process in processes) == 1
    assert any("kosh.connect" in word for word in seen)
    assert not [word for word in seen if PASSWORD in word or "p%40ss" in word]
    assert store.run_ids(path) == []


def test_a_store_half_made_is_completed(database_with_store, tmp_path):
    server, _ = database_with_store
    server.make_database("study_half")
    path = server.url_file(tmp_path / "study.url", "study_half")
    with pytest.raises(store.StoreError, match=r"the database has no store, make it with `sim2seq create"):
        store.connect(path)
    with closing(database.Database(path, database.read_url(path))) as connection:
        mariadb.make_tables(connection)
    server.query("DROP TABLE study_half.Document")  # as if its maker had been killed just before
    assert [store.create(path), store.create(path)] == [True, False]


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["CREATE TABLE {}.Record (id INT PRIMARY KEY)"], "not a Kosh store .table Record: expected columns"),
        (
            ["CREATE TABLE {0}.Record LIKE study.Record", "INSERT INTO {0}.Record VALUES ('a', 'b', '{{}}')"],
            "but not a",
        ),
        (
            ["CREATE TABLE {0}.Record LIKE study.Record", "ALTER TABLE {0}.Record CONVERT TO CHARACTER SET latin1"],
            "expected the collation utf8mb4_nopad_bin, got .'latin1_swedish_ci'.",
        ),
    ],
)
def test_tables_that_are_no_store_are_refused_untouched(database_with_store, tmp_path, statements, said):
    server, _ = database_with_store
    name = f"study_{abs(hash(said)) % 10**6}"
    server.make_database(name)
    server.query(*(statement.format(name) for statement in statements))
    path = server.url_file(tmp_path / "study.url", name)
    before = content(path)
    with pytest.raises(store.StoreError, match=said):
        store.create(path)
    assert content(path) == before


def test_tables_of_plain_sina_are_refused_for_their_collation(database_with_store, tmp_path):
    import sina

    server, _ = database_with_store
    server.make_database("study_plain")
    server.query("ALTER DATABASE study_plain CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    path = server.url_file(tmp_path / "study.url", "study_plain")
    sina.connect(address(path)).close()
    with pytest.raises(store.StoreError, match="expected the collation utf8mb4_nopad_bin"):
        store.create(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_or_change_is_refused(database_store, mode):
    database_store.chmod(mode)
    done = script("create_store.py", database_store)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"chmod 600 {database_store}" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"p%40ss%2Fw%3Ard": "p%40ss%2Fwrong"}, "Access denied"),
        ({"p%40ss%2Fw%3Ard": PASSWORD}, "in the password %40 for @"),
        ({"mariadb+pymysql": "postgresql"}, r"expected one line mariadb\+pymysql://"),
        ({"mariadb+pymysql://": "mariadb+pymysql:/"}, "expected one line"),
        ({"/study": "/"}, "expected one line"),
        ({"mariadb": "two lines\nmariadb"}, "expected one line"),
        ({"/study": "/no_such_study"}, "Access denied"),
        ({"127.0.0.1:": "127.0.0.1:1"}, "cannot connect"),
        ({"?ssl_ca": "?sslca"}, "unexpected keyword argument 'sslca'"),
        ({"ca.pem": "server.pem"}, "CERTIFICATE_VERIFY_FAILED|certificate verify failed"),
        ({"ca.pem": "no.pem"}, "No such file"),
        ({"127.0.0.1": "localhost"}, "[Hh]ostname mismatch"),
        ({"?ssl_ca=": "?ssl_disabled="}, "secure transport|Access denied"),
    ],
)
def test_a_url_that_does_not_fit_is_refused_without_password(database_with_store, tmp_path, words, said):
    server, _ = database_with_store
    path = server.url_file(tmp_path / "study.url", "study", **words)
    with pytest.raises(store.StoreError, match=said) as refused:
        store.connect(path)
    whole = str(refused.value) + str(refused.value.__cause__) + str(refused.value.__context__)
    assert "\n" not in str(refused.value)
    assert not [secret for secret in (PASSWORD, "ss/w", "ss%2Fw") if secret in whole]


def test_the_connection_is_encrypted_and_commits_each_call(database_store):
    with closing(store.connect(database_store)) as opened_store:
        ask = opened_store.connection.execute
        assert ask(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1]
        assert ask(text("SELECT @@innodb_flush_log_at_trx_commit, @@tx_isolation")).one() == (1, "READ-COMMITTED")


def test_nobody_gets_in_without_a_password(database_server):
    for user in ("root", "", "sim2seq", "study"):
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            pymysql.connect(unix_socket=str(database_server.folder / "socket"), user=user or "nobody")


def test_a_password_may_stand_in_a_file_of_its_own(database_with_store, tmp_path):
    server, _ = database_with_store
    other = tmp_path / "study.cnf"
    other.touch(mode=0o600)
    other.write_text(f"[client]\npassword = {PASSWORD}\n")
    words = {":p%40ss%2Fw%3Ard": "", "?": f"?read_default_file={other}&"}
    path = server.url_file(tmp_path / "study.url", "study", **words)
    store.connect(path).close()
    other.chmod(0o644)
    with pytest.raises(store.StoreError, match=f"chmod 600 {other}"):
        store.connect(path)


def test_without_the_driver_the_message_says_what_to_install(database_store):
    code = "import sys; sys.modules['pymysql'] = None; from sim2seq.store import store; store.connect(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, database_store], capture_output=True, text=True, check=False)
    assert "a store in MariaDB needs PyMySQL: ./setup.sh mariadb in sim2seq's clone" in done.stderr
