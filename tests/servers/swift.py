"""OpenStack's Swift with its S3 in front: a second real store, which is slow to start and lacks conditions."""

from __future__ import annotations

import getpass
import os
import urllib.request
from pathlib import Path
from typing import Final

from .model import Server
from .processes import Nursery, free_ports, listens, program


def missing() -> str:
    lost = [
        name for name in (*(f"swift-{part}-server" for part in ("proxy", *_PARTS)), "memcached") if not program(name)
    ]
    return (
        f"{', '.join(lost)} (Debian packages swift-proxy, swift-account, swift-container, swift-object, memcached)"
        if lost
        else ""
    )


def start(nursery: Nursery) -> list[Server]:
    proxy, memory, *parts = free_ports(2 + len(_PARTS))
    folder = nursery.folder
    devices = _devices(nursery)
    (devices / "d1").mkdir()
    (folder / "swift.conf").write_text(_SWIFT, "utf-8")
    shared = _SHARED.format(user=getpass.getuser(), folder=folder)
    for part, port in zip(_PARTS, parts, strict=True):
        _make_ring(nursery, part, port)
        text = _PART.format(shared=shared, port=port, devices=devices, part=part)
        (folder / f"{part}.conf").write_text(text, "utf-8")
        nursery.start([program(f"swift-{part}-server") or "", str(folder / f"{part}.conf")])
    nursery.start(["memcached", "-l", "127.0.0.1", "-p", str(memory), "-U", "0", "-m", "16", "-u", getpass.getuser()])
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name.replace('-', '_')}\n" for name in _FILTERS)
    text = _PROXY.format(shared=shared, port=proxy, pipeline=" ".join(_PIPELINE), filters=filters, memory=memory)
    (folder / "proxy.conf").write_text(text, "utf-8")
    nursery.start([program("swift-proxy-server") or "", str(folder / "proxy.conf")])
    # The proxy is healthy before the others are there, and what it does not reach it does not try again for a minute.
    nursery.wait(lambda: all(map(listens, (memory, *parts))), lambda: _healthy(proxy))
    return [Server("swift", f"http://127.0.0.1:{proxy}", "test:tester", "testing")]


def _devices(nursery: Nursery) -> Path:
    memory = nursery.memory_folder()
    try:
        # Where Swift keeps what it knows of an object; memory has had such since Linux 6.6.
        os.setxattr(memory, "user.test", b"1")
    except OSError:
        return nursery.folder
    return memory


def _make_ring(nursery: Nursery, part: str, port: int) -> None:
    tool, file = program("swift-ring-builder") or "", f"{nursery.folder}/{part}.builder"
    where = [
        "--region",
        "1",
        "--zone",
        "1",
        "--ip",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "d1",
        "--weight",
        "1",
    ]
    nursery.run([tool, file, "create", "6", "1", "1"])
    nursery.run([tool, file, "add", *where])
    nursery.run([tool, file, "rebalance"])


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


_PARTS: Final = ("account", "container", "object")

_FILTERS: Final = (
    *("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "tempurl", "copy", "container-quotas"),
    *("account-quotas", "slo", "dlo", "symlink"),
)
"""Those that need no settings."""

_PIPELINE: Final = (
    *(
        "catch_errors",
        "gatekeeper",
        "healthcheck",
        "cache",
        "listing_formats",
        "bulk",
        "tempurl",
        "s3api",
        "tempauth",
    ),
    *("copy", "container-quotas", "account-quotas", "slo", "dlo", "versioned_writes", "symlink", "proxy-server"),
)

_SWIFT: Final = """\
[swift-hash]
swift_hash_path_prefix = test
swift_hash_path_suffix = test
[storage-policy:0]
name = default
default = yes
"""

_SHARED: Final = """\
bind_ip = 127.0.0.1
user = {user}
swift_dir = {folder}
workers = 0
log_level = WARNING
"""

_PART: Final = """\
[DEFAULT]
{shared}
bind_port = {port}
devices = {devices}
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
[pipeline:main]
pipeline = {part}-server
[app:{part}-server]
use = egg:swift#{part}
"""

_PROXY: Final = """\
[DEFAULT]
{shared}
bind_port = {port}
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
{filters}
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memory}
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
auth_pipeline_check = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
"""
