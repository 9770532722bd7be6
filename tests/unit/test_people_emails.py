"""Plain addresses take a short cut: exactly to where the library goes."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from producers.emails import email_address, email_address_by_library

DOMAINS = st.sampled_from(
    [
        "example.com", "EXAMPLE.Com", "mail.example.org", "bücher.example", "xn--bcher-kva.example", "xn--0.example",
        "example", "example.com.", ".example.com", "exa_mple.com", "[127.0.0.1]", "localhost", "test", "a.test",
        "-a.example", "a-.example", "例え.example", "example。com", "a" * 63 + ".example", "a" * 64 + ".example",
        ".".join(["a" * 50] * 5), "", "example.c0m", "example.123",
    ]
)  # fmt: skip

LOCALS = st.one_of(
    st.from_regex(r"[A-Za-z0-9._+\-]{1,70}", fullmatch=True),
    st.text(st.sampled_from("abAB09._-+!#$%&'*/=?^`{|}~\"\\ @<>(),;:[]éß\n\u0301\u200b"), max_size=70),
    st.sampled_from(["INFO", "Postmaster", "abuse", '"a b"', "a@b", "", "ann..lee"]),
)


def outcome(read: object, value: str) -> str | None:
    assert callable(read)
    try:
        return str(read(value))
    except ValueError:
        return None


@settings(max_examples=2_000, deadline=None)
@given(
    local=LOCALS,
    domain=DOMAINS | st.text(st.sampled_from("aA0-._é@<> "), max_size=20),
    at=st.sampled_from(["@", "@@", ""]),
)
@example(local="a" * 64, domain="example.com", at="@")
@example(local="a" * 65, domain="example.com", at="@")
def test_the_short_cut_agrees_with_the_library(local: str, domain: str, at: str) -> None:
    value = f"{local}{at}{domain}"
    assert outcome(email_address, value) == outcome(email_address_by_library, value)


@settings(max_examples=500, deadline=None)
@given(st.emails())
def test_the_short_cut_agrees_on_real_addresses(value: str) -> None:
    assert outcome(email_address, value) == outcome(email_address_by_library, value)


@settings(max_examples=500, deadline=None)
@given(local=LOCALS, domain=DOMAINS)
def test_an_address_is_ascii_on_one_line(local: str, domain: str) -> None:
    address = outcome(email_address, f"{local}@{domain}")
    assert address is None or (address.isascii() and address.isprintable() and " " not in address)
