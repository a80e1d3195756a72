"""The code location: the asset graph in data-flow order.

catalog → evolution → blueprints → trajectories → quality → report → training
"""

from tdscaling_assets.defs import STAGES, build_defs

__all__ = ["STAGES", "defs"]

defs = build_defs()
