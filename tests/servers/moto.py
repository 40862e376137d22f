"""moto: wide, quick to start, and lets everybody in."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from .model import Server
from .processes import Nursery, free_ports, listens


def missing() -> str:
    return "" if find_spec("moto") and find_spec("flask_cors") else "moto and flask-cors from PyPI"


def start(nursery: Nursery) -> list[Server]:
    (port,) = free_ports(1)
    nursery.start([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)])
    nursery.wait(lambda: listens(port))
    return [Server("moto", f"http://127.0.0.1:{port}", "testkey", "testsecret123")]
