"""`cadenza doctor --dns`: what DNS says of a sender, from a DNS server on loopback."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from cli import Cli, ReadyCli, ready_server
from dns_server import EMPTY, dns_server

from deploy.cli.check_dns import SenderDns, WeakSender, resolver_at
from engine.errors import InvalidInput, Unavailable
from engine.settings import Settings

GOOD: Final[Mapping[str, Sequence[str]]] = {
    "example.com": ["google-site-verification=x", "v=spf1 include:spf.provider.example -all"],
    "spf.provider.example": ["v=spf1 ip4:192.0.2.0/24 a:mail.provider.example ~all"],
    "s1._domainkey.example.com": ["v=DKIM1; k=rsa; p=" + "A" * 300],
    "_dmarc.example.com": ["v=DMARC1; p=quarantine; rua=mailto:d@example.com"],
}


def said(
    records: Mapping[str, Sequence[str]], check: str, selector: str | None = "s1", sender: str = "a@example.com"
) -> str:
    with dns_server(records) as place:
        return str(getattr(SenderDns(sender, selector, resolver_at(place)), check)())


def test_a_good_sender() -> None:
    assert said(GOOD, "spf") == "one record, 2 of 10 look-ups, ends with `-all`"
    assert said(GOOD, "dkim").startswith("selector s1 has a key")
    assert said(GOOD, "dmarc").startswith("p=quarantine; SPF is aligned")
    assert said(GOOD, "dkim", None).startswith("not checked: give the selector")
    below = said(GOOD, "dmarc", sender="Acme, Inc. <a@mail.example.com>")
    assert below.startswith("p=quarantine (of example.com)")


CHAIN: Final = {f"s{number}.example": [f"v=spf1 include:s{number + 1}.example -all"] for number in range(20)}


@pytest.mark.parametrize(
    ("check", "records", "says"),
    [
        ("spf", {}, "there is no SPF record"),
        ("spf", {"example.com": EMPTY}, "there is no SPF record"),
        ("spf", {"example.com": ["v=spf1 -all", "v=spf1 ~all"]}, "there are 2 SPF records"),
        ("spf", {"example.com": ["v=spf1 +all"]}, "lets everybody send"),
        ("spf", {"example.com": ["v=spf1 include:s0.example -all"], **CHAIN}, "takes 11 look-ups"),
        ("spf", {"example.com": ["v=spf1 " + "mx " * 11 + "-all"]}, "takes 11 look-ups"),
        ("spf", {"example.com": ["v=spf1 include:gone.example -all"]}, "names a domain without an SPF record"),
        ("dkim", {}, "there is no key at s1._domainkey.example.com"),
        ("dkim", {"s1._domainkey.example.com": ["v=DKIM1; p="]}, "is revoked"),
        ("dmarc", {}, "there is no DMARC record"),
        ("dmarc", {"_dmarc.example.com": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "receivers ignore them all"),
        ("dmarc", {"_dmarc.example.com": ["v=DMARC1; rua=mailto:a@example.com"]}, "has no policy"),
    ],
)
def test_what_is_to_be_changed_is_said(check: str, records: Mapping[str, Sequence[str]], says: str) -> None:
    with pytest.raises(WeakSender, match=says.replace("(", r"\(")):
        said(records, check)


def test_an_include_that_names_itself_ends() -> None:
    records = {"example.com": ["v=spf1 include:a.example -all"], "a.example": ["v=spf1 include:example.com -all"]}
    assert said(records, "spf").startswith("one record, 2 of 10")


def test_a_server_that_does_not_answer_is_said() -> None:
    with dns_server({}) as place:
        pass
    silent = SenderDns("a@example.com", None, resolver_at(place))
    silent.resolver.timeout = 0.2
    with pytest.raises(Unavailable, match=r"DNS does not tell example\.com"):
        silent.spf()


@pytest.mark.parametrize("place", ["127.0.0.1:dns", "127.0.0.1:99999", "dns.example.com", "[::1", "", ":53"])
def test_what_is_no_address_of_a_server_is_refused(place: str) -> None:
    with pytest.raises(InvalidInput, match="write an IP address"):
        resolver_at(place)


@pytest.mark.parametrize(
    ("place", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 53),
        ("127.0.0.1:5353", "127.0.0.1", 5353),
        ("::1", "::1", 53),
        ("[::1]:5353", "::1", 5353),
    ],
)
def test_an_address_of_a_server_is_read(place: str, host: str, port: int) -> None:
    resolver = resolver_at(place)
    assert (resolver.nameservers, resolver.port) == ([host], port)


@pytest.fixture(scope="module")
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with ready_server() as server:
        yield server


def test_doctor_looks_at_dns_when_asked(settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]") -> None:
    cli: Cli = ReadyCli(settings, tmp_path, server)
    with dns_server(GOOD) as place:
        told = cli("doctor", "--dns", "--resolver", place, "--dkim-selector", "s1", "--json")
    names = {check["name"]: check["ok"] for check in told.document["checks"]}
    assert {name: ok for name, ok in names.items() if "example.com" in name} == {
        "SPF of example.com": True,
        "DKIM of example.com": True,
        "DMARC of example.com": True,
    }
    assert not any("SPF" in check["name"] for check in cli("doctor", "--json").document["checks"])
    with dns_server({}) as place:
        weak = cli("doctor", "--dns", "--resolver", place).check(1)
    assert "FAILED  there is no SPF record: publish a TXT record at example.com" in weak.out


def test_doctor_says_which_sender_has_no_address(
    settings: Settings, tmp_path: Path, server: "subprocess.Popen[bytes]"
) -> None:
    cli: Cli = ReadyCli(settings.model_copy(update={"email_from": "Acme"}), tmp_path, server)
    with dns_server({}) as place:
        told = cli("doctor", "--dns", "--resolver", place).check(1)
    assert "FAILED  it has no email address: write `Name <name@example.com>` or name@example.com" in told.out
