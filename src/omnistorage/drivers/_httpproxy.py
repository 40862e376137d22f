"""Which proxy a request goes by: the one of an option, or the one of the environment, as curl and Go read it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from omnistorage.core.errors import ConfigError

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


class Proxy(NamedTuple):
    """A proxy that speaks plain HTTP.

    Attributes:
        host: Its name or address, without brackets.
        port: Its port.
        authorization: What it wants in ``Proxy-Authorization``, or empty; secret.
    """

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Proxy({place(self.host, self.port)})"


def parse_proxy(url: str, source: str) -> Proxy:
    """Return the proxy that a URL names: ``http://user:password@host:port``, or just ``host:port``.

    Raises:
        ConfigError: It is of another kind (SOCKS, TLS to the proxy itself), or has no host or no usable port.
    """
    scheme, mark, rest = url.strip().partition("://")
    if not mark:
        scheme, rest = "http", url.strip()
    if scheme.lower() != "http":
        kind = "SOCKS" if scheme.lower().startswith("socks") else f"{scheme}:"
        raise ConfigError(f"{source}: proxies of the kind {kind} are not supported, only http://host:port")
    rest = rest.partition("/")[0]
    login, _, address = rest.rpartition("@")
    host, port = split_host(address, 80, source)
    if not login:
        return Proxy(host, port)
    user, _, password = login.partition(":")
    words = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return Proxy(host, port, f"Basic {b64encode(words).decode()}")


def proxy_for(scheme: str, host: str, port: int, env: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that the environment has for an address; None if there is none to go by.

    ``https_proxy``, ``http_proxy``, else ``all_proxy`` name it, and ``no_proxy`` the hosts without: in lower case, or
    if that is not there in upper case. This machine itself is never reached by a proxy.

    Raises:
        ConfigError: The proxy that is named cannot be used.
    """
    for name in (f"{scheme}_proxy", "all_proxy"):
        # A web server passes the header "Proxy:" of its clients on as HTTP_PROXY.
        forged = name == "http_proxy" and "REQUEST_METHOD" in env
        url = env.get(name) or ("" if forged else env.get(name.upper(), ""))
        if url.strip():
            if is_here(host) or is_exempt(host, port, env.get("no_proxy") or env.get("NO_PROXY", "")):
                return None
            return parse_proxy(url, name.upper())
    return None


def is_here(host: str) -> bool:
    """Say whether a host is this machine by its name or address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_exempt(host: str, port: int, without: str) -> bool:
    """Say whether ``no_proxy`` names a host.

    It is a list with commas of names (``example.org`` is all below it, too; ``.example.org`` only what is below),
    addresses, networks (``10.0.0.0/8``), any of the first two with a port; ``*`` is everything.
    """
    host = host.lower().rstrip(".")
    address = _address(host)
    for entry in without.lower().replace(",", " ").split():
        if entry == "*":
            return True
        if address is not None and "/" in entry:
            if _has(entry, address):
                return True
            continue
        name, wanted = _split_port(entry)
        if wanted and wanted != str(port):
            continue
        if address is not None:
            if _address(name) == address:
                return True
            continue
        name = name.removeprefix("*").rstrip(".")
        if host == name or (name and host.endswith(name if name.startswith(".") else f".{name}")):
            return True
    return False


def split_host(address: str, usual: int, source: str) -> tuple[str, int]:
    """Return host and port of ``host``, ``host:port``, ``[::1]:port``; without brackets.

    Raises:
        ConfigError: There is no host, or the port is no number from 1 to 65535.
    """
    host, port = _split_port(address)
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    # A colon at the end means the usual port.
    if not port:
        number = usual
    if not host or not 0 < number < 65536 or any(letter in host for letter in " @?#\\\r\n\t"):
        raise ConfigError(f"{source}: {address.rpartition('@')[2]!r} is not a host with a usable port")
    return host, number


def place(host: str, port: int) -> str:
    """Return host and port as they are shown."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split_port(address: str) -> tuple[str, str]:
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host, rest.removeprefix(":")
    if address.count(":") > 1:
        return address, ""
    host, _, port = address.partition(":")
    return host, port


def _address(host: str) -> IPv4Address | IPv6Address | None:
    # Names are many and the library for addresses takes its time to load.
    if ":" not in host and not host.replace(".", "").isdigit():
        return None
    from ipaddress import ip_address

    try:
        return ip_address(host)
    except ValueError:
        return None


def _has(network: str, address: IPv4Address | IPv6Address) -> bool:
    from ipaddress import ip_network

    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False
