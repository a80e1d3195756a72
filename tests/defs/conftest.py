"""A home in which the catalog and three batches really ran, copies of it to damage, and `tds` as a process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from tdscaling_assets.defs import run
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.attach import attach, connect
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.tables import TABLES

ROOT = Path(__file__).parents[2]
SETTINGS = {"TDS_SANDBOX": "bubblewrap", "TDS_BATCH_SIZE": "24", "TDS_BOOTSTRAP": "20"}

Tds = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True, scope="module")
def clean_environment() -> Iterator[None]:
    """Only the settings of these tests, and no Dagster home but the one that a test opens."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_environment(monkeypatch)
        yield


@pytest.fixture(scope="session")
def young(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Catalog, r01-b01 and r01-b02. Read it; copy it before you change it."""
    home = tmp_path_factory.mktemp("young") / "home"
    with built_in(home) as instance:
        run.run_catalog(instance, {"home": str(home)})
        for _ in range(2):
            run.run_next_batch(instance, settings_of(home), {"home": str(home)})
    return home


@pytest.fixture(scope="session")
def home(young: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The young home a round later: r02-b01 as well."""
    home = tmp_path_factory.mktemp("old") / "home"
    shutil.copytree(young, home)
    with built_in(home) as instance:
        run.run_next_round(instance, settings_of(home), {"home": str(home)})
    return home


@pytest.fixture
def young_copy(young: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(young, tmp_path / "home"))


@pytest.fixture
def home_copy(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home, tmp_path / "home"))


@pytest.fixture(scope="session")
def tds() -> Iterator[Tds]:
    """Starts `tds` with arguments and environment; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("tds")), *arguments],
            env={**plain_environment(), **SETTINGS, "TDS_HOME": str(home), **environment},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def read_tables() -> Callable[[Path], dict[str, pl.DataFrame]]:
    return read_all


@pytest.fixture(scope="session")
def change_lake() -> Callable[[Path, str], None]:
    """Run SQL on the lake of a home behind the system's back."""

    def change(home: Path, sql: str) -> None:
        settings = settings_of(home)
        with connect(settings) as connection:
            attach(connection, settings, read_only=False)
            connection.execute(sql)

    return change


@pytest.fixture(scope="session")
def open_instance() -> Iterator[Callable[[Path], dg.DagsterInstance]]:
    """Opens the Dagster instance of a home, once each."""
    with ExitStack() as stack:

        @cache
        def open_it(home: Path) -> dg.DagsterInstance:
            folder = home / "dagster"
            folder.mkdir(parents=True, exist_ok=True)
            return stack.enter_context(dg.DagsterInstance.from_config(str(folder)))

        yield open_it


def settings_of(home: Path) -> Settings:
    return Settings(home=home, batch_size=24, bootstrap=20, sandbox="bubblewrap", catalog="", lake_data="")


def plain_environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TDS_", "DAGSTER_"))}


def set_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", "")  # so that what a test sets is undone
    monkeypatch.delenv("DAGSTER_HOME")
    monkeypatch.chdir(ROOT)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def read_all(home: Path) -> dict[str, pl.DataFrame]:
    """Every table, without the one figure that no seed decides: how long a model took."""
    with Lake.open(settings_of(home), read_only=True) as lake:
        tables = {table: lake.read(table) for table in TABLES}
    for name in ("raw_trajectories", "filtered_trajectories"):
        rest = pl.col("usage").struct.with_fields(seconds=pl.lit(0.0))
        tables[name] = tables[name].with_columns(rest)
    return tables


@contextmanager
def built_in(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of a home, in the environment of these tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_environment(monkeypatch)
        with run.open_instance(settings_of(home)) as instance:
            yield instance
