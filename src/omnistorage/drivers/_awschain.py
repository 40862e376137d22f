"""Credentials that somebody has to be asked for: roles, SSO, programs, containers, instances. botocore asks.

Its library is the extra ``omnistorage[aws]`` and imported only here, when a setting calls for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from omnistorage.core.errors import ConfigError, MissingExtra, Unauthenticated
from omnistorage.core.redact import redacted_text

from ._sigv4 import Credentials

PROFILE: Final = "profile"
WEB_IDENTITY: Final = "web identity"
CONTAINER: Final = "container"
INSTANCE: Final = "instance"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One place to ask, already chosen.

    Attributes:
        kind: PROFILE, WEB_IDENTITY, CONTAINER or INSTANCE.
        why: What calls for it, in words for messages (``profile 'x' (role_arn)``).
        profile: The profile it is about.
        config_file: Path of the config file.
        credentials_file: Path of the credentials file.
        region: Region of the services asked, or empty.
        role: ``web_identity_token_file``, ``role_arn`` and ``role_session_name`` for WEB_IDENTITY.
    """

    kind: str
    why: str
    profile: str
    config_file: str
    credentials_file: str
    region: str = ""
    role: dict[str, str] = {}


class Chain:
    """Credentials that botocore got and gets again before they expire. Not for two threads at once."""

    def __init__(self, step: Step, env: Mapping[str, str]) -> None:
        self.step = step
        self._env = env
        self._found: Any = None

    def credentials(self) -> Credentials:
        """Return what is valid now.

        Raises:
            MissingExtra: botocore is not installed.
            ConfigError: A setting is wrong.
            Unauthenticated: There is nothing, or it is refused.
        """
        why = self.step.why
        try:
            import botocore.session
        except ModuleNotFoundError as exc:
            raise MissingExtra(f"{why} needs botocore: pip install 'omnistorage[aws]'") from exc
        from botocore import exceptions

        with _quiet():
            try:
                if self._found is None:
                    self._found = self._load(botocore.session)
                frozen = self._found and self._found.get_frozen_credentials()
            except (exceptions.InvalidConfigError, exceptions.PartialCredentialsError) as exc:
                raise ConfigError(f"{why}: {_line(exc)}") from exc
            except (exceptions.BotoCoreError, exceptions.ClientError) as exc:
                raise Unauthenticated(f"{why}: {_line(exc)}") from exc
            except OSError as exc:
                raise Unauthenticated(f"{why}: {exc.strerror or _line(exc)}") from exc
            except (ValueError, KeyError, RuntimeError) as exc:
                # What a program or server answered may be quoted in there, secrets and all.
                raise Unauthenticated(f"{why}: the answer makes no sense ({type(exc).__name__})") from None
        if not frozen or not frozen.access_key or not frozen.secret_key:
            raise Unauthenticated(f"{why}: gives no credentials")
        expiry = getattr(self._found, "_expiry_time", None)
        return Credentials(
            frozen.access_key, frozen.secret_key, frozen.token or "", None if expiry is None else expiry.timestamp()
        )

    def _load(self, session_module: Any) -> Any:
        step = self.step
        # A profile given here also tells botocore to leave the environment's keys alone: those had their turn.
        session = session_module.Session(profile=step.profile if step.kind == PROFILE else None)
        session.set_config_variable("config_file", step.config_file)
        session.set_config_variable("credentials_file", step.credentials_file)
        if step.region:
            session.set_config_variable("region", step.region)
        if step.kind == PROFILE:
            return session.get_credentials()
        from botocore import credentials

        if step.kind == CONTAINER:
            return credentials.ContainerProvider(environ=self._env).load()
        if step.kind == WEB_IDENTITY:
            return credentials.AssumeRoleWithWebIdentityProvider(
                load_config=lambda: {"profiles": {step.profile: step.role}},
                client_creator=lambda name, **given: session.create_client(
                    name, **{"region_name": step.region or None, **given}
                ),
                profile_name=step.profile,
                disable_env_vars=True,
            ).load()
        endpoint = self._env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        if endpoint:
            session.set_config_variable("ec2_metadata_service_endpoint", endpoint)
        return session.get_component("credential_provider").get_provider("iam-role").load()


class _Quiet(logging.Filter):
    """Drops records of threads that get credentials: botocore logs whole answers, and tracebacks besides errors."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.here, "quiet", False)


_QUIET: Final = _Quiet()


@contextmanager
def _quiet() -> Iterator[None]:
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("botocore", "urllib3"):
            # Adding it again does nothing.
            logging.getLogger(name).addFilter(_QUIET)
    _QUIET.here.quiet = True
    try:
        yield
    finally:
        _QUIET.here.quiet = False


def _line(exc: Exception) -> str:
    return redacted_text(" ".join(str(exc).split()))[:400]
