"""The scripted teacher's endpoint on a free port of this machine, for the tests of several folders."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tdscaling_assets.llm.server import teacher_app
from tdscaling_assets.llm.teacher import ScriptedTeacher


@contextmanager
def serving(teacher: ScriptedTeacher) -> Iterator[str]:
    """The base URL of the teacher's endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(teacher_app(teacher), log_level="warning", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()
