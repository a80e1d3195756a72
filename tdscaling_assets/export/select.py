"""Kept trajectories in, the order in which to spend a training budget out: most entropy first.

Greedy on H(domain) + H(mode), in bits. With c log2 c written g(c), adding a row to a set changes H(domain) only
through g(c + 1) − g(c) of its domain's count c, the rest being the same for every candidate; likewise for modes. So
all rows of one (domain, mode) cell are equal, and a step looks at cells, not at rows.
"""

import math
from collections import Counter, defaultdict

import numpy as np
import polars as pl

from tdscaling_assets.schema import TrainingRow

Cell = tuple[str, str]


def select_training_set(rows: pl.DataFrame, budget: int = 0) -> list[TrainingRow]:
    """The first `budget` rows of the greedy order, all of them when it is 0.

    `rows` has trajectory_id, domain, mode (text, or a list of labels) and cac. Equal gains go to the higher CAC,
    then to the smaller id. `order` counts from 1; `gain` is the change of H(domain) + H(mode) in bits: 0 for the
    first row, negative where a row can only make the set less even.
    """
    ranked = rows.sort(["cac", "trajectory_id"], descending=[True, False])
    identities = ranked["trajectory_id"].to_list()
    queues = _cells(ranked)
    cells = list(queues)
    of_domain, of_mode = _positions(cells, 0), _positions(cells, 1)
    domains, modes = EntropyCounter(), EntropyCounter()
    head = np.array([queue[-1] for queue in queues.values()], dtype=np.int64)
    domain_cost = np.full(len(cells), domains.cost(""))
    mode_cost = np.full(len(cells), modes.cost(""))
    spent = np.zeros(len(cells))  # infinite once a cell has no row left
    selected: list[TrainingRow] = []
    for order in range(1, (min(budget, rows.height) if budget else rows.height) + 1):
        cost = domain_cost + mode_cost + spent
        best = int(np.where(cost == cost.min(), head, rows.height).argmin())
        domain, mode = cells[best]
        gain = domains.add(domain) + modes.add(mode)
        queue = queues[cells[best]]
        selected.append(TrainingRow(order=order, trajectory_id=identities[queue.pop()], gain=gain))
        domain_cost[of_domain[domain]] = domains.cost(domain)
        mode_cost[of_mode[mode]] = modes.cost(mode)
        head[best], spent[best] = (queue[-1], 0.0) if queue else (rows.height, math.inf)
    return selected


class EntropyCounter:
    """Plug-in Shannon entropy, in bits, of the categories counted so far."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.n = 0
        self.bits = 0.0
        self._sum = 0.0  # of c log2 c

    def cost(self, category: str) -> float:
        """Rise of the sum of c log2 c by one more of `category`: the smaller, the more entropy gained."""
        count = self.counts[category]
        return _c_log_c(count + 1) - _c_log_c(count)

    def add(self, category: str) -> float:
        """Count one more of `category`; returns the change of the entropy in bits."""
        self._sum += self.cost(category)
        self.counts[category] += 1
        self.n += 1
        before, self.bits = self.bits, math.log2(self.n) - self._sum / self.n
        return self.bits - before


def _cells(ranked: pl.DataFrame) -> dict[Cell, list[int]]:
    """Ranks of each cell's rows, the best last."""
    cells: defaultdict[Cell, list[int]] = defaultdict(list)
    for rank, (domain, mode) in enumerate(ranked.select("domain", "mode").iter_rows()):
        cells[(domain, mode if isinstance(mode, str) else ">".join(mode))].append(rank)
    return {cell: ranks[::-1] for cell, ranks in cells.items()}


def _positions(cells: list[Cell], part: int) -> dict[str, list[int]]:
    """Where the cells of each domain (part 0) or mode (part 1) are."""
    positions: defaultdict[str, list[int]] = defaultdict(list)
    for position, cell in enumerate(cells):
        positions[cell[part]].append(position)
    return dict(positions)


def _c_log_c(count: int) -> float:
    return count * math.log2(count) if count else 0.0
