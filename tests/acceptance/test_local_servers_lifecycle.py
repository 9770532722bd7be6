"""The embedded servers as processes: who starts them, who keeps them, what is left when anyone is killed."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from deploy.local import processes
from deploy.local.access import read_access
from deploy.local.clean import clean
from deploy.local.data_dir import DataDir, Record
from deploy.local.home import find_home
from deploy.local.postgres import Postgres
from deploy.local.programs import find_programs
from deploy.local.server import free_port
from deploy.local.valkey import Valkey
from engine.errors import Unavailable

REPOSITORY = Path(__file__).parents[2]
ROOT = os.geteuid() == 0
#: Seconds that anything may take.
PATIENCE = 60

#: A Python, and the environment that it needs.
Python: TypeAlias = tuple[str, dict[str, str]]

#: A user of the servers: says where they are, and leaves when its standard input ends.
USER = """
import sys
from pathlib import Path
from deploy.local.servers import local_servers
from engine.errors import CadenzaError
from engine.settings import Settings
try:
    with local_servers(Settings(_env_file=None, data_dir=Path(sys.argv[1]))) as settings:
        print(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value(), flush=True)
        sys.stdin.read()
except CadenzaError as error:
    sys.exit(f"error: {error}")
"""


class User:
    """A process that uses the servers of a data folder, in a session of its own."""

    def __init__(self, data_dir: Path, *before: str, python: str = sys.executable, **options: object) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(  # type: ignore[call-overload]
            [*before, python, "-c", USER, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            start_new_session=True,
            **options,
        )

    def joined(self) -> tuple[str, str]:
        """Wait until the servers are there, and give their URLs."""
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        database_url, redis_url = line.split()
        return database_url, redis_url

    def leave(self) -> None:
        """Have it end by itself."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        assert (self.process.returncode, errors) == (0, "")

    def refused(self) -> str:
        """What it says when it fails: one line."""
        said, errors = self.process.communicate(timeout=PATIENCE)
        assert (self.process.returncode, said) == (1, "")
        assert errors.startswith("error: "), errors
        assert errors.count("\n") == 1, errors
        return str(errors)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate(timeout=PATIENCE)


@dataclass
class Lab:
    """A folder for data folders, that others may pass through, and the users of this test."""

    folder: Path
    users: list[User] = field(default_factory=list)
    data_dirs: set[Path] = field(default_factory=set)

    @property
    def data_dir(self) -> Path:
        """The data folder of a test that needs but one."""
        return self.folder / "data"

    def user(self, data_dir: Path | None = None, *before: str, **options: object) -> User:
        """Start a user."""
        user = User(data_dir or self.data_dir, *before, **options)  # type: ignore[arg-type]
        self.users.append(user)
        self.data_dirs.add(user.data_dir)
        return user

    def record(self, data_dir: Path | None = None) -> Record:
        """What is written of the servers that run."""
        record = DataDir(data_dir or self.data_dir).read_record()
        assert record is not None
        return record


@pytest.fixture
def lab() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="cadenza-lab-") as folder:
        Path(folder).chmod(0o711 if ROOT else 0o700)
        lab = Lab(Path(folder).resolve())
        yield lab
        for user in lab.users:
            user.kill()
        for data_dir in lab.data_dirs:
            clean(data_dir)  # it refuses if anyone were still there


@pytest.fixture(scope="module")
def reachable_python() -> Iterator[Python]:
    """A Python that any user can run; as an ordinary user our own."""
    if not ROOT:
        yield sys.executable, dict(os.environ)
        return
    with tempfile.TemporaryDirectory(prefix="cadenza-python-") as folder:
        Path(folder).chmod(0o711)
        yield put_python_together(Path(folder))


