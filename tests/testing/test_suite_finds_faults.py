"""The suite is worth something only if it fails where something is wrong: each planted fault must be found."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

import planted_faults  # noqa: F401 -- plants its faults
import planted_lies
import planting
from omnistorage.testing import DriverSuite

CAUGHT_BY = planting.CAUGHT_BY
CASES = sorted({case for _, case in CAUGHT_BY.values()})
ROOT = Path(__file__).parents[2]

Outcomes = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Class and case to ``passed``, ``failed``, ``error`` or ``skipped``, from one inner run."""
    report = tmp_path_factory.mktemp("inner") / "report.xml"
    wanted = [f"tests/{file}::{name}::{case}" for name, (file, case) in CAUGHT_BY.items()]
    wanted += [f"tests/planted_faults.py::TestHealthy::{case}" for case in CASES]
    wanted += [f"tests/planted_lies.py::{name}::test_delete" for name in planted_lies.LIMITS]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(
        [*command, f"--junitxml={report}", "--timeout=30", *wanted],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=False,
        timeout=110,
    )
    found: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        key = case.attrib["classname"].rpartition(".")[2], case.attrib["name"]
        # A case that fails and then fails to tidy up is reported twice.
        if found.get(key) != "failed":
            found[key] = _outcome(case)
    return found


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_fault_is_found(outcomes: Outcomes, name: str) -> None:
    """The named case fails for the driver with the fault."""
    assert outcomes[name, CAUGHT_BY[name][1]] == "failed"


@pytest.mark.parametrize("case", CASES)
def test_healthy_driver_passes(outcomes: Outcomes, case: str) -> None:
    """The same case passes, or is skipped for want of a feature, where nothing is wrong."""
    assert outcomes["TestHealthy", case] in ("passed", "skipped")


@pytest.mark.parametrize("name", planted_lies.LIMITS)
def test_limits_are_checked(outcomes: Outcomes, name: str) -> None:
    """A stated limit excuses its case only as long as it is true, and must name a case."""
    assert outcomes[name, "test_delete"] == planted_lies.LIMITS[name]


def test_no_case_hides_another() -> None:
    """Cases of different subjects have different names, or one of them would never run."""
    names = Counter(name for kind in DriverSuite.__mro__ for name in vars(kind) if name.startswith("test_"))

    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 100


def _outcome(case: ElementTree.Element) -> str:
    for kind, word in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
        if case.find(kind) is not None:
            return word
    return "passed"
