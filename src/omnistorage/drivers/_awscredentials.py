"""Where the keys for AWS and its kin come from: options, environment, shared files, and what botocore asks.

Looked for in this order, which is botocore's (``create_credential_resolver`` in botocore/credentials.py, 1.44):

1. options ``access_key_id``, ``secret_access_key``, ``session_token``;
2. ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SECURITY_TOKEN`` or ``AWS_SESSION_TOKEN``,
   ``AWS_CREDENTIAL_EXPIRATION``: not if a profile was given as an option;
3. ``role_arn`` of the profile (with ``source_profile`` or ``credential_source``) *;
4. web identity: ``AWS_WEB_IDENTITY_TOKEN_FILE``, ``AWS_ROLE_ARN``, ``AWS_ROLE_SESSION_NAME`` (not if a profile was
   given as an option) or the profile's settings of those names *;
5. ``sso_account_id``, ``sso_role_name`` of the profile *;
6. keys of the profile in the credentials file;
7. ``login_session``, then ``credential_process`` of the profile *;
8. keys of the profile in the config file;
9. ``AWS_CREDENTIAL_FILE``, then ``BOTO_CONFIG`` or ``/etc/boto.cfg`` and ``~/.boto``: what tools of old used;
10. ``AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`` or ``AWS_CONTAINER_CREDENTIALS_FULL_URI`` *;
11. the metadata service of the EC2 instance *.

Those with a star need the extra ``omnistorage[aws]``. Of one profile the first place that has something is taken, and
nothing is put together from two. The profile is the option, ``AWS_DEFAULT_PROFILE``, ``AWS_PROFILE`` or ``default``.

Different from botocore: variables that are set but empty count as not set; ``AWS_REGION`` is read, as all other SDKs
do; and the metadata service is asked only where there is a sign of it (this is an EC2 instance by what its firmware
says, ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` is set, or ``AWS_EC2_METADATA_DISABLED=false``), because elsewhere the
question is a second of silence, or goes to a stranger.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from omnistorage.core.errors import ConfigError, StorageError, Unauthenticated
from omnistorage.core.secret import refuse_plain

from . import _awsfiles
from ._awsfiles import Settings, Shared, text
from ._sigv4 import Credentials, check_text

logger = logging.getLogger(__name__)

MARGIN: Final = 300.0
"""Seconds before they expire from which on credentials are renewed."""

_PATIENCE: Final = 10.0
"""Seconds between attempts to renew, or to find others, while the old ones may still be valid."""

_ENV_TOKENS: Final = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
_FILE_TOKENS: Final = ("aws_security_token", "aws_session_token")
_WEB_IDENTITY: Final = {
    "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "role_arn": "AWS_ROLE_ARN",
    "role_session_name": "AWS_ROLE_SESSION_NAME",
}


class Source:
    """Finds credentials, region and endpoint, late and once; renews what expires. Safe for many threads.

    It pickles as its arguments but for ``env``: in another process that process's environment and files are asked.
    A secret that was an argument has to have come by reference, and travels as that.

    Args:
        access_key_id: Name of the key, if it is given rather than looked for.
        secret_access_key: Its secret.
        session_token: Its session token, if it has one.
        profile: Profile of the shared files; empty for that of the environment.
        anonymous: Sign nothing, whatever else is given.
        env_auth: Look at the environment and what follows it; if False, no keys mean anonymous.
        env: The environment; that of the process by default.
        clock: Tells Unix time in seconds.

    Raises:
        ConfigError: Only a part of the keys is given.
    """

    def __init__(
        self,
        *,
        access_key_id: str = "",
        secret_access_key: str = "",
        session_token: str = "",
        profile: str = "",
        anonymous: bool = False,
        env_auth: bool = True,
        env: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not anonymous:
            _check_given(access_key_id, secret_access_key, session_token)
            check_text(access_key_id, secret_access_key, session_token)
        self._settings: dict[str, Any] = {
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "session_token": session_token,
            "profile": profile,
            "anonymous": anonymous,
            "env_auth": env_auth,
        }
        self._profile = profile
        self._asks = env_auth and not anonymous
        self._env: Mapping[str, str] = os.environ if env is None else env
        self._clock = clock
        self._anonymous = anonymous or not (access_key_id or env_auth)
        self._current: Credentials | None = None
        if access_key_id and not anonymous:
            self._current = Credentials(access_key_id, secret_access_key, session_token)
        self._lock = threading.RLock()
        self._shared: Shared | None = None
        self._chain: Any = None
        self._next = 0.0

    def credentials(self) -> Credentials | None:
        """Return credentials that are valid for a while; None if requests are not to be signed.

        What expires is renewed five minutes before, by one thread at a time, while the others go on with the old
        ones as long as these are valid; they also serve if renewing fails.

        Raises:
            Unauthenticated: There are none, or whoever has them refuses; says where they were looked for.
            ConfigError: A setting is wrong or incomplete; MissingExtra if botocore is needed and missing.
        """
        if self._anonymous:
            return None
        current = self._current
        if current is not None and self._left(current) > MARGIN:
            return current
        valid = current is not None and self._left(current) > 0
        if not self._lock.acquire(blocking=not valid):
            return current
        try:
            return self._renewed()
        finally:
            self._lock.release()

    def forget(self, refused: Credentials) -> bool:
        """Look anew at the next call if ``refused`` is still what is held: a service says it is not valid (any more).

        Returns False for keys that were given as options: those stay what they are.
        """
        if self._settings["access_key_id"]:
            return False
        with self._lock:
            if self._current is refused:
                self._current = self._shared = self._chain = None
        return True

    def replaced(self, refused: Credentials) -> bool:
        """Look anew at once, and say whether other keys than ``refused`` are held now.

        For answers that may mean that they are not valid, or something else: what is held stays where no other keys
        are found, and whoever gave them (a role, a program) is asked every ten seconds at most.
        """
        if self._settings["access_key_id"]:
            return False
        with self._lock:
            if self._current is refused:
                self._look_again(refused)
            return self._current is not None and _keys(self._current) != _keys(refused)

    def region(self) -> str:
        """Return the region that environment or profile name, or nothing.

        Raises:
            ConfigError: A shared file cannot be understood, or there is no such profile.
        """
        if not self._asks:
            return ""
        return self._env.get("AWS_REGION") or self._env.get("AWS_DEFAULT_REGION") or text(self._scoped(), "region")

    def endpoint(self) -> str:
        """Return the endpoint for S3 that environment or profile name, or nothing.

        The order is that of botocore (``ConfiguredEndpointProvider`` in botocore/configprovider.py): environment for
        S3, environment for all, the profile's section of services, the profile's own ``endpoint_url``.

        Raises:
            ConfigError: As for ``region``; or the profile names a section of services that is not there.
        """
        if not self._asks:
            return ""
        name = "ignore_configured_endpoint_urls"
        ignored = self._env.get(f"AWS_{name.upper()}") or text(self._scoped(), name)
        if ignored.lower() == "true":
            return ""
        found = self._env.get("AWS_ENDPOINT_URL_S3") or self._env.get("AWS_ENDPOINT_URL")
        return found or self._services_endpoint() or text(self._scoped(), "endpoint_url")

    def __repr__(self) -> str:
        hidden = ("secret_access_key", "session_token")
        shown = ", ".join(f"{k}={v!r}" for k, v in self._settings.items() if k not in hidden)
        return f"Source({shown})"

    def __reduce__(self) -> tuple[object, ...]:
        refuse_plain("credentials", self._settings)
        return _source, (self._settings,)

    def _left(self, credentials: Credentials) -> float:
        return MARGIN + 1 if credentials.expires is None else credentials.expires - self._clock()

    def _renewed(self) -> Credentials:
        current = self._current
        if current is not None and (self._left(current) > MARGIN or self._still_serves(current)):
            return current
        try:
            found = self._chain.credentials() if self._chain is not None else self._found()
            if self._left(found) <= 0:
                raise Unauthenticated("the credentials found have expired")
        except StorageError as exc:
            self._next = self._clock() + _PATIENCE
            if current is None or self._left(current) <= 0:
                raise
            logger.warning("credentials could not be renewed yet: %s", exc)
            return current
        self._next = self._clock() + _PATIENCE
        self._current = found
        return found

    def _look_again(self, held: Credentials) -> None:
        """Hold other keys than these, if there are any that are valid."""
        if self._chain is not None:
            if self._clock() < self._next:
                return
            self._next = self._clock() + _PATIENCE
        shared, self._shared = self._shared, None
        chain = self._chain
        try:
            found = self._found()
        except StorageError as exc:
            logger.debug("no other credentials: %s", exc)
            found = held
        if self._left(found) > 0 and _keys(found) != _keys(held):
            self._current = found
        else:
            self._shared, self._chain = shared, chain

    def _still_serves(self, current: Credentials) -> bool:
        return self._left(current) > 0 and self._clock() < self._next

    def _found(self) -> Credentials:
        """Look at all places, in the order of the module's docstring."""
        keys = None if self._profile else self._from_env()
        if keys is not None:
            return keys
        shared, profile = self._files(), self._scoped()
        name = self._name() or "default"
        step = self._role(profile, name)
        if step is not None:
            return self._asked(*step)
        keys = _from_section(shared.credentials.get(name, {}), f"[{name}] in {shared.credentials_file}")
        if keys is not None:
            return keys
        for setting in ("login_session", "credential_process"):
            if setting in profile:
                return self._asked("profile", f"profile {name!r} ({setting})")
        keys = _from_section(shared.config.get(name, {}), f"profile {name!r} in {shared.config_file}")
        return keys or self._from_old_files() or self._from_machine()

    def _role(self, profile: Settings, name: str) -> tuple[str, str, dict[str, str]] | None:
        if "role_arn" in profile and "web_identity_token_file" not in profile:
            return "profile", f"profile {name!r} (role_arn)", {}
        role = {key: self._of_role(key, profile) for key in _WEB_IDENTITY}
        if role["web_identity_token_file"]:
            if not role["role_arn"]:
                raise ConfigError("a web identity needs a role: set AWS_ROLE_ARN or role_arn of the profile")
            return "web identity", "AWS_WEB_IDENTITY_TOKEN_FILE", {key: value for key, value in role.items() if value}
        for setting in ("sso_account_id", "sso_role_name"):
            if setting in profile:
                return "profile", f"profile {name!r} ({setting})", {}
        return None

    def _of_role(self, key: str, profile: Settings) -> str:
        found = "" if self._profile else self._env.get(_WEB_IDENTITY[key], "")
        return found or text(profile, key)

    def _asked(self, kind: str, why: str, role: Mapping[str, str] | None = None) -> Credentials:
        from ._awschain import Chain, Step

        shared = self._files()
        step = Step(
            kind=kind,
            why=why,
            profile=self._name() or "default",
            config_file=shared.config_file,
            credentials_file=shared.credentials_file,
            region=self.region(),
            role=dict(role or {}),
        )
        chain = Chain(step, self._env)
        found = chain.credentials()
        self._chain = chain
        return found

    def _from_env(self) -> Credentials | None:
        key, secret = self._env.get("AWS_ACCESS_KEY_ID"), self._env.get("AWS_SECRET_ACCESS_KEY")
        if not key:
            return None
        if not secret:
            raise ConfigError("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")
        # botocore would say so, too, and a profile that is not there is a mistake wherever the keys come from.
        if self._name():
            self._scoped()
        token = next((self._env[name] for name in _ENV_TOKENS if self._env.get(name)), "")
        until = self._env.get("AWS_CREDENTIAL_EXPIRATION")
        return Credentials(key, secret, token, _unix_time(until) if until else None)

    def _from_old_files(self) -> Credentials | None:
        path = self._env.get("AWS_CREDENTIAL_FILE")
        if path:
            lines = _lines(os.path.expanduser(path))
            if "AWSAccessKeyId" in lines:
                return Credentials(*_pair(lines, "AWSAccessKeyId", "AWSSecretKey", path))
        given = self._env.get("BOTO_CONFIG")
        for place in (given,) if given else ("/etc/boto.cfg", "~/.boto"):
            sections, _ = _awsfiles.sections_of(os.path.expanduser(os.path.expandvars(place)))
            keys = _from_section(sections.get("Credentials", {}), place, tokens=())
            if keys is not None:
                return keys
        return None

    def _from_machine(self) -> Credentials:
        for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            if self._env.get(name):
                return self._asked("container", name)
        shared = self._files()
        looked = (
            f"AWS_ACCESS_KEY_ID, profile {self._name() or 'default'!r} in {' and '.join(reversed(shared.places))}"
        )
        if not _instance_answers(self._env):
            raise Unauthenticated(f"no credentials found; looked at {looked}; 'anonymous' signs nothing")
        try:
            return self._asked("instance", "the role of this EC2 instance")
        except StorageError as exc:
            raise Unauthenticated(f"no credentials found; looked at {looked}; {exc.message}") from exc

    def _name(self) -> str:
        return self._profile or self._env.get("AWS_DEFAULT_PROFILE") or self._env.get("AWS_PROFILE") or ""

    def _files(self) -> Shared:
        with self._lock:
            if self._shared is None:
                self._shared = _awsfiles.read(self._env)
            return self._shared

    def _scoped(self) -> Settings:
        shared, name = self._files(), self._name()
        if name and name not in shared.profiles:
            known = ", ".join(sorted(shared.profiles)) or "none"
            raise ConfigError(f"no profile {name!r} in {' or '.join(reversed(shared.places))}; known: {known}")
        return shared.profiles.get(name or "default", {})

    def _services_endpoint(self) -> str:
        name = text(self._scoped(), "services")
        if not name:
            return ""
        services = self._files().services.get(name)
        if not services:
            raise ConfigError(f"{self._files().config_file}: there is no section [services {name}]")
        s3 = services.get("s3", {})
        return s3.get("endpoint_url", "") if isinstance(s3, dict) else ""


