"""Who opens mail and follows links without being a person: mail scanners, privacy proxies, scripts.

Image proxies that fetch when a person opens (Gmail's, Yahoo's) hide where that person is, and are none of these.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

MAILGUN: Final = "https://www.mailgun.com/blog/product/bot-detection/"
FIELD_GUIDE: Final = "https://check.live-direct-marketing.online/blog/bot-clicks-security-scanners-detect"
SUPED: Final = "https://suped.com/learn/email-deliverability/how-can-i-identify-bot-user-agents-in-my-email-click-data"


@dataclass(frozen=True, slots=True)
class Machine:
    """One kind of them, and how it is known."""

    name: str
    source: str
    """Where that is said."""
    contains: tuple[str, ...] = ()
    """Any of these in the user agent, in lower case."""
    exactly: tuple[str, ...] = ()
    """The whole user agent."""
    networks: tuple[str, ...] = ()
    """Addresses that it comes from."""


#: Apple fetches every image of an email when it arrives; its own network is 17.0.0.0/8 (ARIN).
MACHINES: Final = (
    Machine("Apple Mail Privacy Protection", MAILGUN, exactly=("Mozilla/5.0",), networks=("17.0.0.0/8",)),
    Machine(
        "Microsoft Defender Safe Links", FIELD_GUIDE, contains=("microsoft office existence discovery", "safelinks")
    ),
    Machine("Barracuda", FIELD_GUIDE, contains=("barracuda",)),
    Machine("Proofpoint", FIELD_GUIDE, contains=("proofpoint",)),
    Machine("Mimecast", FIELD_GUIDE, contains=("mimecast",)),
    Machine("Cisco Secure Email", FIELD_GUIDE, contains=("ciscosecureemail", "ironport")),
    Machine("Trend Micro Email Security", FIELD_GUIDE, contains=("tmes", "trendmicro")),
    Machine("Fortinet", FIELD_GUIDE, contains=("fortimail", "fortinet")),
    Machine("Sophos", FIELD_GUIDE, contains=("sophos",)),
    Machine(
        "a script",
        SUPED,
        contains=(
            "python-requests",
            "aiohttp",
            "wget/",
            "curl/",
            "java/",
            "jetty/",
            "apache-httpclient",
            "lua-resty-http",
        ),
    ),
    Machine("a link preview", SUPED, contains=("slackbot-linkexpanding", "facebookexternal", "snap url preview")),
)


def machine_of(user_agent: str | None, address: str | None) -> str | None:
    """The machine that it was; None: a person, as far as anybody can tell."""
    agent = (user_agent or "").strip()
    for machine in MACHINES:
        if agent in machine.exactly or any(part in agent.lower() for part in machine.contains):
            return machine.name
    if address is not None:
        for machine in MACHINES:
            if any(ip_address(address) in ip_network(network) for network in machine.networks):
                return machine.name
    return None
