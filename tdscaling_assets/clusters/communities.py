"""Ties in, communities out: Leiden (Traag et al. 2019) with the constant Potts model (Traag et al. 2011).

That objective has no resolution limit: what is a community on a small catalog is one on a large catalog too. Leiden
guarantees that a community is connected.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import igraph

from tdscaling_assets.clusters.ties import Ties

RESOLUTIONS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Least density of ties in a community, in mean weights of a tie: from loose to close. Our own choice."""
_SEED = 7  # fixed, so that equal ties give equal communities
_ITERATIONS = 2  # igraph's own default


def find_communities(ties: Ties) -> Iterator[list[int]]:
    """The communities of every resolution as sorted tool numbers, singletons among them."""
    pairs = ties.pairs()
    if not pairs:
        return
    graph = igraph.Graph(n=len(ties.tool_ids), edges=pairs)
    weights = [ties.neighbours[one][other] for one, other in pairs]
    mean = sum(weights) / len(weights)
    for resolution in RESOLUTIONS:
        with _seeded():
            found = graph.community_leiden(
                objective_function="CPM",
                weights=weights,
                resolution=resolution * mean,
                n_iterations=_ITERATIONS,
            )
        yield from map(sorted, found)


@contextmanager
def _seeded() -> Iterator[None]:
    igraph.set_random_number_generator(random.Random(_SEED))
    try:
        yield
    finally:
        igraph.set_random_number_generator(random)
