"""The packages are the repository's own, and its files name no machine and no package index."""

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schema", "engine", "producers", "workers", "deploy")

#: What is made here and never committed (.gitignore).
NOT_OURS = re.compile(
    r"\.git|\.venv.*|\.cadenza|__pycache__|.*\.egg-info|\..*_cache|\.hypothesis|build|bench\.json|\.env"
)

#: Addresses of package indexes, and the options that name one; written so that this file has none of them.
INDEX = re.compile(r"pypi\.or[g]|pythonhosted\.or[g]|-index-ur[l]|find-link[s]|--trusted-hos[t]|devp[i]|artifactor[y]")

#: Where something lies on somebody's machine.
MACHINE = re.compile(r"(?<![\w.])/(?:hom[e]|User[s]|roo[t]|wor[k]|opt/whee[l]s)/|\.pyen[v]")


def files(folder: Path = ROOT) -> Iterator[Path]:
    """All files that may be committed."""
    for path in sorted(folder.iterdir()):
        if NOT_OURS.fullmatch(path.name) or path.is_symlink():
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def offences(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in files():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_the_repositorys_own(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__file__ is not None
    assert Path(package.__file__).resolve() == (ROOT / name / "__init__.py").resolve()


def test_all_packages_are_installed_and_no_others() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    include = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert include == [f"{name}*" for name in PACKAGES]
    assert sorted(path.parent.name for path in ROOT.glob("*/__init__.py")) == sorted(PACKAGES)


def test_no_file_names_a_package_index() -> None:
    assert offences(INDEX) == []


def test_no_file_names_a_place_on_a_machine() -> None:
    assert offences(MACHINE) == []


def normal(requirement: str) -> str:
    """The name of a distribution that a requirement is about."""
    return re.split(r"[\[<>=!~;, (]", requirement)[0].lower().replace("_", "-")


def imported(package: str) -> Iterator[tuple[str, Path]]:
    """What a package imports that is neither its own nor the standard library's."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module]
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - set(PACKAGES):
                yield name, path.relative_to(ROOT)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_is_a_dependency_or_comes_with_one(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {normal(requirement) for requirement in project["dependencies"]}
    for_bench = set()
    if package == "deploy":
        asked |= {normal(requirement) for requirement in project["optional-dependencies"]["local"]}
        for_bench = {normal(requirement) for requirement in project["optional-dependencies"]["bench"]}
    come_along = {normal(requirement) for name in asked for requirement in requires(name) or []}
    provided = packages_distributions()
    missing = {
        f"{name} in {path}"
        for name, path in imported(package)
        if not {normal(found) for found in provided.get(name, ())} & (asked | come_along)
        and name not in for_bench  # they are installed by `make bench` alone
    }
    assert missing == set()


def test_every_dependency_is_pinned_by_name_and_version() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9][\w.\-]*==[\w.!+]+", pin)] == []
    pinned = {normal(pin) for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["local"],
        *project["project"]["optional-dependencies"]["dev"],
        *project["project"]["optional-dependencies"]["bench"],
    ]
    assert {normal(requirement) for requirement in asked} - pinned == set()
