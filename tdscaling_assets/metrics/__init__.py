"""Many conversations in, metric rows out: entropy, complexity, coverage and cost, with intervals. Pure.

The formulas are our own definition; docs/metrics.md writes them out.
"""
