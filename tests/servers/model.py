"""What a running server is to a test."""

from __future__ import annotations

import msgspec


class Server(msgspec.Struct, frozen=True):
    """Where a server listens, and whom it lets in.

    Attributes:
        kind: One of ``servers.KINDS``.
        endpoint: ``http://127.0.0.1:PORT`` or ``https://127.0.0.1:PORT``.
        access_key: The one user's access key.
        secret_key: Its secret.
        region: What requests are signed for.
        ca_file: Path of the certificate (PEM) that the server's is signed with; "" without TLS.
    """

    kind: str
    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    ca_file: str = ""


class StartFailed(Exception):
    """A server did not start; the message ends with what it wrote last."""


class Reply(msgspec.Struct, frozen=True):
    """The keeper's answer to one line of a client.

    Attributes:
        servers: By kind, those that the started service is; a service may be several, with and without TLS.
        pids: Of all processes that the keeper has started and not stopped, and of itself, which is the first.
        error: Why there is no server.
    """

    servers: dict[str, Server] = {}
    pids: list[int] = []
    error: str = ""
