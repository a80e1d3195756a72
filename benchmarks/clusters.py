"""Times clusters and weighs their coverage: python benchmarks/clusters.py

Needs ../shared/data/mcp_catalog. First the real tools, stage by stage, and how candidates grow with the catalog. Then
the selection of 6,944 from 30,000 candidates, beside submodlib-py's LazyGreedy on the same sets and weights (plain
coverage, for it knows no other), and its share of the bound of the linear program.

The 30,000 candidates are all of the real tools and, drawn at random with a seed, those of generated tools: four copies
of the real graph under other names, in each of which every edge is missing with probability 0.2 and else weighs 0.8 to
1.2 times what it did. So sets overlap as real ones do, and no copy has quite the same candidates. All in CPU time.
"""

import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from _timing import growth_exponent, median_seconds
from catalog import REAL, SIZES, read_tools
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, hstack, identity, vstack
from submodlib import SetCoverFunction

from tdscaling_assets.clusters import Membership, build_candidates, choose_clusters, maximum_coverage
from tdscaling_assets.clusters.coverage import UNIT
from tdscaling_assets.clusters.select import Pool, build_pool
from tdscaling_assets.clusters.ties import usable_edges
from tdscaling_assets.graph import build_graph
from tdscaling_assets.schema import Tool, ToolEdge

COPIES = 4
CANDIDATES = 30_000
CHOSEN = 6_944  # as many as in the paper
BOUNDED = (1_000, 2_000, 4_000)
REPEATS = 5
REPEATS_SIZE = 3
SEED = 5


def main() -> None:
    """Real tools first, then the large selection."""
    files = sorted(REAL.glob("*.jsonl.gz"))
    if not files:
        print(f"no figures: {REAL} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        tools = read_tools(Path(folder), files)
        print(f"catalog     {time.process_time() - start:7.2f} s  {len(tools):,} usable tools")
    edges = time_stages(tools)
    time_growth(tools)
    instance = enlarge(tools, edges)
    compare(instance.membership)
    bound(instance.membership)


def time_stages(tools: Sequence[Tool]) -> list[ToolEdge]:
    """One line per stage, then what the selection saturates at; the edges."""
    start = time.process_time()
    edges = build_graph(tools)
    print(f"graph       {time.process_time() - start:7.2f} s  {len(edges):,} edges")
    by_id = {tool.tool_id: tool for tool in tools}
    seconds = median_seconds(partial(build_candidates, by_id, edges), REPEATS, time.process_time)
    candidates, usable = build_candidates(by_id, edges), usable_edges(by_id, edges)
    print(f"candidates  {seconds:7.2f} s  {len(candidates):,} sets of 3-12 tools")
    pool_seconds = median_seconds(partial(build_pool, candidates, usable), REPEATS, time.process_time)
    membership = build_pool(candidates, usable).membership
    for cover in (1, 3):
        greedy = partial(maximum_coverage, membership, len(candidates), cover)
        seconds = median_seconds(greedy, REPEATS, time.process_time)
        chosen = choose_clusters(tools, edges, CHOSEN, cover)
        print(
            f"selection   {pool_seconds + seconds:7.2f} s  each element up to {cover} times, {seconds:.3f} s of it "
            f"greedy; of {chosen.reachable_tools:,} tools and {chosen.reachable_edges:,} edges nothing is new after "
            f"rank {chosen.nothing_new:,}, and under 1 % is left at {chosen.little_left:,}"
        )
    for k in (400, CHOSEN):
        seconds = median_seconds(partial(choose_clusters, tools, edges, k), REPEATS_SIZE, time.process_time)
        print(f"clusters    {seconds:7.2f} s  candidates, selection of {k:,}, names, purposes and records")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"peak memory {peak:7.2f} GiB")
    return edges


def time_growth(tools: Sequence[Tool]) -> None:
    """The exponents of candidates and selection over catalogs of 2k, 4k, 8k and 16k tools, or as many as there are."""
    sizes, candidates, whole = [], [], []
    for some in (tools[:wanted] for wanted in SIZES):
        edges = build_graph(some)
        by_id = {tool.tool_id: tool for tool in some}
        sizes.append(len(some))
        candidates.append(median_seconds(partial(build_candidates, by_id, edges), REPEATS_SIZE, time.process_time))
        whole.append(median_seconds(partial(choose_clusters, some, edges, 400), REPEATS_SIZE, time.process_time))
        print(f"{len(some):>6,} tools  candidates {candidates[-1]:6.2f} s  clusters {whole[-1]:6.2f} s")
    print(
        f"growth: candidates n^{growth_exponent(sizes, candidates):.2f}, clusters n^{growth_exponent(sizes, whole):.2f}"
    )


