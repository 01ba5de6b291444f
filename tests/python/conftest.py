# SPDX-License-Identifier: MIT
"""Where the importer and the oracles are, and the closing line of the report."""
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "weights"), str(ROOT / "tests" / "oracle")]


@pytest.fixture(autouse=True)
def _fixed_random_numbers() -> None:
    torch.manual_seed(20)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Written after pytest's own summary, so that it is the last line."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.stats:
        return
    count = {name: len(reporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    print(f"{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped")
