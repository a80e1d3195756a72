"""Rows, or what a user gives, in; a code step out: its calls in words, its known result and its reference solution.

The result is always one short line, so that a solution written by any model can be checked against it.

kinds.py      what a kind is made of: calls, fields that fit, facts, the known result
fields.py     rows → the fields that a kind can work on
rows.py       aggregate, clean, validate and simulate: a program over one field of rows
programs.py   those programs
logs.py       parse_log: a log that the user gives, written to a file and read by a program or the shell
functions.py  write_function and repair_test: modules with their tests
exercises.py  the functions of those two, and what is wrong where one is broken
sql.py        sql: rows written into a database, and a query of it
catalog.py    all kinds by name and family
results.py    what a call printed → the line that an answer tells
"""

from tdscaling_assets.code_tasks.catalog import FAMILIES, KINDS
from tdscaling_assets.code_tasks.fields import tables
from tdscaling_assets.code_tasks.kinds import QUERY_SQLITE, Call, Kind, Material
from tdscaling_assets.code_tasks.results import result_line

__all__ = ["FAMILIES", "KINDS", "QUERY_SQLITE", "Call", "Kind", "Material", "result_line", "tables"]
