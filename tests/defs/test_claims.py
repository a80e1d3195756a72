"""A batch is asked for once, and again only when nothing came of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tdscaling_assets.defs.claims import PATIENCE_SECONDS, Claim, claim, read_claim
from tdscaling_assets.errors import StorageError
from tdscaling_assets.storage.locks import file_lock

NOW = 1_000_000.0


def test_the_first_may_ask_and_the_second_learns_of_it(tmp_path: Path) -> None:
    assert claim(tmp_path, "r02-b01", [], NOW) is None
    assert claim(tmp_path, "r02-b01", [], NOW + 1) == Claim("r02-b01", NOW)


def test_of_many_at_once_one_may_ask(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: claim(tmp_path, "r02-b01", [], NOW), range(64)))
    assert answers.count(None) == 1


def test_a_claim_is_not_made_while_another_is(tmp_path: Path) -> None:
    claim(tmp_path, "r01-b03", [], NOW)
    with ThreadPoolExecutor(1) as pool:
        with file_lock(tmp_path / "runs" / "claim.json"):
            waiting = pool.submit(claim, tmp_path, "r02-b01", ["r01-b03"], NOW)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        assert waiting.result(30) is None


def test_another_batch_waits_as_well_until_the_first_is_settled(tmp_path: Path) -> None:
    claim(tmp_path, "r01-b03", [], NOW)
    assert claim(tmp_path, "r02-b01", ["r01-b02"], NOW) == Claim("r01-b03", NOW)
    assert claim(tmp_path, "r02-b01", ["r01-b03"], NOW) is None


def test_what_came_to_nothing_is_asked_for_again(tmp_path: Path) -> None:
    claim(tmp_path, "r02-b01", [], NOW)
    assert claim(tmp_path, "r02-b01", [], NOW + PATIENCE_SECONDS - 1) is not None
    assert claim(tmp_path, "r02-b01", [], NOW + PATIENCE_SECONDS) is None
    assert read_claim(tmp_path) == Claim("r02-b01", NOW + PATIENCE_SECONDS)


def test_a_clock_that_was_set_back_blocks_nothing(tmp_path: Path) -> None:
    claim(tmp_path, "r02-b01", [], NOW)
    assert claim(tmp_path, "r02-b01", [], NOW - 10_000) is None


@pytest.mark.parametrize("text", ["", "[", "[1]", "null", '["r02-b01", null]'])
def test_half_a_claim_is_none(tmp_path: Path, text: str) -> None:
    claim(tmp_path, "r02-b01", [], NOW)
    (tmp_path / "runs" / "claim.json").write_text(text)
    assert read_claim(tmp_path) is None
    assert claim(tmp_path, "r02-b01", [], NOW) is None


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageError, match="set TDS_HOME"):
        claim(tmp_path / "home", "r02-b01", [], NOW)
