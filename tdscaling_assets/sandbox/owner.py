"""This process, told apart from every other of any machine and boot; later: is that process gone?"""

import os
from pathlib import Path


def this_owner() -> str:
    """Machine (its boot and process namespace), process id and start time of this process."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def owner_is_gone(owner: str) -> bool:
    """Whether the process is one of this machine and runs no more; of other machines nothing is known. What no
    machine wrote has no owner."""
    machine, _, process = owner.partition(":")
    pid, _, started = process.partition(":")
    if not pid.isdecimal():
        return True
    return machine == _machine() and _started(int(pid)) != started


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    identity = boot.read_text().strip() if boot.exists() else os.uname().nodename
    return f"{identity}/{namespace.readlink() if namespace.exists() else ''}".replace(":", "")


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
