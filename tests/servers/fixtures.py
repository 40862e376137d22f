"""The fixtures that give out servers and buckets, and the session that they belong to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from .keeping import begin_session, end_session, shared
from .kinds import PLAIN, TLS, require
from .model import Server


def pytest_configure(config: pytest.Config) -> None:
    """Begin the session in the process that controls it; workers come to know it by their environment."""
    if not hasattr(config, "workerinput"):
        begin_session()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End it there, when all workers are gone."""
    if not hasattr(config, "workerinput"):
        end_session()


@pytest.fixture(scope="session")
def radosgw() -> Server:
    return _given("radosgw")


@pytest.fixture(scope="session")
def radosgw_tls() -> Server:
    return _given("radosgw-tls")


@pytest.fixture(scope="session")
def moto() -> Server:
    return _given("moto")


@pytest.fixture(scope="session")
def rclone_s3() -> Server:
    return _given("rclone")


@pytest.fixture(scope="session")
def rclone_s3_tls() -> Server:
    return _given("rclone-tls")


@pytest.fixture(scope="session")
def localstack() -> Server:
    return _given("localstack")


@pytest.fixture(scope="session")
def swift_s3() -> Server:
    return _given("swift")


@pytest.fixture(scope="session", params=PLAIN)
def s3_server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    return _given(request.param)


@pytest.fixture(scope="session", params=TLS)
def s3_tls_server(request: pytest.FixtureRequest) -> Server:
    """Each server that speaks TLS in turn."""
    return _given(request.param)


@pytest.fixture
def bucket() -> Iterator[Callable[[Server], str]]:
    """Make a fresh bucket on a server; it is emptied and removed after the test."""
    from .clients import make_bucket, remove_bucket

    with contextlib.ExitStack() as stack:

        def make(server: Server) -> str:
            name = make_bucket(server)
            stack.callback(remove_bucket, server, name)
            return name

        yield make


def _given(kind: str) -> Server:
    require(kind)
    return shared(kind)
