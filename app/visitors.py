"""Who is asking: the session and the network address of the call that runs."""

import ipaddress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """session: a random name that the visitor's page chose. address: what limits are counted by."""

    session: str
    address: str


SERVER: Final = Visitor(session="", address="")
"""The owner of files that everybody may use."""
current: ContextVar[Visitor] = ContextVar("visitor", default=SERVER)
"""Set for each call; the threads that Gradio runs functions in inherit it."""


def address_of(host: str | None) -> str:
    """The address that limits are counted by: a host's IPv4 address or its IPv6 network of 64 bits,
    which a single visitor usually has all of."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host or "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
