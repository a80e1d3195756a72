"""Settings → a DuckDB connection with the lake attached as `lake` and in use, so that bare table names resolve.

The extensions come from wheels that carry DuckDB's signed binaries; DuckDB verifies them on LOAD. Every failure of
DuckDB or of the file system leaves here as one StorageError, without the catalog's password.
"""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from tdscaling_assets.errors import ConfigError, StorageError
from tdscaling_assets.settings import Settings

_POSTGRES = "postgres:"
_BUSY_MILLISECONDS = 10_000
_PASSWORD = re.compile(r"password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)\s*", re.IGNORECASE)
_URI_PASSWORD = re.compile(r"(?<=://)([^:@/\s]*):[^@\s]*@")


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A connection with the extensions loaded and nothing attached yet."""
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    connection.execute(f"SET temp_directory = {_quote(str(lake_folder(settings) / 'tmp'))}")
    for extension in extensions(settings):
        _load(connection, extension)
    return connection


def attach(connection: duckdb.DuckDBPyConnection, settings: Settings, read_only: bool) -> None:
    """Attach the lake as `lake` and use it; unless read-only, a lake that does not exist is created."""
    options = _options(settings) + (["READ_ONLY"] if read_only else _write_options(settings))
    connection.execute(f"ATTACH {_quote(_target(settings))} AS lake ({', '.join(options)})")
    connection.execute("USE lake")


def attach_statement(settings: Settings) -> str:
    """The line that attaches the lake read-only in any DuckDB client, without the catalog's password: libpq takes
    that from PGPASSWORD or ~/.pgpass."""
    names = [name.removesuffix("_scanner") for name in extensions(settings)]
    loads = " ".join(f"INSTALL {name}; LOAD {name};" for name in names)
    options = ", ".join([*_options(settings), "READ_ONLY"])
    return f"{loads} ATTACH {_quote(hide_password(_target(settings)))} AS lake ({options}); USE lake;"


def postgres_libpq(settings: Settings) -> str | None:
    """The libpq string of a Postgres catalog, None for SQLite; ConfigError for anything else."""
    if not settings.catalog:
        return None
    if settings.catalog.startswith(_POSTGRES):
        return settings.catalog.removeprefix(_POSTGRES)
    shown = hide_password(settings.catalog)
    raise ConfigError(f"TDS_CATALOG is {shown!r}: leave it empty for SQLite or set `postgres:<libpq string>`")


def lake_folder(settings: Settings) -> Path:
    """Absolute folder of the lake in the home."""
    return settings.home.absolute() / "lake"


def catalog_file(settings: Settings) -> Path:
    """The SQLite catalog of the home."""
    return lake_folder(settings) / "catalog.sqlite"


def data_location(settings: Settings) -> str:
    """Absolute folder, or URL, of the Parquet files."""
    if "://" in settings.lake_data:
        return settings.lake_data
    return str(Path(settings.lake_data).absolute() if settings.lake_data else lake_folder(settings) / "data")


def extensions(settings: Settings) -> tuple[str, ...]:
    """Names of the DuckDB extensions that this lake needs, in loading order."""
    catalog = "sqlite_scanner" if postgres_libpq(settings) is None else "postgres_scanner"
    return ("ducklake", catalog, "httpfs") if "://" in settings.lake_data else ("ducklake", catalog)


def hide_password(text: str) -> str:
    """The text without the passwords of libpq strings and URIs."""
    return _URI_PASSWORD.sub(r"\1@", _PASSWORD.sub("", text))


@contextmanager
def storage_errors(doing: str, remedy: str) -> Iterator[None]:
    """Turn what DuckDB, Polars or the file system raise into one StorageError sentence: doing, reason, remedy."""
    try:
        yield
    except (duckdb.Error, pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(f"{doing}: {reason(error)}; {remedy}") from None


def reason(error: Exception) -> str:
    """The error's message on one line, without the echo of the SQL and without passwords."""
    text = " ".join(str(error).split("\n\nLINE ")[0].split())
    return hide_password(text).rstrip(" .;!") or type(error).__name__


def _target(settings: Settings) -> str:
    libpq = postgres_libpq(settings)
    return f"ducklake:postgres:{libpq}" if libpq is not None else f"ducklake:sqlite:{catalog_file(settings)}"


def _options(settings: Settings) -> list[str]:
    """A catalog in the home may have moved with its data; a shared catalog says itself where its data is."""
    location = [f"DATA_PATH {_quote(data_location(settings))}"]
    if postgres_libpq(settings) is not None:
        return location
    return [*location, "OVERRIDE_DATA_PATH true", f"META_BUSY_TIMEOUT {_BUSY_MILLISECONDS}"]


def _write_options(settings: Settings) -> list[str]:
    return ["META_JOURNAL_MODE 'WAL'"] if postgres_libpq(settings) is None else []


def _load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    binary = _wheel_binary(extension)
    if binary is not None:
        connection.execute(f"LOAD {_quote(str(binary))}")
        return
    connection.execute(f"INSTALL {extension}")
    connection.execute(f"LOAD {extension}")


def _wheel_binary(extension: str) -> Path | None:
    """The extension in its wheel; None where the wheel is absent or holds none for this platform."""
    spec = importlib.util.find_spec(f"duckdb_extension_{extension}")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{extension}.duckdb_extension"
        if binary.is_file():
            return binary
    return None


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
