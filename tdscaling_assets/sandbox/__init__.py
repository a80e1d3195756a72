"""Untrusted commands in, plain ExecResults out: on Docker or on bubblewrap, chosen by `select.open_sandbox`.

protocol.py     what a sandbox promises          program.py      limits, environment, answer → ExecResult
session.py      a sandbox and its sessions       pool.py         boxes, used again only when empty
tools.py        what the assistant is offered    box.py          one running sandbox, spoken to from outside
workbench.py    programs of the file tools       referee.py      program of `run_tests`: a verdict apart
docker.py       starts it as a container         inside.py       its first process: runs programs, ends them
bubblewrap.py   starts it in namespaces          namespaces.py   what a program sees in them
seccomp.py      system calls allowed in both     owner.py        whose container is this, and is that process gone?
select.py       which one works here, proven     image.py        the containers' image
"""
