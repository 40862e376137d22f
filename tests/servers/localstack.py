"""LocalStack's S3, in an environment of its own: slow and big, with checksums and conditions that the others lack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from .model import Server
from .processes import Nursery, free_ports, listens


def missing() -> str:
    return "" if _PYTHON.exists() else "LocalStack (scripts/localstack makes an environment with it)"


def start(nursery: Nursery) -> list[Server]:
    (port,) = free_ports(1)
    folder, where = str(nursery.folder), f"127.0.0.1:{port}"
    env = {
        "HOME": folder,
        "LOCALSTACK_VOLUME_DIR": folder,
        "FILESYSTEM_ROOT": folder,
        "GATEWAY_LISTEN": where,
        "LOCALSTACK_HOST": where,
        "SERVICES": "s3",
        "STRICT_SERVICE_LOADING": "1",
        "EAGER_SERVICE_LOADING": "1",
        # Otherwise it takes any signature in a link.
        "S3_SKIP_SIGNATURE_VALIDATION": "0",
        # It is neither to ask nor to tell anyone outside of this machine.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "LOCALSTACK_API_KEY": "",
        "DNS_ADDRESS": "0",
        "OVERRIDE_IN_DOCKER": "0",
        "CONFIG_PROFILE": "",
        "PERSISTENCE": "0",
    }
    (nursery.folder / ".cache").mkdir()
    nursery.start([_PYTHON, "-m", "localstack.runtime.main"], env)
    nursery.wait(lambda: listens(port))
    return [Server("localstack", f"http://{where}", "test", "localstack-secret")]


_PYTHON: Final = Path(
    os.environ.get("OMNISTORAGE_LOCALSTACK") or Path(__file__).parents[2] / ".work" / "localstack" / "bin" / "python"
)
"""The interpreter that LocalStack is installed for."""
