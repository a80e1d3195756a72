"""Promises of the terminal's tables: in a pipe nothing is cut, and nothing is taken for markup."""

from io import StringIO

import polars as pl
from rich.console import Console

from tdscaling_assets.commands.terminal import print_batches, print_frame
from tdscaling_assets.settings import load_settings
from tdscaling_assets.storage.lake import Lake


def test_a_frame_in_a_pipe_is_printed_whole_and_as_it_is() -> None:
    frame = pl.DataFrame({"text": ["[red]" + "x" * 300 + "[/nothing]", None], "share": [1 / 3, 2.0]})
    printed = StringIO()
    print_frame(frame, Console(file=printed))
    assert "[red]" + "x" * 300 + "[/nothing]" in printed.getvalue()
    assert "0.3333" in printed.getvalue()
    assert "None" in printed.getvalue()


def test_a_home_without_batches_has_an_empty_table() -> None:
    settings = load_settings()
    Lake.open(settings).close()
    printed = StringIO()
    print_batches(settings, Console(file=printed, width=80))
    assert "batch" in printed.getvalue()
