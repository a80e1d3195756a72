"""The lake's version: read, checked, and raised by the migrations of tables.py, each applied once."""

import duckdb

from tdscaling_assets.errors import StorageError
from tdscaling_assets.storage.tables import MIGRATIONS, Migration
from tdscaling_assets.storage.transact import scalar, transact

SCHEMA_VERSION = MIGRATIONS[-1].version

_HAS_VERSION = "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = 'schema_version'"


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the attached lake to this code's version, under the lock that the caller holds."""
    version = lake_version(connection)
    if version == 0:
        # Inlined rows put nested values and JSON into the catalog, where they do not read back.
        connection.execute("CALL lake.set_option('data_inlining_row_limit', 0)")
        _apply(connection, MIGRATIONS)  # at once: on a new lake, whose tables are as declared, later ones find nothing
        return
    for migration in MIGRATIONS:
        if migration.version > version:
            _apply(connection, (migration,))


def check_version(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse a lake that this code cannot read as it is: StorageError."""
    version = lake_version(connection)
    if version < SCHEMA_VERSION:
        raise StorageError(
            f"the lake is at version {version}, older than this code's {SCHEMA_VERSION}: "
            "run a command that writes, such as `tds catalog`, to migrate it"
        )


def lake_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The attached lake's version, 0 before its first migration; StorageError when newer than the code."""
    if not scalar(connection, _HAS_VERSION):
        return 0
    version = scalar(connection, "SELECT coalesce(max(version), 0) FROM schema_version")
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"the lake is at version {version}, newer than this code's {SCHEMA_VERSION}: upgrade tdscaling"
        )
    return version


def _apply(connection: duckdb.DuckDBPyConnection, migrations: tuple[Migration, ...]) -> None:
    def work() -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT, description VARCHAR)")
        for statement in (statement for migration in migrations for statement in migration.statements):
            connection.execute(statement)
        row = [value for migration in migrations for value in (migration.version, migration.description)]
        connection.execute(f"INSERT INTO schema_version VALUES {', '.join(['(?, ?)'] * len(migrations))}", row)

    message = "; ".join(f"migration {migration.version}: {migration.description}" for migration in migrations)
    transact(connection, message, work)
