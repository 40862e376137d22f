"""A server with faults: a proxy before a real one, which passes everything on byte for byte but for what it was told.

    with Faults(server) as faults:
        faults.add(Cut(1000), "PUT .*partNumber=2")
        upload(to=faults.server)
    assert faults.count("PUT .*partNumber=2") == 2

Its clients sign for the address of the proxy; the ``Host`` they name is passed on, too, so servers find them right.
"""

from __future__ import annotations

import re
import ssl
import tempfile
import threading
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

import msgspec

from .certificates import certify
from .model import Server
from .relay import Plan, Relay, Seen

Side = Literal["", "up", "down"]
"""Of a body: up to the server, down to the client; "" = up if the request has a body, else down."""


class Cut(msgspec.Struct, frozen=True):
    """The connection breaks when ``after`` bytes of a body were passed on.

    Attributes:
        after: Bytes of the body. A shorter one is not touched.
        side: Which body.
        reset: Break with a reset; else the client sees a clean end.
    """

    after: int = 0
    side: Side = ""
    reset: bool = True

    def into(self, plan: Plan) -> None:
        plan.flow(self.side).cut = self.after
        plan.reset = self.reset


class Lost(msgspec.Struct, frozen=True):
    """The server does what it was asked, but its answer does not arrive: the connection is reset."""

    def into(self, plan: Plan) -> None:
        plan.lost = True


class Answer(msgspec.Struct, frozen=True):
    """The server is not asked, and this is answered, as S3 would.

    Attributes:
        status: Of HTTP.
        code: The error's name in the XML; "" for an empty body.
        message: Its text.
        headers: More of them.
        location: An endpoint to go to, with the same path and query.
        early: Answer before the request's body is read, and close.
        page: A body that is not S3's; the place of the error.
    """

    status: int
    code: str = ""
    message: str = ""
    headers: dict[str, str] = {}
    location: str = ""
    early: bool = False
    page: str = ""

    def into(self, plan: Plan) -> None:
        to = {"Location": self.location + plan.target} if self.location else {}
        headers = {"Date": formatdate(usegmt=True), "x-amz-request-id": REQUEST_ID, **to, **self.headers}
        text = _ERROR.format(code=self.code, message=self.message, id=REQUEST_ID) if self.code else self.page
        plan.answer = (self.status, headers, text.encode())
        plan.early = self.early


class Corrupt(msgspec.Struct, frozen=True):
    """One bit of a body is wrong: of the byte at ``at``."""

    at: int = 0
    side: Side = "down"

    def into(self, plan: Plan) -> None:
        plan.flow(self.side).corrupt = self.at


class WrongETag(msgspec.Struct, frozen=True):
    """The answer names another ETag, in its header and in its XML."""

    def into(self, plan: Plan) -> None:
        plan.wrong_etag = True


class Change(msgspec.Struct, frozen=True):
    """The XML of the answer is another one of the same length: what is found is replaced by ``by`` and blanks.

    Attributes:
        pattern: A regular expression; of the last match, what its first group matched is replaced, if it has one.
        by: Not longer than what it takes the place of.
    """

    pattern: str
    by: str = ""

    def into(self, plan: Plan) -> None:
        plan.changes.append(self._changed)

    def _changed(self, text: bytes) -> bytes:
        found = [*re.finditer(self.pattern.encode(), text, re.DOTALL)]
        if not found:
            raise ValueError(f"nothing to change in {text!r}")
        begin, end = found[-1].span(found[-1].re.groups and 1)
        return text[:begin] + self.by.encode().ljust(end - begin) + text[end:]


class Delay(msgspec.Struct, frozen=True):
    """The answer comes ``seconds`` later."""

    seconds: float

    def into(self, plan: Plan) -> None:
        plan.delay += self.seconds


class Rate(msgspec.Struct, frozen=True):
    """Bodies pass at ``rate`` bytes per second, each connection for itself."""

    rate: float

    def into(self, plan: Plan) -> None:
        plan.rate = self.rate


class _Silence(msgspec.Struct, frozen=True):
    def into(self, plan: Plan) -> None:
        plan.silent = True


Fault = Cut | Lost | Answer | Corrupt | WrongETag | Change | Delay | Rate | _Silence


def slow_down(retry_after: float | None = None) -> Answer:
    """Return S3's way to ask for fewer requests, with seconds to wait if given."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return Answer(503, "SlowDown", "Please reduce your request rate.", headers)


def internal_error(status: int = 500) -> Answer:
    """Return a failure of the server's own."""
    return Answer(status, "InternalError", "We encountered an internal error. Please try again.")


