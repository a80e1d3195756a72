"""Rows of every batch in, pictures and one self-contained page out.

data.py      ReportData: the frames and records a report is made of
canvas.py    the one visual style; figures → SVG text, PNG data URIs
pictures.py  frames → figures of the kept set
flow.py      frames → figures of how it came about
tables.py    frames → the rows of the page's tables
browser.py   trajectories and verdicts → the JSON of the page's trajectory browser
page.py      ReportData → index.html
"""