def put_python_together(folder: Path) -> Python:
    """Put together a Python with our packages, by links where possible: the real one may lie below /root."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base, made = Path(sys.base_prefix), folder / "python"
    site = Path(psycopg.__file__).parents[1]
    skipped = shutil.ignore_patterns("site-packages", "test", "__pycache__")
    shutil.copytree(base / "lib" / name, made / "lib" / name, copy_function=link, ignore=skipped)
    shutil.copytree(site, made / "site", copy_function=link, ignore=skipped)
    for package in ("deploy", "engine"):
        shutil.copytree(REPOSITORY / package, made / "site" / package, copy_function=link, ignore=skipped)
    for library in (base / "lib").glob("libpython*.so*"):
        link(str(library), str(made / "lib" / library.name))
    made.joinpath("bin").mkdir()
    link(str(Path(sys.executable).resolve()), str(made / "bin" / name))
    for path in (made, *made.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    servers = {name: value for name, value in os.environ.items() if name.startswith("CADENZA_LOCAL_")}
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(made / "site"),
        "LD_LIBRARY_PATH": str(made / "lib"),
        **servers,
    }
    return str(made / "bin" / name), environment


def link(source: str, target: str) -> None:
    mode = Path(source).stat().st_mode
    if mode & 0o004:
        with suppress(OSError):  # another file system
            Path(target).hardlink_to(Path(source).resolve())
            return
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if mode & 0o100 else 0o644)


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, "that took too long"
        time.sleep(0.05)


def running(record: Record) -> list[int]:
    pids = (record.guardian_pid, record.postgres_pid, record.valkey_pid)
    return [pid for pid in pids if processes.is_running(pid)]


def write(urls: tuple[str, str], note: str) -> None:
    with psycopg.connect(urls[0]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (note text)")
        connection.execute("INSERT INTO notes VALUES (%s)", (note,))
    with redis.Redis.from_url(urls[1]) as client:
        client.rpush("notes", note)


def read(urls: tuple[str, str]) -> tuple[list[str], list[str]]:
    with psycopg.connect(urls[0]) as connection:
        rows = connection.execute("SELECT note FROM notes ORDER BY note").fetchall()
    with redis.Redis.from_url(urls[1]) as client:
        notes = client.lrange("notes", 0, -1)
    return [row[0] for row in rows], sorted(note.decode() for note in notes)


def answers(urls: tuple[str, str]) -> bool:
    try:
        read(urls)
    except (psycopg.OperationalError, redis.RedisError):
        return False
    return True


def test_nothing_is_left_running_and_the_data_stay(lab: Lab) -> None:
    first = lab.user()
    urls = first.joined()
    write(urls, "kept")
    record = lab.record()
    assert len(running(record)) == 3
    first.leave()
    assert running(record) == []
    assert not lab.data_dir.joinpath("servers.json").exists()

    again = lab.user()
    assert again.joined() == urls  # the same passwords, and the same ports while they are free
    assert read(urls) == (["kept"], ["kept"])
    again.leave()


def test_a_second_user_finds_the_servers_and_the_last_one_ends_them(lab: Lab) -> None:
    first, second = lab.user(), lab.user()
    urls = first.joined()
    assert second.joined() == urls
    write(urls, "shared")
    record = lab.record()
    first.leave()
    assert len(running(record)) == 3
    assert read(urls) == (["shared"], ["shared"])
    second.leave()
    eventually(lambda: running(record) == [])


def test_many_starting_at_once_share_one_set(lab: Lab) -> None:
    users = [lab.user() for _ in range(5)]
    assert len({user.joined() for user in users}) == 1
    assert lab.data_dir.joinpath("guardian.log").read_text().count("listens at") == 1
    for user in users:
        user.leave()


def test_users_coming_and_going_never_meet_a_stopping_server(lab: Lab) -> None:
    for _ in range(2):
        leaving = lab.user()
        leaving.joined()
        leaving.process.stdin.close()
        leaving.process.stdin = None
        following = lab.user()
        urls = following.joined()
        write(urls, "there")
        leaving.leave()
        assert answers(urls)
        following.leave()


def test_killing_the_only_user_ends_the_servers(lab: Lab) -> None:
    user = lab.user()
    user.joined()
    record = lab.record()
    user.kill()
    eventually(lambda: running(record) == [])
    eventually(lambda: not lab.data_dir.joinpath("servers.json").exists())


def test_killing_the_user_while_it_starts_the_servers_ends_them(lab: Lab) -> None:
    user = lab.user()
    eventually(lambda: lab.data_dir.joinpath("valkey.log").exists())
    user.kill()
    eventually(lambda: "stopped" in lab.data_dir.joinpath("guardian.log").read_text())
    after = lab.user()
    write(after.joined(), "fine")
    after.leave()


def test_an_interrupt_from_the_terminal_reaches_the_user_only(lab: Lab) -> None:
    interrupted, other = lab.user(), lab.user()
    urls = interrupted.joined()
    assert other.joined() == urls
    write(urls, "safe")
    record = lab.record()
    os.killpg(interrupted.process.pid, signal.SIGINT)
    interrupted.process.communicate(timeout=PATIENCE)
    assert len(running(record)) == 3
    assert read(urls) == (["safe"], ["safe"])

    os.killpg(other.process.pid, signal.SIGINT)
    other.process.communicate(timeout=PATIENCE)
    eventually(lambda: running(record) == [])


def test_after_the_guardian_is_killed_the_next_start_cleans_up(lab: Lab) -> None:
    first = lab.user()
    write(first.joined(), "before")
    record = lab.record()
    os.kill(record.guardian_pid, signal.SIGKILL)

    second = lab.user()
    urls = second.joined()
    assert read(urls) == (["before"], ["before"])
    assert running(record) == []
    assert lab.record().guardian_pid != record.guardian_pid
    second.leave()  # the first one is still there, so the servers are
    assert read(urls) == (["before"], ["before"])
    now = lab.record()
    first.leave()
    eventually(lambda: running(now) == [])


def test_asking_the_guardian_to_end_ends_the_servers(lab: Lab) -> None:
    user = lab.user()
    user.joined()
    record = lab.record()
    os.kill(record.guardian_pid, signal.SIGTERM)
    eventually(lambda: running(record) == [])
    following = lab.user()
    write(following.joined(), "again")
    following.leave()
    user.leave()


def test_orphans_are_ended_before_a_new_start(lab: Lab) -> None:
    user = lab.user()
    write(user.joined(), "old")
    user.leave()
    orphans = start_without_guardian(lab.data_dir)
    try:
        following = lab.user()
        assert read(following.joined()) == (["old"], ["old"])
        assert [processes.is_running(orphan.pid) for orphan in orphans] == [False, False]
        following.leave()
    finally:
        for orphan in orphans:
            orphan.kill()
            orphan.wait()


def test_clean_ends_orphans_too(lab: Lab) -> None:
    user = lab.user()
    user.joined()
    user.leave()
    orphans = start_without_guardian(lab.data_dir)
    try:
        clean(lab.data_dir)
        assert [processes.is_running(orphan.pid) for orphan in orphans] == [False, False]
    finally:
        for orphan in orphans:
            orphan.kill()
            orphan.wait()


def start_without_guardian(data_dir: Path) -> list[subprocess.Popen[bytes]]:
    """Run both servers as children of the test, where nobody looks after them."""
    home = find_home(DataDir(data_dir))
    access = read_access(home)
    programs, version = find_programs(home)
    servers = (
        Postgres(home, data_dir / "orphan.log", access, programs, version),
        Valkey(home, data_dir / "orphan.log", access, programs),
    )
    started = []
    for server in servers:
        server.port = free_port(0)
        with (data_dir / "orphan.log").open("ab") as log:
            orphan = subprocess.Popen(server.prepare(), stdout=log, stderr=log, cwd="/", **home.account.identity)
        started.append(orphan)
        eventually(lambda server=server, orphan=orphan: server.answers(orphan.pid))  # type: ignore[misc]
    return started


@pytest.mark.parametrize("zombie", [False, True])
def test_a_pid_file_that_names_another_process_does_no_harm(lab: Lab, zombie: bool) -> None:
    user = lab.user()
    write(user.joined(), "kept")
    pid_file = lab.data_dir / "postgres/postmaster.pid"
    text = pid_file.read_text()
    user.leave()

    home = find_home(DataDir(lab.data_dir))
    with subprocess.Popen(["/bin/sleep", "600"], cwd="/", **home.account.identity) as stranger:
        try:
            if zombie:
                stranger.send_signal(signal.SIGKILL)
                eventually(lambda: not processes.is_running(stranger.pid))
            pid_file.write_text("\n".join([str(stranger.pid), *text.split("\n")[1:]]))
            home.account.give(pid_file, 0o600)
            following = lab.user()
            assert read(following.joined()) == (["kept"], ["kept"])
            following.leave()
            assert zombie or stranger.poll() is None
        finally:
            stranger.kill()


def test_two_data_folders_do_not_meet(lab: Lab) -> None:
    one, two = lab.user(lab.folder / "one"), lab.user(lab.folder / "two")
    urls = (one.joined(), two.joined())
    write(urls[0], "one")
    write(urls[1], "two")
    assert (read(urls[0]), read(urls[1])) == ((["one"], ["one"]), (["two"], ["two"]))
    one.leave()
    assert read(urls[1]) == (["two"], ["two"])
    two.leave()


@pytest.mark.parametrize("name", ["postgres_pid", "valkey_pid"])
def test_a_server_that_dies_is_started_again_where_it_was(lab: Lab, name: str) -> None:
    user = lab.user()
    urls = user.joined()
    write(urls, "survives")
    killed = getattr(lab.record(), name)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: getattr(lab.record(), name) != killed and answers(urls))
    assert read(urls) == (["survives"], ["survives"])
    assert "is started again" in lab.data_dir.joinpath("guardian.log").read_text()
    record = lab.record()
    user.leave()
    assert running(record) == []


def test_deleting_the_data_folder_ends_the_servers(lab: Lab) -> None:
    user = lab.user()
    user.joined()
    record = lab.record()
    shutil.rmtree(lab.data_dir, ignore_errors=True)
    shutil.rmtree(lab.data_dir, ignore_errors=True)  # what the servers have written meanwhile
    eventually(lambda: running(record) == [])
    user.leave()


def test_below_a_folder_that_nobody_else_may_enter(lab: Lab) -> None:
    closed = lab.folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "clone").mkdir(mode=0o750)
    parents = [closed / "clone", *closed.joinpath("clone").parents]
    before = {parent: stat.S_IMODE(parent.stat().st_mode) for parent in parents}
    data_dir = closed / "clone/.cadenza"

    user = lab.user(data_dir)
    write(user.joined(), "reached")
    record = lab.record(data_dir)
    assert (Path(record.folder) == data_dir) == (not ROOT)
    user.leave()
    following = lab.user(data_dir)
    assert read(following.joined()) == (["reached"], ["reached"])
    following.leave()

    assert {parent: stat.S_IMODE(parent.stat().st_mode) for parent in parents} == before
    clean(data_dir)
    assert not data_dir.exists()
    assert not Path(record.folder).exists()


def test_a_stand_in_made_by_somebody_else_is_refused(lab: Lab) -> None:
    closed = lab.folder / "closed"
    closed.mkdir(mode=0o700)
    user = lab.user(closed / "data")
    user.joined()
    folder = Path(lab.record(closed / "data").folder)
    user.leave()
    folder.chmod(0o777)
    if ROOT:
        assert "was made by somebody else" in lab.user(closed / "data").refused()
    folder.chmod(0o711)


def test_an_ordinary_user_needs_nothing_of_root(lab: Lab, reachable_python: Python) -> None:
    if not ROOT:
        user = lab.user()
        write(user.joined(), "mine")
        assert lab.data_dir.stat().st_uid == os.geteuid()
        user.leave()
        return
    nobody = pwd.getpwnam("nobody")
    python, environment = reachable_python
    own = lab.folder / "own"
    own.mkdir(mode=0o700)
    os.chown(own, nobody.pw_uid, nobody.pw_gid)
    options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "env": environment, "python": python}
    user = lab.user(own / "data", **options)
    write(user.joined(), "mine")
    record = lab.record(own / "data")
    assert record.folder == str(own / "data")
    assert {path.owner() for path in own.rglob("*")} == {"nobody"}
    assert {
        stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (own / "data").iterdir() if path.suffix != ".txt"
    } == {0}
    user.leave()
    assert running(record) == []

    as_root = lab.user(own / "data")
    assert read(as_root.joined()) == (["mine"], ["mine"])
    as_root.leave()
    user = lab.user(own / "data", **options)
    assert read(user.joined()) == (["mine"], ["mine"])
    user.leave()


def test_a_folder_of_another_user_is_refused(lab: Lab, reachable_python: Python) -> None:
    if not ROOT:
        foreign = Path("/")
        assert "can't be used" in lab.user(foreign).refused()
        lab.data_dirs.clear()
        return
    nobody = pwd.getpwnam("nobody")
    python, environment = reachable_python
    lab.user().joined()
    refused = lab.user(
        user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], env=environment, python=python
    ).refused()
    assert "it belongs to root" in refused


def test_a_full_disk_is_one_clear_line(lab: Lab) -> None:
    refused = lab.user(None, "/bin/sh", "-c", 'ulimit -f 1000; exec "$@"', "sh").refused()
    assert "could not write" in refused
    assert str(lab.data_dir / "postgres.log") in refused
    after = lab.user()
    write(after.joined(), "room again")
    after.leave()


def test_data_of_another_version_are_refused(lab: Lab) -> None:
    user = lab.user()
    user.joined()
    user.leave()
    version = lab.data_dir / "postgres/PG_VERSION"
    version.write_text("9\n")
    refused = lab.user().refused()
    assert f"{lab.data_dir}/postgres was made by Postgres 9" in refused
    assert "make clean" in refused


def test_data_without_their_passwords_are_refused(lab: Lab) -> None:
    user = lab.user()
    user.joined()
    user.leave()
    lab.data_dir.joinpath("access.json").unlink()
    assert f"{lab.data_dir}/access.json" in lab.user().refused()


def test_a_port_that_is_taken_is_left_to_its_owner(lab: Lab) -> None:
    user = lab.user()
    urls = user.joined()
    user.leave()
    ports = [urlsplit(url).port for url in urls]
    with socket.create_server(("127.0.0.1", ports[0])), socket.create_server(("127.0.0.1", ports[1])):
        following = lab.user()
        write(following.joined(), "elsewhere")
        following.leave()


def test_programs_that_only_we_can_reach(lab: Lab) -> None:
    closed = lab.folder / "closed"
    closed.mkdir(mode=0o700)
    python, environment = put_python_together(closed)
    for data_dir in (lab.data_dir, closed / "data"):
        user = lab.user(data_dir, python=python, env=environment)
        write(user.joined(), "works")
        command = processes.command_of(lab.record(data_dir).postgres_pid)
        assert command.startswith(str(closed)) == (not ROOT)
        user.leave()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_clean_refuses_while_in_use_and_deletes_afterwards(lab: Lab) -> None:
    user = lab.user()
    urls = user.joined()
    command = [sys.executable, "-m", "deploy.local.clean", str(lab.data_dir)]
    refused = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert refused.returncode == 1
    assert refused.stderr == f"error: {lab.data_dir} is in use: end what runs on it first\n"
    write(urls, "unharmed")
    user.leave()
    subprocess.run(command, cwd="/", timeout=PATIENCE, check=True)
    assert not lab.data_dir.exists()
    subprocess.run(command, cwd="/", timeout=PATIENCE, check=True)


def test_clean_leaves_what_is_not_ours(lab: Lab) -> None:
    lab.data_dir.mkdir()
    lab.data_dir.chmod(0o711)
    theirs = lab.data_dir / "theirs.txt"
    theirs.write_text("precious")
    user = lab.user()
    user.joined()
    user.leave()
    clean(lab.data_dir)
    assert list(lab.data_dir.iterdir()) == [theirs]


def test_passwords_are_nowhere_to_be_seen(lab: Lab) -> None:
    user = lab.user()
    urls = user.joined()
    record = lab.record()
    access = read_access(find_home(DataDir(lab.data_dir)))
    commands = [processes.command_of(pid) for pid in running(record)]
    assert len(commands) == 3
    for password in (access.postgres_password, access.valkey_password):
        assert not any(password in command for command in commands)
        for path in lab.data_dir.iterdir():
            if path.is_file() and password in path.read_text():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(urls[0].replace(access.postgres_password, "guess"))
    guessed = urls[1].replace(access.valkey_password, "guess")
    with redis.Redis.from_url(guessed) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    user.leave()


def test_clean_says_when_it_can_not(lab: Lab) -> None:
    with pytest.raises(Unavailable, match="can't be deleted"):
        clean(Path("/dev/null/data"))
