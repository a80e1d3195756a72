"""Settings in, the sandbox's Docker image out: from the packaged Dockerfile, or from Debian packages.

The second way needs no image registry, no root and no extra tool: the machine's own apt configuration resolves and
fetches the packages, their contents become one tree, the tree becomes the image.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import IO

from docker import DockerClient

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.docker import connect_engine, engine_errors
from tdscaling_assets.settings import Settings

PACKAGES = (
    *("base-files", "bash", "coreutils", "dash", "libc-bin", "tzdata"),
    *("diffutils", "findutils", "grep", "gzip", "mawk", "sed", "tar"),
    *("python3", "python3-pytest", "python3-numpy", "python3-pandas"),
)
_BUILD_SECONDS = 900
_SKIPPED = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/")
_MERGED = ("bin", "sbin", "lib", "lib64")
_FILES = {
    "etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
_FINISH = """FROM {image}
RUN for folder in /usr/lib/*/blas /usr/lib/*/lapack; do echo $folder; done > /etc/ld.so.conf.d/blas.conf; \\
    ldconfig && python3 -m compileall -q -j 0 /usr/lib/python3 /usr/lib/python3.*
"""


def build_image(settings: Settings, rootfs: bool) -> str:
    """Build the image under `settings.sandbox_image` and return its id; `rootfs` takes Debian packages.

    Raises SandboxError when the engine, the registry or apt refuses.
    """
    name = settings.sandbox_image
    with engine_errors(name):
        client = connect_engine(_BUILD_SECONDS)
        try:
            if rootfs:
                _import_debian(client, name)
                return _build(client, name, _FINISH.format(image=name))
            return _build(client, name, files("tdscaling_assets.sandbox").joinpath("Dockerfile").read_text())
        finally:
            client.close()


def _build(client: DockerClient, name: str, dockerfile: str) -> str:
    image, _ = client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, rm=True, forcerm=True)
    return str(image.id)


def _import_debian(client: DockerClient, name: str) -> None:
    repository, _, tag = name.rpartition(":") if ":" in name.rsplit("/", 1)[-1] else (name, "", "latest")
    with tempfile.TemporaryDirectory(prefix="tds-image-") as folder:
        tree = Path(folder) / "tree.tar"
        _merge(_download(Path(folder)), tree)
        client.api.import_image_from_file(str(tree), repository=repository, tag=tag, changes=['CMD ["python3"]'])


def _download(folder: Path) -> list[Path]:
    """The packages and all they need, as .deb files, as if nothing were installed."""
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    options = (
        "Dir::State::status=/dev/null",
        f"Dir::Cache::archives={archives}",
        "Debug::NoLocking=1",
        "APT::Sandbox::User=",
        "APT::Install-Recommends=0",
    )
    flags = [argument for option in options for argument in ("-o", option)]
    _execute(["apt-get", *flags, "-y", "-q", "--download-only", "install", *PACKAGES])
    return sorted(archives.glob("*.deb"))


def _merge(packages: list[Path], tree: Path) -> None:
    """All packages' files in one archive, folders once, with /bin and /lib being links into /usr."""
    seen: set[str] = set()
    with tarfile.open(tree, "w") as archive:
        for folder in _MERGED:
            archive.addfile(_link(folder, f"usr/{folder}"))
        for name, target in (("sh", "dash"), ("awk", "mawk"), ("python", "python3")):
            archive.addfile(_link(f"usr/bin/{name}", target))
        for name, text in _FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        seen |= set(archive.getnames())
        for package in packages:
            for member, content in _members(package):
                if member.name not in seen:
                    seen.add(member.name)
                    archive.addfile(member, content)


def _members(package: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The files of a package, under merged names; documentation and tests are left out."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as source,
    ):
        for member in source:
            member.name = _merged(member.name)
            if member.islnk():
                member.linkname = _merged(member.linkname)
            if member.name and not member.name.startswith(_SKIPPED) and "/tests/" not in member.name:
                yield member, source.extractfile(member) if member.isfile() else None
    if unpacking.returncode != 0:
        raise SandboxError(f"{package.name} cannot be unpacked: check that `dpkg-deb` works on this machine")


def _merged(path: str) -> str:
    plain = path.removeprefix("./").strip("/").removeprefix(".")
    return f"usr/{plain}" if plain.split("/", 1)[0] in _MERGED else plain


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.SYMTYPE
    info.linkname = target
    return info


def _execute(command: list[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise SandboxError(f"there is no `{command[0]}` here: build the image without --rootfs") from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise SandboxError(f"`{command[0]}` failed ({reason}): run `apt-get update` and try again") from error
