"""Raw trajectories in, a verdict per rule and the kept ones out.

case.py            a conversation beside its blueprint
rules.py           one conversation against its blueprint: flat guards that return a reason
code_rules.py      the answer came out of the sandbox: the rules for code steps
duplicates.py      near-copies of what was kept before or has passed the rules
contamination.py   overlap with benchmark questions
judge.py           a model's score, where a judge is set
funnel.py          the order of all of them; a trajectory stops at its first reject
"""
