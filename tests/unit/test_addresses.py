"""Which addresses webhooks may be sent to."""

from ipaddress import ip_address

import pytest

from engine.rules.addresses import is_open, literal, parse_openings, refusal


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert refusal(ip_address(address)) is not None


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.15.255.255",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_what_is_public_may_be_called(address: str) -> None:
    assert refusal(ip_address(address)) is None


def test_openings_open_what_they_name_and_nothing_else() -> None:
    openings = parse_openings(" 127.0.0.1:9000, [::1]:9001,10.1.0.0/16, Hooks.test:80 ")
    opened = [
        ("127.0.0.1", "127.0.0.1", 9000),
        ("localhost", "127.0.0.1", 9000),
        ("localhost", "::1", 9001),
        ("inner", "10.1.2.3", 443),
        ("hooks.test", "192.168.0.1", 80),
    ]
    shut = [
        ("127.0.0.1", "127.0.0.1", 9001),
        ("127.0.0.1", "127.0.0.2", 9000),
        ("inner", "10.2.0.1", 443),
        ("hooks.test", "192.168.0.1", 81),
        ("localhost", "::ffff:127.0.0.1", 9000),
    ]
    for host, address, port in opened:
        assert is_open(host, ip_address(address), port, openings), address
    for host, address, port in shut:
        assert not is_open(host, ip_address(address), port, openings), address


@pytest.mark.parametrize("text", ["here", "127.0.0.1:0", "127.0.0.1:99999", "10.0.0.1/8", ":80", "a:b"])
def test_what_opens_nothing_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT"):
        parse_openings(text)


def test_nothing_is_open_unless_somebody_says_so() -> None:
    assert parse_openings("") == ()
    assert not is_open("localhost", ip_address("127.0.0.1"), 80, ())


def test_names_are_no_addresses() -> None:
    assert literal("example.com") is None
    assert literal("2130706433") is None
    assert str(literal("::1")) == "::1"
