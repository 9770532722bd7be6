"""Work that goes on whatever fails meanwhile."""

from threading import Event

import pytest

from workers.loop import Loop


def test_it_goes_on_after_any_failure(capsys: pytest.CaptureFixture[str]) -> None:
    turns: list[int] = []
    done = Event()

    def turn(_stop: Event) -> float:
        turns.append(len(turns))
        if len(turns) == 1:
            raise KeyError("nobody expected this")
        done.set()
        return 60.0

    loop = Loop("work", turn)
    assert done.wait(60)
    loop.stop()
    assert turns == [0, 1]
    assert "nobody expected this" in capsys.readouterr().out
