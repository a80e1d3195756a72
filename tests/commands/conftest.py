"""An environment with only these tests' settings, in a home of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that does not exist yet, named by TDS_HOME; tiny batches."""
    home = tmp_path_factory.mktemp("commands") / "home"
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith("TDS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("DAGSTER_HOME", "")  # so that what a command sets is undone
        monkeypatch.delenv("DAGSTER_HOME")
        monkeypatch.chdir(ROOT)
        monkeypatch.setenv("TDS_HOME", str(home))
        monkeypatch.setenv("TDS_SANDBOX", "bubblewrap")
        monkeypatch.setenv("TDS_BATCH_SIZE", "6")
        monkeypatch.setenv("TDS_BOOTSTRAP", "10")
        yield home
