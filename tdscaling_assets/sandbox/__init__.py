"""Untrusted Python in, a plain ExecResult out: on Docker or on bubblewrap, chosen by `select.open_sandbox`.

protocol.py    what a sandbox promises        program.py   limits, command, environment, capped output
docker.py      a container per program        bubblewrap.py   namespaces per program, no daemon
image.py       the Docker image               select.py   which one works here, proven by running code
"""
