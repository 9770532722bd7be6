"""The arguments of `make chaos`."""

from pathlib import Path

import pytest

from deploy.chaos.__main__ import main
from deploy.chaos.outcome import Options


@pytest.mark.parametrize("arguments", [["--rows", "0"], ["--seconds", "-1"], ["--seconds", "nan"], ["--seed", "x"]])
def test_nonsense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(arguments)
    assert refusal.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger").touch()
    with pytest.raises(SystemExit) as refusal:
        main(["--keep", str(tmp_path)])
    assert refusal.value.code == 2
    assert "--keep" in capsys.readouterr().err


def test_it_says_how_to_run_the_same_storm_again() -> None:
    command = Options(seed=7, rows=600, seconds=30.0, processes=2).command
    assert command == 'make chaos ARGS="--seed 7 --rows 600 --seconds 30 --processes 2"'
