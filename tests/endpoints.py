"""The scripted teacher's endpoint on a free port of this machine, for the tests of several folders."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tdscaling_assets.llm.misbehaviour import Misbehaviour
from tdscaling_assets.llm.server import TeacherServer, teacher_app
from tdscaling_assets.llm.teacher import ScriptedTeacher


@contextmanager
def serving(teacher: ScriptedTeacher, misbehaviour: Misbehaviour | None = None) -> Iterator[str]:
    """The base URL of the teacher's endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = TeacherServer(teacher_app(teacher, misbehaviour))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()
