"""Business clusters and a round's plan in, blueprints with ground truth out.

library.py      catalog, graph, clusters and worlds, indexed
binding.py      tool + what is known → its arguments
topology.py     cluster → a chain of bound tool calls that runs on a fresh world
operators.py    blueprint → a more demanding blueprint: the ten evolution operators
extend.py       those that add steps
compute.py      the one that adds a code step
reschedule.py   those that change when things happen
turns.py        small edits that operators share
rehearsal.py    blueprint → what must happen: calls, outputs, final digest, mode, CAC
validation.py   blueprint → why it is not well formed, or nothing
scenario.py     blueprint → title, persona and goal, by the planner model
batch.py        plan → a batch of blueprints, and the rejected attempts
"""
