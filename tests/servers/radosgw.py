"""Ceph's RADOS Gateway on one monitor and one OSD that keeps everything in memory: a real object store."""

from __future__ import annotations

import base64
import secrets
import struct
import time
import uuid
from pathlib import Path
from typing import Final

from .certificates import certify
from .model import Server
from .processes import Nursery, free_ports, listens, program


def missing() -> str:
    # What stands in packages that these depend on is there with them.
    lost = [name for name in ("radosgw", "ceph-mon", "ceph-osd") if program(name) is None]
    return f"{', '.join(lost)} (Debian packages of these names)" if lost else ""


def start(nursery: Nursery) -> list[Server]:
    plain, tls, new, old = free_ports(4)
    folder, fsid = nursery.folder, str(uuid.uuid4())
    monitor = f"[v2:127.0.0.1:{new},v1:127.0.0.1:{old}]"
    for name in ("mon", "osd", "run"):
        (folder / name).mkdir()
    frontend = f"beast endpoint=127.0.0.1:{plain} ssl_endpoint=127.0.0.1:{tls} ssl_certificate={folder}/both.pem"
    settings = _SETTINGS.format(folder=folder, fsid=fsid, monitor=monitor, frontend=frontend)
    (folder / "ceph.conf").write_text(settings, "utf-8")
    config = ["-c", str(folder / "ceph.conf")]

    _write_keys(folder / "keyring")
    map_of_osds, map_of_monitors = str(folder / "osdmap"), str(folder / "monmap")
    # The OSD stands in the map from the beginning: to have it added by ``ceph`` would take longer than all the rest.
    nursery.run(["osdmaptool", "--createsimple", "1", map_of_osds])
    nursery.run(["monmaptool", "--create", "--addv", "a", monitor, "--fsid", fsid, map_of_monitors])
    made_with = ["--monmap", map_of_monitors, "--osdmap", map_of_osds, "-k", str(folder / "keyring")]
    nursery.run(["ceph-mon", *config, "--mkfs", "-i", "a", *made_with])
    nursery.start(["ceph-mon", *config, "-f", "-i", "a"])
    nursery.run(["ceph-osd", *config, "--no-mon-config", "-i", "0", "--mkfs", "--osd-uuid", str(uuid.uuid4())])
    nursery.start(["ceph-osd", *config, "-f", "-i", "0"])
    files = certify(folder)
    keys = ["--access-key", "testkey", "--secret", "testsecret123"]
    user = ["user", "create", "--uid", "test", "--display-name", "test", *keys, "--max-buckets", "0"]
    nursery.run(["radosgw-admin", *config, "-n", "client.rgw", *user])
    nursery.start(["radosgw", *config, "-f", "-n", "client.rgw"])
    nursery.wait(lambda: listens(plain), lambda: listens(tls))
    return [
        Server("radosgw", f"http://127.0.0.1:{plain}", "testkey", "testsecret123"),
        Server("radosgw-tls", f"https://127.0.0.1:{tls}", "testkey", "testsecret123", ca_file=files.ca),
    ]


def _write_keys(file: Path) -> None:
    # Without keys the gateway hangs: of the three ways to authenticate, "none" does not work for it.
    lines = []
    for name, rights in _RIGHTS.items():
        # Its sort, when it was made (seconds and nanoseconds), its length, and the key.
        key = struct.pack("<HIIH", 1, int(time.time()), 0, 16) + secrets.token_bytes(16)
        lines += [f"[{name}]", f"key = {base64.b64encode(key).decode()}"]
        lines += [f'caps {subject} = "{right}"' for subject, right in rights.items()]
    file.touch(mode=0o600)
    file.write_text("\n".join([*lines, ""]), "utf-8")


_RIGHTS: Final = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "client.rgw": {"mon": "allow rwx", "osd": "allow rwx"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
}

# The short intervals of the monitor take its start from twelve seconds to one. Garbage is collected soon, or the
# objects that tests have deleted would fill the memory; not at once, or readers would lose what is replaced then.
_SETTINGS: Final = """\
[global]
fsid = {fsid}
mon_host = {monitor}
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = {folder}/keyring
mon_data = {folder}/mon
osd_data = {folder}/osd
run_dir = {folder}/run
crash_dir = {folder}/run
admin_socket = {folder}/run/$name.asok
pid_file =
log_file =
mon_cluster_log_file =
log_to_stderr = true
err_to_stderr = true
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
mon_data_avail_crit = 1
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_crush_update_on_start = false
osd_class_update_on_start = false
osd_heartbeat_interval = 2
osd_objectstore = memstore
memstore_device_bytes = 8589934592
ms_bind_port_min = 20000
ms_bind_port_max = 29999
[client.rgw]
rgw_frontends = {frontend}
rgw_data = {folder}/run
rgw_crypt_require_ssl = false
rgw_thread_pool_size = 32
rgw_enable_usage_log = false
rgw_enable_lc_threads = false
rgw_override_bucket_index_max_shards = 1
rgw_multipart_min_part_size = 1024
rgw_gc_max_objs = 2
rgw_gc_obj_min_wait = 15
rgw_gc_processor_period = 5
"""
