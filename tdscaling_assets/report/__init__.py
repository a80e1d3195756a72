"""Rows of every batch in, pictures and one self-contained page out.

data.py      ReportData: the frames and records a report is made of
canvas.py    the one visual style; figures → SVG text, PNG data URIs
rounds.py    batches, outcomes, plans → their rounds, in order
growth.py    metrics, studies → figures of entropy against the number of trajectories
effective.py outcomes → a figure of effective domains and modes, the paper's beside them
domains.py   outcomes → a histogram of domains per round
modeflow.py  outcomes → the flow of a round's conversations from label to label
modes.py     outcomes → a figure of the most frequent modes
ridges.py    outcomes, plans → a ridge of action complexity per round
flow.py      frames → figures of how a set came about
clusters.py  clusters → figures of the selection
toolgraph.py clusters → a figure of their tools and dependencies
tables.py    frames → the rows of the page's tables
groups.py    figures per domain and operator → the rows of their tables
changes.py   ReportData → how one round differs from another, and why
browser.py   trajectories and verdicts → the JSON of the page's trajectory browser
page.py      ReportData → index.html
"""