def enlarge(tools: Sequence[Tool], edges: Sequence[ToolEdge]) -> Pool:
    """30,000 candidates of real and generated tools."""
    rng = random.Random(SEED)
    by_id = {tool.tool_id: tool for tool in tools}
    candidates, every = build_candidates(by_id, edges), usable_edges(by_id, edges)
    generated = []
    for number in range(COPIES):
        copies = [tool.model_copy(update={"tool_id": f"{tool.tool_id}~{number}"}) for tool in tools]
        changed = list(_vary(edges, number, rng))
        generated += build_candidates({tool.tool_id: tool for tool in copies}, changed)
        every += changed
    generated = rng.sample(generated, CANDIDATES - len(candidates))
    print(f"{len(candidates):,} real and {len(generated):,} generated candidates")
    return build_pool([*candidates, *generated], every)


def _vary(edges: Sequence[ToolEdge], number: int, rng: random.Random) -> Iterator[ToolEdge]:
    for edge in edges:
        if rng.random() >= 0.2:
            ends = {"producer_id": f"{edge.producer_id}~{number}", "consumer_id": f"{edge.consumer_id}~{number}"}
            yield edge.model_copy(update={**ends, "weight": edge.weight * rng.uniform(0.8, 1.2)})


def compare(membership: Membership) -> None:
    """Both selections of 6,944, side by side: seconds, coverage, and whether every run chose the same."""
    ours = [maximum_coverage(membership, CHOSEN, cover=1) for _ in range(REPEATS)]
    seconds = median_seconds(partial(maximum_coverage, membership, CHOSEN, 1), REPEATS, time.process_time)
    triple = median_seconds(partial(maximum_coverage, membership, CHOSEN, 3), REPEATS, time.process_time)
    sets = np.split(membership.elements, membership.starts[1:-1])
    rows = [set(one.tolist()) for one in sets]
    weights = (membership.units / UNIT).tolist()
    built = median_seconds(partial(_submodlib, rows, weights), REPEATS, time.process_time)
    function = _submodlib(rows, weights)
    maximize = partial(function.maximize, CHOSEN, "LazyGreedy", stopIfZeroGain=True, show_progress=False)
    theirs = [maximize() for _ in range(REPEATS)]
    their_seconds = median_seconds(maximize, REPEATS, time.process_time)
    same = "the same in every run" if all(one == ours[0] for one in ours) else "NOT the same in every run"
    print(f"{CHOSEN:,} of {len(membership):,}, plain coverage, median of {REPEATS}")
    print(f"  ours          {seconds:6.3f} s  coverage {sum(ours[0].gains):12,.3f}  {same}")
    print(f"  ours, 3 times {triple:6.3f} s  multi-cover, for which there is no counterpart")
    print(
        f"  submodlib-py  {their_seconds:6.3f} s  coverage {covered(membership, [i for i, _ in theirs[0]]):12,.3f}  "
        f"and {built:.3f} s to take the sets over"
    )


def _submodlib(rows: list[set[int]], weights: list[float]) -> SetCoverFunction:
    return SetCoverFunction(n=len(rows), cover_set=rows, num_concepts=len(weights), concept_weights=weights)


def covered(membership: Membership, positions: Sequence[int]) -> float:
    """Weight of the elements in any of those sets."""
    starts, held = membership.starts, np.zeros(len(membership.units), bool)
    for position in positions:
        held[membership.elements[starts[position] : starts[position + 1]]] = True
    return float(membership.units[held].sum() / UNIT)


def bound(membership: Membership) -> None:
    """The greedy coverage as a share of the linear program's optimum, which no selection can exceed.

    Elements in the same sets count as one. Maximise Σ weight·y with y ≤ Σ x of the sets that hold it,
    Σ x ≤ k and 0 ≤ x, y ≤ 1.
    """
    count, elements = len(membership), len(membership.units)
    owners = np.repeat(np.arange(count), np.diff(membership.starts))
    signs = np.random.default_rng(SEED).integers(1, 2**61, count, dtype=np.int64)
    names = np.zeros(elements, np.int64)
    np.add.at(names, membership.elements, signs[owners])  # equal sums, equal owners, but for a chance of 2^-61
    used = np.unique(membership.elements)
    _, first, group = np.unique(names[used], return_index=True, return_inverse=True)
    weights = np.bincount(group, membership.units[used] / UNIT)
    row = np.full(elements, -1)
    row[used[first]] = np.arange(len(first))
    kept = row[membership.elements] >= 0
    holds = csr_matrix((np.ones(kept.sum()), (row[membership.elements[kept]], owners[kept])), shape=(len(first), count))
    reach = hstack([-holds, identity(len(first))])
    number = csr_matrix((np.ones(count), (np.zeros(count, int), np.arange(count))), shape=(1, count + len(first)))
    greedy = np.cumsum(maximum_coverage(membership, max(BOUNDED), cover=1).gains)
    matrix = vstack([reach, number]).tocsr()
    for k in BOUNDED:
        start = time.process_time()
        solved = linprog(
            np.concatenate([np.zeros(count), -weights]),
            A_ub=matrix,
            b_ub=np.concatenate([np.zeros(len(first)), [k]]),
            bounds=(0, 1),
            method="highs",
        )
        seconds = time.process_time() - start
        print(
            f"k = {k:,}: {greedy[k - 1] / -solved.fun:.2%} of the bound {-solved.fun:,.1f} ({seconds:.1f} s to solve)"
        )


if __name__ == "__main__":
    main()
