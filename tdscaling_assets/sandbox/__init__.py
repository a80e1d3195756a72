"""Untrusted Python in, a plain ExecResult out: on Docker or on bubblewrap, chosen by `select.open_sandbox`.

protocol.py     what a sandbox promises          program.py      limits, command, environment, capped output
docker.py       a container per program          image.py        that container's image
bubblewrap.py   namespaces per program           namespaces.py   what a program sees in them
select.py       which one works here, proven by running code
"""
