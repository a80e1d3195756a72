"""Kept trajectories in, files that a trainer reads out: OpenAI messages, ShareGPT, Parquet and a dataset card.

select.py    rows → the order in which to spend a training budget, by entropy gained
sound.py     what every exported conversation must satisfy
openai.py    a trajectory → its row of OpenAI messages
sharegpt.py  a trajectory → its row of ShareGPT turns
rows.py      rows → JSON lines; OpenAI rows → Parquet
card.py      what is known about the set → README.md
folder.py    all of it → one folder, at once or not at all
"""
