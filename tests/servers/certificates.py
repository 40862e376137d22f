"""A certificate for 127.0.0.1, and the one that it is signed with."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Certificates(msgspec.Struct, frozen=True):
    """Paths of PEM files.

    Attributes:
        ca: What a client must trust.
        chain: The server's certificate.
        key: Its private key.
        both: Key and certificate in one file.
    """

    ca: str
    chain: str
    key: str
    both: str


def certify(folder: Path) -> Certificates:
    """Make new ones in ``folder``."""
    # Only those that want TLS wait for it.
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    made = Certificates(*(str(folder / name) for name in ("ca.pem", "chain.pem", "key.pem", "both.pem")))
    authority.cert_pem.write_to_path(made.ca)
    issued.private_key_pem.write_to_path(made.key)
    for chain in issued.cert_chain_pems:
        chain.write_to_path(made.chain, append=True)
    issued.private_key_and_cert_chain_pem.write_to_path(made.both)
    return made