def expired_token() -> Answer:
    """Return what is said when a session is over."""
    return Answer(400, "ExpiredToken", "The provided token has expired.")


def time_skewed() -> Answer:
    """Return what is said when the clocks differ; its Date is right."""
    message = "The difference between the request time and the current time is too large."
    return Answer(403, "RequestTimeTooSkewed", message)


def redirect(endpoint: str, status: int = 307, region: str = "") -> Answer:
    """Return the way to the same path and query elsewhere."""
    code, headers = "TemporaryRedirect" if status == 307 else "PermanentRedirect", {"x-amz-bucket-region": region}
    return Answer(status, code, "Please re-send this request.", headers if region else {}, endpoint)


def truncated(after: int = 0) -> Cut:
    """Return an answer that ends cleanly after so many bytes of its body, of which more were announced."""
    return Cut(after, "down", reset=False)


def blackhole() -> Fault:
    """Return a server that takes the request and never says anything."""
    return _Silence()


class Rule(msgspec.Struct):
    """A fault, and which requests it is for.

    Attributes:
        fault: What happens.
        pattern: Found in ``METHOD /path?query``.
        times: Requests that it may still hit; None = each.
        after: Requests to let through before.
        hits: Requests that it has hit.
    """

    fault: Fault
    pattern: re.Pattern[str]
    times: int | None
    after: int
    hits: int = 0

    def hit(self, line: str) -> bool:
        """Whether it is this request's turn; it counts."""
        if self.times == 0 or not self.pattern.search(line):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.hits += 1
        return True


class Faults:
    """The proxy: listens from the beginning to the end of its ``with`` block.

    Attributes:
        server: What clients are to use: the real one's keys at the proxy's address. Of a server with TLS, the
            proxy has a certificate of its own, and ``ca_file`` says whom to trust.
        seen: All requests, in the order of their coming; those of connections that were cut, too.
    """

    def __init__(self, server: Server) -> None:
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._folder = tempfile.TemporaryDirectory(prefix="omnistorage-faults-")
        inner, ca_file = None, ""
        if server.ca_file:
            files = certify(Path(self._folder.name))
            inner, ca_file = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), files.ca
            inner.load_cert_chain(files.chain, files.key)
        self._relay = Relay(server, inner, self._planned)
        scheme = "https" if inner else "http"
        self.server = msgspec.structs.replace(
            server, endpoint=f"{scheme}://127.0.0.1:{self._relay.port}", ca_file=ca_file
        )

    def __enter__(self) -> Faults:
        self._relay.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._relay.close()
        self._folder.cleanup()

    def add(self, fault: Fault, pattern: str = "", times: int | None = 1, after: int = 0) -> Rule:
        """Have a fault from now on, in ``times`` requests (None = each) behind the first ``after``.

        ``pattern`` is a regular expression that is looked for in ``METHOD /path?query``, as those are on the wire.
        Faults with the same request add up; of two of one sort, the later counts. The rule's ``hits`` says how often
        it was had.
        """
        rule = Rule(fault, re.compile(pattern), times, after)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Have no faults from now on, and forget what was seen."""
        with self._lock:
            self._rules.clear()
            self.seen.clear()

    def count(self, pattern: str = "") -> int:
        """Return how many requests came."""
        return len(self._found(pattern))

    def sent(self, pattern: str = "") -> int:
        """Return the bytes of bodies that were passed on to the server; without what frames them."""
        return sum(seen.sent for seen in self._found(pattern))

    def received(self, pattern: str = "") -> int:
        """Return the bytes of bodies that were passed on to clients."""
        return sum(seen.received for seen in self._found(pattern))

    @property
    def connections(self) -> int:
        """How many connections clients have made."""
        return self._relay.connections

    def _found(self, pattern: str) -> list[Seen]:
        compiled = re.compile(pattern)
        with self._lock:
            return [seen for seen in self.seen if compiled.search(seen.line)]

    def _planned(self, seen: Seen, has_body: bool) -> Plan:
        plan = Plan(seen.target, has_body)
        with self._lock:
            self.seen.append(seen)
            for rule in self._rules:
                if rule.hit(seen.line):
                    rule.fault.into(plan)
        return plan


REQUEST_ID: Final = "FA017"
"""Of answers that come from the proxy."""

_ERROR: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>"""
