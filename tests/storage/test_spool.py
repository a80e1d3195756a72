"""Promises of spool.py: what was appended is there after any crash, and counts only for the blueprint it is of."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Message, Trajectory
from tdscaling_assets.storage.spool import Spool

BATCH = "r01-b01"


def numbered(trajectory: Trajectory, number: int) -> Trajectory:
    return trajectory.model_copy(update={"trajectory_id": f"t{number}", "blueprint_id": f"p{number}"})


def kept(spool: Spool, digests: dict[str, str]) -> dict[str, Trajectory]:
    return {blueprint_id: spool.read(blueprint_id) for blueprint_id in spool.load(digests)}


def spool_file(home: Path) -> Path:
    return home / "spool" / f"{BATCH}.jsonl"


def test_kept_conversations_come_back_equal(tmp_path: Path, trajectory: Trajectory) -> None:
    odd = trajectory.model_copy(update={"messages": (Message(role="user", content="a\ud800\x00\u2028\n注"),)})
    with Spool(tmp_path, BATCH) as spool:
        spool.append(trajectory, "d1")
        spool.append(numbered(odd, 2), "d2")
    with Spool(tmp_path, BATCH) as spool:
        assert kept(spool, {"p1": "d1", "p2": "d2"}) == {"p1": trajectory, "p2": numbered(odd, 2)}


def test_a_changed_or_unknown_blueprint_is_talked_through_again(tmp_path: Path, trajectory: Trajectory) -> None:
    with Spool(tmp_path, BATCH) as spool:
        for number in (1, 2, 3):
            spool.append(numbered(trajectory, number), f"d{number}")
        assert spool.load({"p1": "d1", "p2": "changed"}) == ["p1"]
        with pytest.raises(KeyError):
            spool.read("p2")


def test_the_last_line_of_a_blueprint_counts(tmp_path: Path, trajectory: Trajectory) -> None:
    with Spool(tmp_path, BATCH) as spool:
        spool.append(trajectory, "d1")
        spool.append(trajectory.model_copy(update={"cac": 9.0}), "d1")
        assert spool.read("p1").cac == 9.0
        assert spool.load({"p1": "d1"}) == ["p1"]
        assert spool.read("p1").cac == 9.0


def test_a_write_torn_at_any_byte_loses_at_most_its_own_line(tmp_path: Path, trajectory: Trajectory) -> None:
    short = trajectory.model_copy(update={"messages": trajectory.messages[:1]})
    first, second, third = (numbered(short, number) for number in (1, 2, 3))
    with Spool(tmp_path, BATCH) as spool:
        spool.append(first, "d")
        whole = spool_file(tmp_path).stat().st_size
        spool.append(second, "d")
    content = spool_file(tmp_path).read_bytes()
    digests = dict.fromkeys(["p1", "p2", "p3"], "d")
    for end in range(whole, len(content)):
        spool_file(tmp_path).write_bytes(content[:end])
        with Spool(tmp_path, BATCH) as spool:
            found = kept(spool, digests)
            assert found.pop("p2", second) == second
            assert found == {"p1": first}
            if end % 100 == 0 or end >= len(content) - 2:
                spool.append(third, "d")
                assert spool.read("p3") == third
                assert kept(spool, digests).items() >= {"p1": first, "p3": third}.items()


def test_a_killed_process_loses_nothing_that_append_returned_from(tmp_path: Path, trajectory: Trajectory) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tdscaling_assets.schema import Trajectory\nfrom tdscaling_assets.storage.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), sys.argv[2])\n"
        "spool.append(Trajectory.model_validate_json(sys.argv[3]), 'd1')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    plain = trajectory.model_copy(update={"messages": trajectory.messages[1:]})
    command = [sys.executable, "-c", code, str(tmp_path), BATCH, plain.model_dump_json()]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Spool(tmp_path, BATCH) as spool:
        assert kept(spool, {"p1": "d1"}) == {"p1": plain}


def test_lines_of_another_version_are_left_out(tmp_path: Path, trajectory: Trajectory) -> None:
    spool_file(tmp_path).parent.mkdir(parents=True)
    spool_file(tmp_path).write_text(
        '{"digest": "d1"}\n[]\nnull\n{"digest": "d1", "trajectory": {"blueprint_id": "p1"}}\n'
    )
    with Spool(tmp_path, BATCH) as spool:
        assert spool.load({"p1": "d1"}) == []


def test_two_holders_cannot_share_a_batch(tmp_path: Path) -> None:
    with Spool(tmp_path, BATCH):
        with pytest.raises(StorageError, match="another process is running batch r01-b01"):
            Spool(tmp_path, BATCH)
        Spool(tmp_path, "r01-b02").close()
    Spool(tmp_path, BATCH).close()


def test_clear_deletes_the_lines_and_frees_the_batch(tmp_path: Path, trajectory: Trajectory) -> None:
    spool = Spool(tmp_path, BATCH)
    spool.append(trajectory, "d1")
    spool.clear()
    assert not spool_file(tmp_path).exists()
    with Spool(tmp_path, BATCH) as again:
        assert again.load({"p1": "d1"}) == []


def test_a_full_disk_keeps_whole_lines_and_says_so(tmp_path: Path, trajectory: Trajectory) -> None:
    with Spool(tmp_path, BATCH) as spool:
        spool.append(trajectory, "d1")
        size = spool_file(tmp_path).stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        try:
            with pytest.raises(StorageError, match=r"cannot write the spool .*r01-b01\.jsonl: File too large"):
                spool.append(numbered(trajectory, 2), "d2")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert spool_file(tmp_path).stat().st_size == size
        spool.append(numbered(trajectory, 2), "d2")
        assert list(kept(spool, {"p1": "d1", "p2": "d2"})) == ["p1", "p2"]


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    with pytest.raises(StorageError, match=r"cannot open the spool .*: Not a directory; check the disk and TDS_HOME"):
        Spool(home, BATCH)


@pytest.mark.parametrize("batch", ["../r01", "", "a/b", "r01 b01"])
def test_a_batch_key_cannot_leave_the_folder(tmp_path: Path, batch: str) -> None:
    with pytest.raises(StorageError, match="is not a batch key"):
        Spool(tmp_path, batch)
    assert not list(tmp_path.iterdir())
