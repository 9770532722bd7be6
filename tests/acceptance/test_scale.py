"""`make scale`, tried out: one database grows, everything is measured at each size, and what was found is told."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.scale.__main__ import main
from deploy.scale.sequences import SHARES


def test_everything_is_measured_at_each_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, plot = tmp_path / "scale.json", tmp_path / "scale.svg"
    assert main(["--quick", "--output", str(output), "--plot", str(plot)]) == 0
    found = json.loads(output.read_text())
    assert [size["rows"] for size in found["sizes"]] == [5_000, 20_000]
    measures = [one["measure"] for one in found["growth"]]
    for name in ("enroll", "claim 1", "claim 100", "settle 100", "sweep", "status", "explain", "migrate 100"):
        assert name in measures
    for size in found["sizes"]:
        assert [cost["measure"] for cost in size["costs"]] == measures
        assert all(cost["cpu_ms"] > 0 and cost["pages"] > 0 and cost["p50_ms"] > 0 for cost in size["costs"])
        tables = {table["name"]: table["rows"] for table in size["storage"]["tables"]}
        assert tables["outbox"] >= size["rows"]
        assert tables["attempt_records"] > size["rows"] / 2
        assert all(1 <= index["levels"] <= 4 for index in size["storage"]["indexes"])
        assert size["storage"]["redis_bytes_per_wakeup"] > 0
    drawn = ElementTree.fromstring(plot.read_text())  # noqa: S314 (we have written it)
    lines = drawn.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(measures)
    shown = capsys.readouterr().out
    assert "20,000 rows" in shown
    assert "outbox_pkey" in shown


def test_the_shares_are_all_of_it() -> None:
    assert sum(share.percent for share in SHARES) == 100
