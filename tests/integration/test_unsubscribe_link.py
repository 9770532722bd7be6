"""List-Unsubscribe and the page behind it: opening it changes nothing, the button and the one-click POST do."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people_at_work import until_step
from stage_site import Site
from twilio_side import Answer, TwilioSide, api, with_twilio

from deploy.audit import audit
from deploy.sandbox.ledger import read_entries
from engine.rules import unsubscribe
from producers.workspace_mail import Mail
from producers.workspaces import change

MAIL = """
sequence: mail
reentry: always
reply_to: "{{ custom.owner }}"
headers: {X-Campaign: spring, X-Team: sales}
steps:
  - key: it
    type: email
    subject: Hi
    text: "Leave: {{ unsubscribe_url }}"
    html: "<a href='{{ unsubscribe_url }}'>Leave</a>"
    cc: [boss@example.com, "{{ custom.helper }}"]
    headers: {X-Campaign: summer}
    CHANGED
"""

PUBLIC = "https://mail.example.com/base"


def sent(site: Site, **changes: str) -> EmailMessage:
    """The email of somebody who is enrolled now, as the mail server took it."""
    site.world.publish(MAIL.replace("CHANGED", changes.pop("step", "name: Mail")))
    site.enroll("mail", attributes={"owner": "Olaf, of Sales <olaf@example.com>"})
    with site.working(**changes):
        until_step(site, "it", "sent")
    entries = [entry for entry in read_entries(site.sandbox.ledger) if entry.event == "accepted"]
    message = message_from_string(entries[-1].raw or "", policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_an_email_says_how_to_unsubscribe(site: Site) -> None:
    message = sent(site, public_url=PUBLIC)
    page, mail = str(message["List-Unsubscribe"]).split(", ")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    ((public_id, secret),) = site.world.query("SELECT public_id, webhook_secret FROM workspaces")
    ((row_id,),) = site.world.rows("id")
    token = unsubscribe.sign(secret, row_id, "user1@example.com")
    assert page == f"<{PUBLIC}/unsubscribe/{public_id}/{token}>"
    assert mail == f"<mailto:cadenza@example.com?subject=unsubscribe%20{token}>"
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert page.strip("<>") in text.get_content()
    assert page.strip("<>") in html.get_content()
    assert message["Precedence"] == "bulk"
    assert message["Feedback-ID"].startswith("it:mail:v1:ws_")
    assert message["Reply-To"] == '"Olaf, of Sales" <olaf@example.com>'
    assert message["Cc"] == "boss@example.com"
    assert (message["X-Campaign"], message["X-Team"]) == ("summer", "sales")
    found = audit(site.world.database, site.sandbox.ledger)
    assert found.clean, found.examples


def test_without_a_public_url_one_writes_an_email(site: Site) -> None:
    message = sent(site)
    assert str(message["List-Unsubscribe"]).startswith("<mailto:cadenza@example.com?subject=unsubscribe%20")
    assert message["List-Unsubscribe-Post"] is None


def test_a_transactional_email_has_no_list(site: Site) -> None:
    message = sent(site, public_url=PUBLIC, step="transactional: true")
    assert message["List-Unsubscribe"] is None
    assert message["List-Unsubscribe-Post"] is None
    assert message["Precedence"] is None
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_workspace_has_headers_of_its_own(site: Site) -> None:
    with site.world.database.transaction() as session:
        change(
            session,
            "default",
            mail=Mail("Desk <desk@example.com>", ["log@example.com"], {"X-Team": "all", "X-Own": "1"}),
        )
    message = sent(site)
    assert message["Reply-To"] == '"Olaf, of Sales" <olaf@example.com>'
    assert (message["X-Team"], message["X-Own"]) == ("sales", "1")


@dataclass(frozen=True)
class Page:
    """The page of the first email, in a browser."""

    api: TwilioSide
    path: str

    def open(self, method: str = "GET", body: bytes | None = None, path: str | None = None) -> Answer:
        """Ask for the page, or press its button."""
        return self.api.send(method, path or self.path, body)


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    sent(site, public_url=PUBLIC)
    ((public_id, secret),) = site.world.query("SELECT public_id, webhook_secret FROM workspaces")
    token = unsubscribe.sign(secret, 1, "user1@example.com")
    with api(with_twilio(site.settings), public_id) as listening:
        yield Page(listening, f"/unsubscribe/{public_id}/{token}")


def barred(site: Site) -> list[tuple[str, str]]:
    return site.world.query("SELECT channel, address FROM suppressions")


def test_opening_the_page_changes_nothing_and_the_button_unsubscribes(site: Site, page: Page) -> None:
    for _ in range(2):
        asked = page.open()
        assert asked.status == 200
        assert '<form method="post">' in asked.body
        assert "us…@example.com" in asked.body
        assert page.open("HEAD").status == 200
    assert barred(site) == []
    done = page.open("POST", b"")
    assert done.status == 200
    assert "You are unsubscribed" in done.body
    assert barred(site) == [("email", "user1@example.com")]
    assert site.world.query("SELECT channel FROM contact_opt_outs") == [("email",)]
    assert page.open("POST", b"").status == 200
    assert site.world.query("SELECT count(*) FROM events WHERE status = 'unsubscribed'") == [(1,)]


def test_a_mail_program_unsubscribes_with_one_click(site: Site, page: Page) -> None:
    assert page.open("POST", b"List-Unsubscribe=One-Click").status == 200
    assert barred(site) == [("email", "user1@example.com")]


def test_the_address_of_the_message_is_unsubscribed_whatever_the_contact_has_now(site: Site, page: Page) -> None:
    site.world.execute("UPDATE contacts SET email = 'new@example.com', email_key = 'new@example.com'")
    page.open("POST", b"")
    assert barred(site) == [("email", "user1@example.com")]


def test_a_link_that_was_not_made_here_is_not_known(site: Site, page: Page) -> None:
    ((other,),) = site.world.query("INSERT INTO workspaces (key, name) VALUES ('other', 'Other') RETURNING public_id")
    mine, token = page.path.split("/")[-2:]
    for public_id, spoilt in [(other, token), (mine, token[:-1] + ("A" if token[-1] != "A" else "E")), (mine, "x")]:
        for method in ("GET", "POST"):
            answer = page.open(method, b"", f"/unsubscribe/{public_id}/{spoilt}")
            assert answer.status == 404
            assert "Unknown link" in answer.body
    assert barred(site) == []


@given(
    secret=st.text(min_size=1, max_size=40),
    row_id=st.integers(1, 2**63 - 1),
    place=st.integers(0, 42),
    other=st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
)
def test_a_token_names_what_was_signed_and_nothing_else_can_be_made_of_it(
    secret: str, row_id: int, place: int, other: str
) -> None:
    token = unsubscribe.sign(secret, row_id, "Ada@Example.com")
    assert unsubscribe.read(secret, token) == (row_id, unsubscribe.digest_of("ada@example.com"))
    assert unsubscribe.read(secret + "x", token) is None
    forged = token[:place] + other + token[place + 1 :]
    assert forged == token or unsubscribe.read(secret, forged) in (None, unsubscribe.read(secret, token))


@given(st.text(max_size=80))
def test_any_text_for_a_token_is_refused(text: str) -> None:
    assert unsubscribe.read("secret", text) is None
