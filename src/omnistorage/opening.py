"""Address or remote name to Storage: what an address means once the configuration and the drivers are asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import registry
from .core.address import Address
from .core.driver import Driver
from .core.errors import (
    ConfigError,
    InvalidPath,
    NotADirectory,
    NotFound,
    PermissionDenied,
    SpecialFile,
    Unsupported,
)
from .core.grammar import canonical, parse, scheme_of, split
from .core.redact import holds_secret, is_reference
from .storage import LayerMaker, Storage

if TYPE_CHECKING:
    from .config import Config

Place = str | os.PathLike[str] | Address

__all__ = ["Location", "canonical", "locate", "open", "open_remote", "parse", "resolve", "split"]


class Location(NamedTuple):
    """Where an address leads.

    Attributes:
        storage: The storage, opened at a folder.
        name: Name of the object in it that the address means, or empty if it means the folder.
    """

    storage: Storage
    name: str


def open(
    address: Place, *layers: LayerMaker, config: Config | str | os.PathLike[str] | None = None, **options: Any
) -> Storage:
    """Open the storage at an address (see ``core.grammar``); nothing has to exist there, and nothing is asked yet.

    Calls to services that can fail for a moment are repeated; ``retries`` says how often at most (0: never), be
    it given here, in the address or in the configuration. References (``env:NAME``, ``file:/path``) in options
    become the secrets they name.

    Args:
        address: ``scheme://…``, ``NAME:path`` of a configured remote, or a local path; a path object is
            always a local path.
        *layers: Layers around the driver, outermost first.
        config: The configuration, or its file; the user's own by default, read only if a remote is named.
        **options: Settings of the driver; they go before those in the address, and these before those of the
            remote.

    Raises:
        UnknownScheme: No driver has the scheme.
        UnknownRemote: The configuration has no such remote.
        UnknownOption: The driver has no such setting.
        MissingExtra: The driver needs a library that is not installed.
        ConfigError: The address or a setting cannot be understood.
    """
    return _open(resolve(address, config=config, **options), layers)


def open_remote(
    text: str, *layers: LayerMaker, config: Config | str | os.PathLike[str] | None = None, **options: Any
) -> Storage:
    """Open the storage that a person named on a command line; as ``open``, but only for text."""
    return open(text, *layers, config=config, **options)


def locate(
    text: Place, *layers: LayerMaker, config: Config | str | os.PathLike[str] | None = None, **options: Any
) -> Location:
    """Open the storage at an address, or at the folder above if there is an object at the address.

    This asks the service at most once. What does not exist, or may not be seen, counts as a folder.

    Raises:
        ConfigError: As for ``open``.
        StorageError: The service cannot be asked.
    """
    address = resolve(text, config=config, **options)
    driver, prefix, inner = _prepare(address, layers)
    probe = Storage(driver, *inner)
    try:
        # The top of a service is no object; that need not be asked.
        is_file = bool(prefix or address.path.strip("/")) and _is_file(probe, prefix)
    except BaseException:
        probe.close()
        raise
    if is_file and prefix:
        prefix, _, name = prefix.rpartition("/")
        return Location(Storage(driver, *layers, *_prefixed(prefix), *inner), name)
    if not is_file:
        return Location(Storage(driver, *layers, *_prefixed(prefix), *inner), "")
    # The driver has the whole path as its root, and that is an object: begin again one folder higher.
    probe.close()
    path = address.path.rstrip("/")
    folder, slash, name = path.rpartition("/")
    above = folder or slash or ("." if address.scheme == "file" else "")
    return Location(_open(_changed(address, above, address.options), layers), name)


def resolve(address: Place, *, config: Config | str | os.PathLike[str] | None = None, **options: Any) -> Address:
    """Return the address with its remote looked up and all its options in their order of precedence.

    Secrets are still references.

    Raises:
        ConfigError: As for ``open``.
    """
    if isinstance(address, str):
        address = parse(address)
    elif not isinstance(address, Address):
        path = os.fsdecode(address)
        if not path:
            raise ConfigError("an address cannot be empty; '.' is the current folder")
        address = Address(scheme="file", path=path)
    given = _normal(address.options) | _normal(options)
    if not address.remote or address.scheme:
        return _changed(address, address.path, given)
    held = _config(config)
    remote = held.remote(address.remote)
    merged = {**_traced(remote.options, held.path, remote.name), **given}
    root, path = merged.pop("root", remote.root), address.path
    if root and path:
        path = f"{root.rstrip('/')}/{path.lstrip('/')}"
    scheme = scheme_of(remote.type)
    path = path or root or ("." if scheme == "file" else "")
    return Address(scheme=scheme, path=path, options=merged, remote=address.remote)


def _open(address: Address, layers: tuple[LayerMaker, ...]) -> Storage:
    driver, prefix, inner = _prepare(address, layers)
    return Storage(driver, *layers, *_prefixed(prefix), *inner)


def _prepare(address: Address, layers: tuple[LayerMaker, ...]) -> tuple[Driver, str, list[LayerMaker]]:
    """Return driver, prefix and the layers that belong next to the driver."""
    kind = registry.driver_class(address.scheme)
    options = dict(address.options)
    retries = None
    if "retries" not in kind.options_class.__struct_fields__:
        retries = options.pop("retries", None)
    if any(is_reference(value) for value in options.values()):
        from .config.secrets import resolved

        options = resolved(options)
    try:
        driver, prefix = kind.from_address(_changed(address, address.path, options))
    except ModuleNotFoundError as exc:
        error = registry.missing_extra(address.scheme, exc)
        if error is None:
            raise
        raise error from exc
    return driver, prefix, _retry(driver, retries, layers)


def _retry(driver: Driver, retries: Any, layers: tuple[LayerMaker, ...]) -> list[LayerMaker]:
    # What happens on this machine does not fail for a moment; trying again would only delay the bad news.
    if retries is None and (driver.features.local or driver.scheme == "memory"):
        return []
    times = _times(retries)
    if times == 0:
        return []
    from functools import partial

    from .layers.pace import Pace
    from .layers.retry import Retry

    # Two of them would multiply.
    if any(getattr(layer, "func", layer) is Retry for layer in layers):
        return []
    # Below it, so that what a service bears is learned from each attempt.
    return [Retry if times is None else partial(Retry, attempts=times + 1), Pace]


def _times(retries: Any) -> int | None:
    if retries is None:
        return None
    try:
        times = int(retries)
    except (TypeError, ValueError):
        times = -1
    if times < 0:
        raise ConfigError(f"option 'retries': expected a number from 0 on, got {retries!r}")
    return times


def _prefixed(prefix: str) -> list[LayerMaker]:
    if not prefix:
        return []
    from functools import partial

    from .layers.prefix import Prefix

    return [partial(Prefix, prefix=prefix)]


def _is_file(storage: Storage, path: str) -> bool:
    try:
        return storage.driver.stat(path).is_file
    except (NotFound, NotADirectory, PermissionDenied, InvalidPath, SpecialFile, Unsupported):
        return False


def _config(given: Config | str | os.PathLike[str] | None) -> Config:
    from .config import Config

    return given if isinstance(given, Config) else Config.load(given)


def _traced(options: Mapping[str, Any], path: str | None, remote: str) -> Mapping[str, Any]:
    """Return the options of a remote, in which secrets know where they came from."""
    if not any(holds_secret(name, value) for name, value in options.items()):
        return options
    from .config.secrets import of_remote

    return of_remote(options, path, remote)


def _changed(address: Address, path: str, options: Mapping[str, Any]) -> Address:
    return Address(
        scheme=address.scheme, authority=address.authority, path=path, options=options, remote=address.remote
    )


def _normal(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("-", "_").lower(): value for name, value in options.items()}
