"""Replies are kept as they come, survive the process, and say what batch and night have cost."""

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Usage
from tdscaling_assets.storage.replies import Replies, RoleCost

USAGE = Usage(prompt_tokens=10, completion_tokens=2, usd=0.25, model="m", calls=1, seconds=0.5)


@pytest.fixture
def replies(tmp_path: Path) -> Iterator[Replies]:
    with Replies(tmp_path, "r01-b01", 30) as opened:
        yield opened


def date_all(home: Path, when: datetime) -> None:
    """Make every reply as old as that."""
    with sqlite3.connect(home / "cache" / "replies.sqlite") as file:
        file.execute("UPDATE replies SET at = ?", [when.isoformat()])
    file.close()


def test_a_reply_comes_back_also_to_another_process(replies: Replies, tmp_path: Path) -> None:
    assert replies.get("k") is None
    replies.put("k", "user", "hello", USAGE)
    assert replies.get("k") == "hello"
    with Replies(tmp_path, "", 30) as other:
        assert other.get("k") == "hello"


def test_a_reply_that_is_bought_twice_costs_twice(replies: Replies) -> None:
    replies.put("k", "user", "first", USAGE)
    replies.put("k", "user", "second", USAGE)
    assert replies.get("k") == "second"
    assert replies.spent_on_batch() == 0.5


def test_batch_and_night_add_up(replies: Replies, tmp_path: Path) -> None:
    replies.put("a", "user", "x", USAGE)
    with Replies(tmp_path, "r01-b02", 30) as other:
        other.put("b", "user", "x", USAGE)
        other.put("c", "user", "x", USAGE.model_copy(update={"usd": None}))
        assert (other.spent_on_batch(), other.spent_this_night()) == (0.25, 0.5)


def test_a_night_ends_at_noon(replies: Replies, tmp_path: Path) -> None:
    replies.put("a", "user", "x", USAGE)
    now = datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    last_noon = noon if now >= noon else noon - timedelta(days=1)
    date_all(tmp_path, last_noon)
    assert replies.spent_this_night() == 0.25
    date_all(tmp_path, last_noon - timedelta(seconds=1))
    assert replies.spent_this_night() == 0.0


def test_costs_are_means_by_role_and_model_and_an_unknown_price_stays_unknown(replies: Replies) -> None:
    replies.put("a", "user", "x", USAGE)
    replies.put("b", "user", "x", USAGE.model_copy(update={"prompt_tokens": 30}))
    replies.put("c", "judge", "x", USAGE.model_copy(update={"usd": None}))
    assert replies.costs() == {
        ("judge", "m"): RoleCost(1, 10.0, 2.0, None, 0.5),
        ("user", "m"): RoleCost(2, 20.0, 2.0, 0.25, 0.5),
    }


def test_old_replies_are_forgotten_when_it_is_opened(replies: Replies, tmp_path: Path) -> None:
    replies.put("a", "user", "x", USAGE)
    date_all(tmp_path, datetime.now(UTC) - timedelta(days=31))
    with Replies(tmp_path, "", 30) as later:
        assert later.get("a") is None


def test_two_may_write_at_once(tmp_path: Path) -> None:
    def write(name: str) -> None:
        with Replies(tmp_path, name, 30) as opened:
            for number in range(100):
                opened.put(f"{name}{number}", "user", "x", USAGE)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Replies(tmp_path, "a", 30) as opened:
        assert opened.costs()["user", "m"].calls == 200


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "replies.sqlite").write_text("rubbish " * 1000)
    with pytest.raises(StorageError, match=r"cannot use the cache of replies .*replies\.sqlite.* move the file away"):
        Replies(tmp_path, "", 30)
