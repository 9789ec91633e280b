"""The visitor of the current call: its session and its network address."""

import ipaddress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A visitor of the page.

    session: a random name that the visitor's page chose. address: the address for which limits are
    counted (`address_of`).
    """

    session: str
    address: str


SERVER: Final = Visitor(session="", address="")
"""The owner of files that everybody may use."""
current: ContextVar[Visitor] = ContextVar("visitor", default=SERVER)
"""The current visitor, set for each call. Threads in which Gradio runs functions inherit it."""


def address_of(host: str | None) -> str:
    """Return the address for which limits are counted.

    This is a host's IPv4 address, or its 64-bit IPv6 network, because a single visitor usually has
    a whole network.
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host or "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
