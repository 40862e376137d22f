"""Real S3 servers for the tests: started when first asked for, on 127.0.0.1 only, gone with the test session.

``with running(kind) as server:`` is a server of one's own; ``shared(kind)`` is the one that all workers of a test
session share, which the fixtures in ``servers.fixtures`` give out. A keeper process starts them and ends with its
owner, however that ends; see ``servers.keeper``.
"""

from __future__ import annotations

from .keeping import running, shared
from .kinds import KINDS, PLAIN, TLS, lacking, missing, require
from .model import Server, StartFailed

__all__ = [
    "Server",
    "StartFailed",
    "running",
    "shared",
    "missing",
    "require",
    "lacking",
    "KINDS",
    "PLAIN",
    "TLS",
]
