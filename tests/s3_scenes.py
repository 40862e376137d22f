"""Buckets for the tests of S3, and drivers for them."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from omnistorage.config.secrets import resolve
from omnistorage.core.driver import Driver
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.layers.retry import Retry
from omnistorage.storage import Storage
from servers import Server
from servers.processes import program

Rclone = Callable[..., str]
"""Runs rclone with these arguments, and returns what it prints."""

KINDS = ("radosgw", "moto", "rclone_s3", "localstack", "swift_s3")
"""The fixtures of all servers."""

ANY_SIGNATURE = ("moto", "localstack")
"""Servers that do not look at signatures, so that no keys are wrong there."""

ANY_REGION = ("radosgw", "moto", "rclone", "localstack")
"""Servers that do not look at what region a request is signed for."""

PROVIDERS = {"radosgw": "ceph", "radosgw-tls": "ceph", "rclone-tls": "rclone"}
"""What the preset of a server is called, where it has another name."""


def by_reference(name: str, secret: str) -> str:
    """Return a secret as ``env:NAME`` becomes one, which other processes find again."""
    name = re.sub(r"\W", "_", name).upper()
    os.environ[name] = secret
    return resolve(f"env:{name}")


def settings(server: Server, **options: Any) -> dict[str, Any]:
    """Return the options by which to reach a server."""
    return {
        "provider": PROVIDERS.get(server.kind, server.kind),
        "endpoint_url": server.endpoint,
        "access_key_id": server.access_key,
        "secret_access_key": by_reference(f"SECRET_OF_{server.kind}", server.secret_key),
        "region": server.region,
        "ca_file": str(server.ca_file or ""),
        "part_size": 5 << 20,
        **options,
    }


def secretive(server: Server) -> Server:
    """Return the server with a secret that is no word of anything else, if it takes any."""
    return msgspec.structs.replace(server, secret_key="a-secret-of-ours") if server.kind in ANY_SIGNATURE else server


def service(server: Server, **options: Any) -> Storage:
    """Return the storage whose directories are the buckets of a server."""
    return Storage(S3Driver(Options(**settings(server, **options))))


def fresh_bucket(server: Server, **options: Any) -> S3Driver:
    """Return a driver for a bucket that was made just now; it keeps versions if ``versioned`` says so."""
    bucket = f"b{secrets.token_hex(8)}"
    with service(server) as buckets:
        buckets.mkdir(bucket)
    driver = S3Driver(Options(**settings(server, bucket=bucket, **options)))
    if driver.options.versioned:
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        driver._client.request("PUT", bucket, query=(("versioning", ""),), body=body)
    return driver


def needed(server: Server) -> list[Callable[[Driver], Driver]]:
    """Return the layers without which what a test finds on a server is a matter of chance.

    Of puts that make the same new folder at once, rclone's server answers 500 to one, in one case of some hundreds or
    a thousand: each makes a folder of its own, and the later one hides what the other has there ("Dir.Rename error:
    file does not exist" in its log). As in use, such a put is repeated; servers without that fault are not helped.
    """
    return [partial(Retry, wait=0.02)] if server.kind in ("rclone", "rclone-tls") else []


def configured(file: Path, **remotes: Options) -> Path:
    """Write a configuration in which each name means an S3 storage; return its path."""
    lines = []
    for name, options in remotes.items():
        lines.append(f'[remotes.{name}]\ntype = "s3"')
        for field in msgspec.structs.fields(Options):
            value = getattr(options, field.name)
            if value != field.default:
                lines.append(f"{field.name} = {json.dumps(value)}")
    file.write_text("\n".join(lines) + "\n")
    return file


def rclone_on(server: Server, bucket: str) -> Rclone:
    """Return what runs rclone on a server; ``{}`` in its arguments is the bucket."""
    given = {
        "type": "s3",
        "provider": {"radosgw": "Ceph", "rclone": "Rclone"}.get(server.kind, "Other"),
        "endpoint": server.endpoint,
        "access_key_id": server.access_key,
        "secret_access_key": server.secret_key,
        "region": server.region,
    }
    names = {f"RCLONE_CONFIG_R_{name.upper()}": value for name, value in given.items()}

    def run(*args: str | Path) -> str:
        words = [str(arg).replace("{}", f"R:{bucket}") for arg in args]
        done = subprocess.run(
            [program("rclone") or "rclone", "--config", "", *words],
            capture_output=True, env={**os.environ, **names}, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run
