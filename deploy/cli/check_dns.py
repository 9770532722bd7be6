"""What DNS says of a sender: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489), and whether they are aligned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import dns.exception
import dns.rdatatype
import dns.resolver

from engine.errors import CadenzaError, InvalidInput, Unavailable
from schema.mailbox import read_sender

#: The most look-ups that a receiver makes for one SPF check (RFC 7208 section 4.6.4).
MOST_LOOK_UPS: Final = 10

#: SPF mechanisms that cost a look-up.
LOOKED_UP: Final = ("include", "a", "mx", "ptr", "exists", "redirect")

#: Real seconds for one look-up.
TIMEOUT: Final = 5.0

#: The port of DNS.
PORT: Final = 53


class WeakSender(CadenzaError):  # noqa: N818 (a fact, as in engine.errors)
    """Mail servers have a reason to refuse the sender; the text says what to change."""


@dataclass(frozen=True, slots=True)
class SenderDns:
    """Looks at the records of a sender's domain."""

    sender: str
    """`Name <address>` or an address."""
    selector: str | None
    """The DKIM selector of the provider; None: DKIM is not looked at."""
    resolver: dns.resolver.Resolver

    def checks(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield each check with its name; it returns what is well, or raises WeakSender or Unavailable."""
        domain = self.domain
        yield f"SPF of {domain}", self.spf
        yield f"DKIM of {domain}", self.dkim
        yield f"DMARC of {domain}", self.dmarc

    @property
    def domain(self) -> str:
        """Return the domain of the From header, which is that of the envelope too.

        Raises:
            WeakSender: the sender has no email address.
        """
        try:
            return read_sender(self.sender).address.rpartition("@")[2].lower()
        except ValueError:
            raise WeakSender("it has no email address: write `Name <name@example.com>` or name@example.com") from None

    def spf(self) -> str:
        """Look at who may send for the domain."""
        records = [text for text in self._texts(self.domain) if text.lower().split(" ")[0] == "v=spf1"]
        if not records:
            raise WeakSender(
                f"there is no SPF record: publish a TXT record at {self.domain}, such as"
                " `v=spf1 include:YOUR-PROVIDER -all`"
            )
        if len(records) > 1:
            raise WeakSender(f"there are {len(records)} SPF records: merge them into one (RFC 7208 section 4.5)")
        count = self._look_ups(records[0], frozenset({self.domain}))
        if count > MOST_LOOK_UPS:
            raise WeakSender(
                f"checking it takes {count} look-ups, and receivers stop at {MOST_LOOK_UPS}: remove includes that you"
                " do not use"
            )
        last = records[0].lower().split()[-1]
        if last in ("+all", "all"):
            raise WeakSender(f"`{last}` lets everybody send for the domain: write `-all` or `~all`")
        return f"one record, {count} of {MOST_LOOK_UPS} look-ups, ends with `{last}`"

    def dkim(self) -> str:
        """Look at the key that signs."""
        if self.selector is None:
            return "not checked: give the selector of your provider with --dkim-selector"
        name = f"{self.selector}._domainkey.{self.domain}"
        records = [tags for text in self._texts(name) if "p" in (tags := _tags(text))]
        if not records:
            raise WeakSender(f"there is no key at {name}: publish the record that your provider gives you")
        if not records[0]["p"]:
            raise WeakSender(f"the key at {name} is revoked (an empty p=): publish a new one")
        return f"selector {self.selector} has a key; it is aligned if the provider signs with d={self.domain}"

    def dmarc(self) -> str:
        """Look at the policy, and at whose it is."""
        for domain in _upwards(self.domain):
            records = [tags for text in self._texts(f"_dmarc.{domain}") if (tags := _tags(text)).get("v") == "DMARC1"]
            if len(records) > 1:
                raise WeakSender(f"there are {len(records)} records at _dmarc.{domain}: receivers ignore them all")
            if records:
                return self._policy(domain, records[0])
        raise WeakSender(
            f"there is no DMARC record: publish a TXT record at _dmarc.{self.domain}, such as"
            f" `v=DMARC1; p=none; rua=mailto:dmarc@{self.domain}`; Gmail, Yahoo and Outlook require one of bulk senders"
        )

    def _policy(self, domain: str, tags: dict[str, str]) -> str:
        policy = tags.get("sp" if domain != self.domain else "p", tags.get("p", ""))
        if policy not in ("none", "quarantine", "reject"):
            raise WeakSender(f"the record at _dmarc.{domain} has no policy: write p=none, p=quarantine or p=reject")
        whose = "" if domain == self.domain else f" (of {domain})"
        watched = "" if "rua" in tags else "; without rua= nobody reports abuse to you"
        return f"p={policy}{whose}; SPF is aligned, since the envelope has the domain of the From header{watched}"

    def _look_ups(self, record: str, seen: frozenset[str], before: int = 0) -> int:
        """Count the look-ups of a record and of those that it includes, up to one too many."""
        count = before
        for term in record.lower().split()[1:]:
            mechanism, _, value = term.lstrip("+-~?").replace("=", ":", 1).partition(":")
            if mechanism.partition("/")[0] not in LOOKED_UP:
                continue
            count += 1
            if count > MOST_LOOK_UPS:
                break
            if mechanism in ("include", "redirect") and value and value not in seen:
                included = [text for text in self._texts(value) if text.lower().startswith("v=spf1")]
                if not included:
                    raise WeakSender(f"`{term}` names a domain without an SPF record: receivers give up there")
                count = self._look_ups(included[0], seen | {value}, count)
        return count

    def _texts(self, name: str) -> list[str]:
        """Return the TXT records of a name.

        Raises:
            Unavailable: DNS does not answer.
        """
        try:
            found = self.resolver.resolve(name, dns.rdatatype.TXT, lifetime=TIMEOUT)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise Unavailable(f"DNS does not tell {name}: {type(error).__name__}") from None
        return [b"".join(record.strings).decode("utf-8", "replace") for record in found]


def resolver_at(place: str | None) -> dns.resolver.Resolver:
    """Return the resolver of this machine, or the one at `HOST[:PORT]`; HOST is an IPv4 or IPv6 address.

    Raises:
        InvalidInput: it is no address of a server.
        Unavailable: this machine has none.
    """
    if place is None:
        try:
            return dns.resolver.Resolver()
        except dns.exception.DNSException:
            raise Unavailable("this machine has no resolver: name one with --resolver HOST") from None
    resolver = dns.resolver.Resolver(configure=False)
    try:
        parts = urlsplit(f"//[{place}]" if place.count(":") > 1 and "[" not in place else f"//{place}")
        resolver.nameservers = [str(ip_address(parts.hostname or ""))]
        resolver.port = parts.port or PORT
    except ValueError:
        raise InvalidInput(
            f"--resolver {place!r}: write an IP address, such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353"
        ) from None
    return resolver


def _tags(text: str) -> dict[str, str]:
    """Read `v=DMARC1; p=none`."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _upwards(domain: str) -> Iterator[str]:
    """Yield the domain, and those above it down to two labels (RFC 7489 section 6.6.3)."""
    yield domain
    while domain.count(".") > 1:
        domain = domain.partition(".")[2]
        yield domain
