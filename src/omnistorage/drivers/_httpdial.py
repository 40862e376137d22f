"""Connections are made: the addresses of a host in turn, through a proxy if there is one, with TLS if wanted."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

from omnistorage.core.errors import ConfigError, StorageError, TimedOut, Unreachable, Untrusted

from ._httpproxy import Proxy, parse_proxy, place, proxy_for, split_host
from ._httpwire import Broken, Wire

if TYPE_CHECKING:
    import ssl


class Dialer:
    """Makes connections to one server.

    Attributes:
        where: Host and port, for messages.
        host: What is sent as ``Host``.
        prefix: What goes before the target of each request: scheme and host, if a proxy is asked for plain HTTP.
        proxy: The proxy by which it is reached, or None.
        authorization: What such a proxy wants in each request, or empty.
    """

    def __init__(
        self,
        base: str,
        *,
        connect_timeout: float,
        timeout: float,
        proxy: Proxy | None,
        context: ssl.SSLContext | None,
    ) -> None:
        scheme, _, address = base.partition("://")
        usual = _PORTS.get(scheme)
        if usual is None or "/" in address:
            raise ConfigError(
                f"{address or base!r} is no address of a server; https://host:port or http://host:port is"
            )
        self._name, self._port = split_host(_ascii(address), usual, "address")
        self.where = place(self._name, self._port)
        self.host = self.where.removesuffix(f":{usual}")
        self.proxy = proxy or proxy_for(scheme, self._name, self._port, os.environ)
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._context = context
        plainly = self.proxy is not None and context is None
        self.prefix = f"http://{self.host}" if plainly else ""
        self.authorization = self.proxy.authorization if self.proxy is not None and plainly else ""

    def connect(self) -> Wire:
        """Return a new connection.

        Raises:
            TimedOut: No address answered in time.
            Untrusted: The server has no certificate that can be trusted.
            Unreachable: It did not work otherwise.
            ConfigError: The proxy wants another user name or password.
        """
        if self.proxy is None:
            sock = self._open(self._name, self._port, self.where)
        else:
            # The proxy may well take as long as the server behind it.
            sock = self._open(
                self.proxy.host, self.proxy.port, f"the proxy {place(self.proxy.host, self.proxy.port)}"
            )
        try:
            if self._context is not None:
                if self.proxy is not None:
                    self._ask(sock, self.proxy)
                sock = self._secure(sock, self._context)
            return Wire(sock, self._timeout)
        except BaseException:
            sock.close()
            raise

    def _open(self, host: str, port: int, where: str) -> socket.socket:
        try:
            # Only names of other letters need to be spelled in these, by tables that take time to load.
            name: Any = host.encode() if host.isascii() else host
            sock = socket.create_connection((name, port), self._connect_timeout)
        except TimeoutError as exc:
            raise TimedOut(f"cannot connect to {where} within {self._connect_timeout:g} s") from exc
        except socket.gaierror as exc:
            raise Unreachable(
                f"cannot connect to {where}: no address is known for {host!r} ({exc.strerror})"
            ) from exc
        except (OSError, UnicodeError) as exc:
            raise Unreachable(f"cannot connect to {where}: {reason(exc)}") from exc
        # Small requests go at once, and a server that vanished is noticed also while nothing is sent.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if (option := getattr(socket, name, None)) is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
        return sock

    def _ask(self, sock: socket.socket, proxy: Proxy) -> None:
        """Have the proxy connect us to the server."""
        by = f"the proxy {place(proxy.host, proxy.port)}"
        lines = [f"CONNECT {self.where} HTTP/1.1", f"host: {self.where}"]
        if proxy.authorization:
            lines.append(f"proxy-authorization: {proxy.authorization}")
        wire = Wire(sock, self._timeout)
        try:
            head = wire.exchange("CONNECT", "\r\n".join([*lines, "", ""]).encode(), None, 0)
        except Broken as exc:
            raise failure(exc, f"{by} for {self.where}") from exc.__cause__
        if head.status == 407:
            raise refused_by(proxy)
        if not 200 <= head.status < 300:
            raise Unreachable(f"{by} does not connect to {self.where}: it answers {head.status}")
        if not wire.is_quiet():
            raise Unreachable(f"{by} sent something unasked for {self.where}")

    def _secure(self, sock: socket.socket, context: ssl.SSLContext) -> socket.socket:
        import ssl

        sock.settimeout(self._connect_timeout)
        try:
            # An end that was not announced may be somebody's who cuts an answer short.
            return context.wrap_socket(sock, server_hostname=self._name, suppress_ragged_eofs=False)
        except ssl.SSLCertVerificationError as exc:
            raise self._untrusted(exc) from exc
        except TimeoutError as exc:
            raise TimedOut(f"{self.where} does not go on with TLS within {self._connect_timeout:g} s") from exc
        except (OSError, ValueError) as exc:
            raise Unreachable(f"no TLS with {self.where}: {reason(exc)}") from exc

    def _untrusted(self, exc: ssl.SSLCertVerificationError) -> Untrusted:
        said = exc.verify_message.rstrip(".")
        if exc.verify_code in _OTHER_NAME:
            return Untrusted(f"the certificate of {self.where} is for another host: {said}")
        hint = ", see option ca_file" if exc.verify_code in _UNKNOWN_ISSUER else ""
        return Untrusted(f"the certificate of {self.where} is not trusted: {said}{hint}")


def make_context(ca_file: str, verify: bool) -> ssl.SSLContext:
    """Return how TLS is spoken: at least 1.2, with servers that prove who they are to the certificates of the system
    (``SSL_CERT_FILE``), or of ``ca_file`` instead.

    Raises:
        ConfigError: ``ca_file`` cannot be used.
    """
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"ca_file {ca_file!r} cannot be used: {reason(exc)}") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # By default, a connection that is cut off looks like one that was ended in older Pythons, as 3.11.2.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def option_proxy(url: str) -> Proxy | None:
    """Return the proxy of the option; None if there is none, so that the environment decides."""
    return parse_proxy(url, "option proxy") if url else None


def refused_by(proxy: Proxy) -> ConfigError:
    """Return the error for a proxy that does not let us through."""
    wrong = "another" if proxy.authorization else "a"
    return ConfigError(
        f"the proxy {place(proxy.host, proxy.port)} asks for {wrong} user name and password (407): "
        "http://user:password@host:port gives them"
    )


def failure(exc: Broken, where: str) -> StorageError:
    """Return the error for a request without an answer."""
    cause = exc.__cause__
    if exc.slow:
        return TimedOut(f"{where} {exc} in time")
    if isinstance(cause, Exception):
        return Unreachable(f"{where} {exc}: {reason(cause)}")
    return Unreachable(f"{where} {exc}")


def reason(exc: BaseException) -> str:
    """Return in a few words why something failed."""
    words = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    text = str(words)
    return text.lower().replace("_", " ") if text.isupper() else text


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError as exc:
        raise ConfigError(f"{host!r} is not the name of a host") from exc


_PORTS: Final = {"http": 80, "https": 443}
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6))

# Codes of OpenSSL: the certificate is for another name or address; its issuer is not known here.
_OTHER_NAME: Final = frozenset({62, 64})
_UNKNOWN_ISSUER: Final = frozenset({2, 18, 19, 20, 21})
