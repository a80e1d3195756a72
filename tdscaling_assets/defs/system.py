"""The one resource: settings from `TDS_*`, with what a run may override, and what they open."""

from contextlib import ExitStack

import dagster as dg
from pydantic import PrivateAttr

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.defs.liveness import hold_mark
from tdscaling_assets.schema import BusinessCluster, Tool, ToolEdge
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.services.world import Runner
from tdscaling_assets.settings import Settings, load_settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.replies import Replies


class System(dg.ConfigurableResource[None]):
    """Settings of a run: the environment's, unless the run config says otherwise."""

    home: str | None = None
    catalog: str | None = None
    lake_data: str | None = None
    batch_size: int | None = None
    seed: int | None = None
    compliance: float | None = None
    plan: str | None = None

    _mark: ExitStack = PrivateAttr(default_factory=ExitStack)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """From here on the run shows that its process lives."""
        if context.run is not None:
            self._mark.enter_context(hold_mark(self.settings().home, context.run.run_id))

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """The run's process is done with it."""
        self._mark.close()

    def settings(self) -> Settings:
        """All settings; raises ConfigError."""
        overrides = {
            "home": self.home,
            "catalog": self.catalog,
            "lake_data": self.lake_data,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "compliance": self.compliance,
            "plan": self.plan,
        }
        return load_settings(**{name: value for name, value in overrides.items() if value is not None})


def open_replies(settings: Settings, batch: str) -> Replies:
    """The paid replies, those of that batch counted for it; "" for work of no batch."""
    return Replies(settings.home, batch, settings.cache_days)


def open_library(lake: Lake, run: Runner) -> Library:
    """Catalog, graph and clusters as blueprint making reads them; `run` runs the programs of built-in services."""
    return Library(
        lake.records("tool_catalog", Tool),
        lake.records("tool_graph", ToolEdge),
        lake.records("business_clusters", BusinessCluster),
        load_services(),
        run,
    )
