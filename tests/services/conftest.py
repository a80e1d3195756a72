"""Small helpers that write variants of a packaged service."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from tdscaling_assets.services.spec import ServiceSpec, load_service

Variant = Callable[[str, str, str], ServiceSpec]


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    """Load a packaged service with one piece of its text replaced."""

    def load(name: str, old: str, new: str) -> ServiceSpec:
        text = files("tdscaling_assets.services").joinpath("specs", f"{name}.yaml").read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{old!r} is not in {name}.yaml"
        path = tmp_path / f"{name}.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return load_service(path)

    return load
