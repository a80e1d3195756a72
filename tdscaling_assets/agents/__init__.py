"""Blueprints in, conversations out: a user, an assistant and an environment over the `ChatModel` protocol.

conversation.py   the loop: one blueprint → one trajectory, sound or failed
guidance.py       where the conversation stands → the hint for whoever speaks next
environment.py    a tool call → its observation: sandbox, built-in service, live server, else a simulating model
consistency.py    a simulated answer, what was said before → what contradicts
usage.py          what it cost
progress.py       what has ended → a line to read
forecast.py       blueprints → the model calls that they will take
batch.py          many conversations in flight, each handed over the moment it ends
"""
