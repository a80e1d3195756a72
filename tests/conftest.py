"""What the tests of several folders share."""

from collections.abc import Iterator

import pytest
from endpoints import serving

from tdscaling_assets.llm.teacher import ScriptedTeacher


@pytest.fixture(scope="session")
def teacher_url() -> Iterator[str]:
    """The endpoint of an obedient teacher."""
    with serving(ScriptedTeacher(1.0)) as url:
        yield url
