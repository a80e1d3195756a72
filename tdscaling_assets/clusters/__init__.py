"""Tools and edges in, ranked business clusters out: the k connected sets of 3-12 tools that cover the most.

ties.py         edges → who is tied to whom, how strongly
communities.py  ties → Leiden communities at several resolutions
candidates.py   ties → sets of 3-12 connected tools: communities, and what grows around each edge
coverage.py     sets of weighted elements → the greedy best k, each element counting several times
select.py       tools and edges → BusinessClusters, and where more of them stops paying
chains.py       edges of a cluster → its longest chain of dependencies
wording.py      tools and edges of a cluster → its name and its purpose in plain words
"""

from tdscaling_assets.clusters.candidates import LARGEST, SMALLEST, build_candidates
from tdscaling_assets.clusters.coverage import Membership, maximum_coverage
from tdscaling_assets.clusters.select import Selection, choose_clusters, select_clusters

__all__ = [
    "LARGEST",
    "SMALLEST",
    "Membership",
    "Selection",
    "build_candidates",
    "choose_clusters",
    "maximum_coverage",
    "select_clusters",
]
