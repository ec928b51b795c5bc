"""Which addresses a webhook may go to: none inside the operator's network, unless a setting allows it (OWASP API7)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from stratopt.optimization.exceptions import ParameterValidationError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_URL = 2000
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses behind a translator (RFC 6052)."""

PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to connect: ``address`` was resolved and checked once; ``host`` is for TLS and the Host header."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


@dataclass(frozen=True, kw_only=True)
class AddressPolicy:
    """What is allowed beyond https to public addresses."""

    allow_http: bool = False
    allowed_networks: Sequence[Network] = ()

    def target(self, url: str) -> Target:
        """Where a URL leads, or ParameterValidationError ``webhook_url_forbidden``. Resolves the name, every address must be allowed."""
        scheme, host, port, path = self._parts(url)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _forbidden(f"the host {host!r} cannot be resolved: {error}") from error
        addresses = [str(address[0]).partition("%")[0] for *_, address in found]
        for address in addresses:
            if not self.allows(ipaddress.ip_address(address)):
                raise _forbidden(
                    f"{host} is {address}, which is not a public address; the operator may allow it in STRATOPT_WEBHOOK_ALLOWED_NETWORKS"
                )
        return Target(scheme=scheme, host=host, port=port, path=path, address=addresses[0])

    def allows(self, address: Address) -> bool:
        """Whether an address may be connected to; IPv4 inside IPv6 is looked at as IPv4."""
        real = _unwrapped(address)
        if any(real.version == network.version and real in network for network in self.allowed_networks):
            return True
        if isinstance(real, ipaddress.IPv6Address) and real.is_site_local:  # Python calls them global
            return False
        return real.is_global and not (real.is_multicast or real.is_reserved or real.is_unspecified or real.is_loopback)

    def _parts(self, url: str) -> tuple[str, str, int, str]:
        schemes = ("https", "http") if self.allow_http else ("https",)
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname
        except ValueError as error:
            raise _forbidden(f"{url[:200]!r} is not an address: {error}") from error
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise _forbidden(f"an address has at most {MAX_URL} printable ASCII characters")
        if parts.scheme not in schemes or not host:
            raise _forbidden(f"the address must begin with {' or '.join(f'{s}://' for s in schemes)} and name a host")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _forbidden("the address must have no user, no password and no fragment")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return parts.scheme, host, port or PORTS[parts.scheme], path


def parse_networks(text: str) -> Sequence[Network]:
    """Networks separated by commas, as ``127.0.0.0/8, 10.1.2.0/24``; ValueError if one is none."""
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]


def _unwrapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in TRANSLATED else address


def _forbidden(detail: str) -> ParameterValidationError:
    return ParameterValidationError(detail, code="webhook_url_forbidden")
