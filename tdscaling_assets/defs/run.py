"""Runs of the two jobs from a terminal: on the same Dagster instance as the UI, so they are seen there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from tdscaling_assets.defs import build_defs
from tdscaling_assets.defs.automation import (
    batch_to_run,
    known_batches,
    partitions_name,
    system_config,
    told_before,
    unfinished_run,
)
from tdscaling_assets.defs.evolution import plan_for
from tdscaling_assets.defs.liveness import has_process
from tdscaling_assets.defs.progress import read_decision, read_finished, read_reported
from tdscaling_assets.errors import ConfigError, StorageError
from tdscaling_assets.evolution.keys import newest, next_round
from tdscaling_assets.evolution.plateau import NewRound, Wait
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake

PACKAGE = Path(__file__).resolve().parents[1]
Overrides = Mapping[str, str | int | float | None]


@contextmanager
def instance_errors() -> Iterator[None]:
    """Turn what the instance's database raises, as on a full disk, into one StorageError sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        raise StorageError(f"Dagster cannot keep its records ({reason}): check the disk and DAGSTER_HOME") from error


@instance_errors()
def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance under DAGSTER_HOME, else under the home; its folder and dagster.yaml are made where missing."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster").resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        config = home / "dagster.yaml"
        if not config.exists():
            config.write_text(_instance_config().read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write {home} ({error.strerror}): set TDS_HOME or DAGSTER_HOME to a folder you can write"
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return dg.DagsterInstance.get()


@instance_errors()
def run_catalog(instance: dg.DagsterInstance, overrides: Overrides, *, quiet: bool = False) -> Mapping[str, object]:
    """Materialize tool_catalog, tool_graph and business_clusters; what the first recorded of itself."""
    _run("catalog", instance, None, overrides, quiet=quiet)
    event = instance.get_latest_materialization_event(dg.AssetKey("tool_catalog"))
    made = event.asset_materialization if event else None
    return {name: value.value for name, value in made.metadata.items()} if made else {}


@instance_errors()
def run_next_batch(instance: dg.DagsterInstance, settings: Settings, overrides: Overrides) -> str:
    """Run the batch that is due, the unfinished newest one, told what it was told before, or the next; returns its key.
    ConfigError while another process writes it."""
    key = batch_to_run(known_batches(instance, settings), read_finished(settings))
    other = unfinished_run(instance, settings, key)
    if other is not None and has_process(settings.home, other.run_id):
        raise ConfigError(f"batch {key} is being written by run {other.run_id}: wait for it to end, or stop it")
    return run_batch(instance, key, {**told_before(instance, key), **_given(overrides)})


@instance_errors()
def run_next_round(instance: dg.DagsterInstance, settings: Settings, overrides: Overrides) -> str:
    """Run the first batch of a new round; returns its key. ConfigError while the newest batch is unfinished."""
    keys = known_batches(instance, settings)
    last = newest(keys)
    if last is not None and last not in read_reported(settings):
        raise ConfigError(f"batch {last} has no report yet: finish it with `tds batch` before starting a round")
    with Lake.open(settings, read_only=True) as lake:
        plan_for(
            lake, next_round(keys), settings
        )  # a plan file that cannot be followed stops here, before there is a run
    return run_batch(instance, next_round(keys), overrides)


@instance_errors()
def run_batch(instance: dg.DagsterInstance, key: str, overrides: Overrides, *, quiet: bool = False) -> str:
    """Materialize every asset of this batch; returns its key. `quiet` tells warnings only."""
    instance.add_dynamic_partitions(partitions_name(), [key])
    _run("synthesis", instance, key, overrides, quiet=quiet)
    return key


@instance_errors()
def decide(instance: dg.DagsterInstance, settings: Settings) -> NewRound | Wait:
    """What the sensor would do now."""
    return read_decision(settings, known_batches(instance, settings))


def _run(job: str, instance: dg.DagsterInstance, key: str | None, overrides: Overrides, *, quiet: bool) -> None:
    config = {"loggers": {"console": {"config": {"quiet": quiet}}}, **system_config(_given(overrides))}
    try:
        build_defs().resolve_job_def(job).execute_in_process(instance=instance, run_config=config, partition_key=key)
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    except dg.DagsterResourceFunctionError as error:  # settings or home went bad between the checks and the run
        raise error.user_exception from None


def _given(overrides: Overrides) -> dict[str, str | int | float]:
    return {name: value for name, value in overrides.items() if value is not None}


def _instance_config() -> Path:
    """dagster.yaml beside the package in a checkout, inside it in a wheel."""
    beside = PACKAGE.parent / "dagster.yaml"
    return beside if beside.exists() else PACKAGE / "dagster.yaml"
