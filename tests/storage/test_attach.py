"""Promises of attach.py and of opening: a home is made whole, a reader makes nothing, and what is broken is said."""

import resource
from pathlib import Path

import duckdb
import pytest

from tdscaling_assets.errors import ConfigError, StorageError
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.attach import attach_statement, connect, data_location, hide_password, postgres_libpq
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.tables import MIGRATIONS

SECRET = "postgres:host=127.0.0.1 port=1 user=tds password='p w' dbname=lake connect_timeout=2"


def test_opening_makes_the_home_with_a_catalog_in_wal_mode(settings: Settings) -> None:
    Lake.open(settings).close()
    catalog = settings.home / "lake" / "catalog.sqlite"
    assert catalog.read_bytes()[18:20] == b"\x02\x02"  # SQLite's file header: WAL for writing and for reading
    assert (settings.home / "lake" / "data").is_dir()


def test_a_reader_of_a_home_without_a_lake_makes_nothing(settings: Settings) -> None:
    with pytest.raises(StorageError, match="holds no lake yet: run `make demo`"):
        Lake.open(settings, read_only=True)
    assert not settings.home.exists()


def test_the_data_may_be_elsewhere(settings: Settings, tmp_path: Path) -> None:
    with Lake.open(settings.model_copy(update={"lake_data": str(tmp_path / "parquet")})) as lake:
        assert lake.query("SELECT version FROM schema_version")["version"].to_list() == [
            one.version for one in MIGRATIONS
        ]
    assert list((tmp_path / "parquet").rglob("*.parquet"))
    assert not (settings.home / "lake" / "data").exists()


def test_a_relative_home_is_made_absolute(settings: Settings) -> None:
    relative = settings.model_copy(update={"home": Path("data")})
    assert data_location(relative) == str(Path.cwd() / "data" / "lake" / "data")


def test_extensions_come_signed_from_their_wheels(settings: Settings) -> None:
    with connect(settings) as connection:
        unsigned = connection.execute("SELECT current_setting('allow_unsigned_extensions')").fetchall()
        loaded = connection.execute("SELECT extension_name, installed FROM duckdb_extensions() WHERE loaded")
        assert unsigned == [(False,)]
        assert {("ducklake", False), ("sqlite_scanner", False)} <= set(loaded.fetchall())


def test_the_statement_attaches_the_lake_in_a_plain_client(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "it's a home", catalog="", lake_data="")
    Lake.open(settings).close()
    statement = attach_statement(settings)
    assert "\n" not in statement
    assert statement.startswith("INSTALL ducklake; LOAD ducklake; INSTALL sqlite; LOAD sqlite; ATTACH ")
    with connect(settings) as client:  # the extensions are loaded: what is left is the attachment itself
        client.execute(statement[statement.index("ATTACH ") :])
        assert client.execute("SELECT version FROM schema_version").fetchall() == [(one.version,) for one in MIGRATIONS]
        with pytest.raises(duckdb.Error, match="read-only"):
            client.execute("DELETE FROM schema_version")


def test_the_statement_keeps_the_password_to_itself(settings: Settings) -> None:
    statement = attach_statement(settings.model_copy(update={"catalog": SECRET}))
    assert "ducklake:postgres:host=127.0.0.1 port=1 user=tds dbname=lake" in statement
    assert "p w" not in statement


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host=h password=secret user=u", "host=h user=u"),
        ("host=h PASSWORD = 'se cr\\'et' user=u", "host=h user=u"),
        ("postgresql://u:secret@h/db", "postgresql://u@h/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
    ],
)
def test_passwords_are_hidden(text: str, shown: str) -> None:
    assert hide_password(text) == shown


def test_an_unknown_catalog_is_a_configuration_error(settings: Settings) -> None:
    assert postgres_libpq(settings) is None
    with pytest.raises(ConfigError, match="TDS_CATALOG is 'mysql:x'"):
        Lake.open(settings.model_copy(update={"catalog": "mysql:x"}))


def test_a_home_that_is_a_file_is_one_sentence(settings: Settings) -> None:
    settings.home.write_text("")
    for read_only, complaint in [(False, "Not a directory"), (True, "holds no lake yet")]:
        with pytest.raises(StorageError, match=complaint) as caught:
            Lake.open(settings, read_only=read_only)
        assert "\n" not in str(caught.value)


def test_a_home_that_cannot_be_written_is_one_sentence(settings: Settings) -> None:
    unwritable = settings.model_copy(update={"home": Path("/proc/tdscaling")})
    with pytest.raises(StorageError, match=r"cannot open the lake of /proc/tdscaling: .*check TDS_HOME"):
        Lake.open(unwritable)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_corrupt_catalog_is_one_sentence(settings: Settings, read_only: bool) -> None:
    catalog = settings.home / "lake" / "catalog.sqlite"
    catalog.parent.mkdir(parents=True)
    catalog.write_bytes(b"not a database " * 100)
    with pytest.raises(StorageError, match="file is not a database; check TDS_HOME") as caught:
        Lake.open(settings, read_only=read_only)
    assert "\n" not in str(caught.value)
    assert catalog.read_bytes() == b"not a database " * 100


def test_an_empty_catalog_is_no_lake_for_a_reader(settings: Settings) -> None:
    catalog = settings.home / "lake" / "catalog.sqlite"
    catalog.parent.mkdir(parents=True)
    catalog.touch()
    with pytest.raises(StorageError, match="cannot open the lake of "):
        Lake.open(settings, read_only=True)


def test_a_full_disk_is_one_sentence(settings: Settings) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StorageError, match="cannot open the lake of ") as caught:
            Lake.open(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    with Lake.open(settings) as lake:
        assert lake.read("verdicts").is_empty()


@pytest.mark.parametrize("read_only", [False, True])
def test_an_unreachable_postgres_is_one_sentence_without_the_password(settings: Settings, read_only: bool) -> None:
    with pytest.raises(StorageError, match=r"cannot open the lake of .*Connection refused") as caught:
        Lake.open(settings.model_copy(update={"catalog": SECRET}), read_only=read_only)
    assert "p w" not in str(caught.value)
    assert "\n" not in str(caught.value)