def _source(settings: dict[str, Any]) -> Source:
    return Source(**settings)


def _keys(credentials: Credentials) -> tuple[str, str, str]:
    return credentials.access_key, credentials.secret_key, credentials.session_token


def _check_given(key: str, secret: str, token: str) -> None:
    if key and not secret:
        raise ConfigError("access_key_id is given without secret_access_key")
    if secret and not key:
        raise ConfigError("secret_access_key is given without access_key_id")
    if token and not key:
        raise ConfigError("session_token is given without access_key_id and secret_access_key")


def _from_section(settings: Settings, where: str, tokens: tuple[str, ...] = _FILE_TOKENS) -> Credentials | None:
    if "aws_access_key_id" not in settings:
        return None
    given = {name: text(settings, name) for name in settings}
    token = next((given[name] for name in tokens if name in given), "")
    return Credentials(*_pair(given, "aws_access_key_id", "aws_secret_access_key", where), token)


def _pair(given: Mapping[str, str], key: str, secret: str, where: str) -> tuple[str, str]:
    for name in (key, secret):
        if not given.get(name):
            raise ConfigError(f"{where}: {name} is missing or empty")
    return given[key], given[secret]


def _lines(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            pairs = [line.partition("=") for line in file if "=" in line]
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"AWS_CREDENTIAL_FILE: {path}: cannot be read") from exc
    return {name.strip(): value.strip() for name, _, value in pairs}


def _unix_time(text_: str) -> float:
    from datetime import UTC, datetime

    try:
        when = datetime.fromisoformat(text_)
    except ValueError:
        raise ConfigError(
            f"AWS_CREDENTIAL_EXPIRATION: expected a time like 2030-01-31T12:00:00Z, got {text_!r}"
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _instance_answers(env: Mapping[str, str]) -> bool:
    """Say whether there is a sign of a metadata service, without asking it."""
    disabled = env.get("AWS_EC2_METADATA_DISABLED", "").lower()
    if disabled == "true":
        return False
    if disabled == "false" or env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return True
    if sys.platform != "linux":
        return False
    # The second is what instances of the older Xen generation have.
    signs = (("/sys/class/dmi/id/sys_vendor", "amazon ec2"), ("/sys/hypervisor/uuid", "ec2"))
    return any(_begins(path, sign) for path, sign in signs)


def _begins(path: str, sign: str) -> bool:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(64).lower().startswith(sign)
    except OSError:
        return False
