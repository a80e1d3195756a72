"""Measured history in, the next regime out: keys of rounds and batches, plateau, plan. Pure.

The formulas are our own definition; docs/evolution.md writes them out.
"""
