"""The storm of callbacks reaches the real API: what is answered is there, and STOPs are among it."""

from pydantic import SecretStr

from deploy.bench.callback_load import Plan, Storm
from deploy.bench.signed import ACCOUNT, AUTH_TOKEN, OURS, signer_for
from deploy.cli.processes import require_migrated
from deploy.cli.serving import serving
from engine.database import Database
from engine.settings import Settings

URL = "https://hooks.example.com"
TWILIO = {
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": SecretStr(AUTH_TOKEN),
    "twilio_from": OURS,
    "public_url": URL,
}


def storm(settings: Settings, database: Database, *, auth_token: str = AUTH_TOKEN) -> Storm:
    """Thirty callbacks and STOPs over three connections."""
    with database.transaction() as session:
        row = session.execute("SELECT public_id FROM workspaces WHERE key = 'default'").fetchone()
    assert row is not None
    signer = signer_for(URL)
    path = f"/webhooks/twilio/{row[0]}"
    callbacks = [signer.status(f"{path}/status", f"SM{n:032x}", "sent", "+12025550101") for n in range(30)]
    stops = [signer.stop(f"{path}/inbound", f"SM{n:032x}", f"+1202555{1000 + n}") for n in range(100)]
    in_force = settings.model_copy(update={**TWILIO, "twilio_auth_token": SecretStr(auth_token)})
    with serving(in_force, require_migrated) as (server, _):
        plan = Plan("127.0.0.1", server.port, URL, connections=3, seconds=60, stops_a_second=20.0)
        one = Storm(plan, iter(callbacks), iter(stops))
        one.run()
        one.close()
    return one


def test_what_is_answered_is_taken(settings: Settings, database: Database) -> None:
    seen = storm(settings, database).seen
    assert seen.answered == 30
    assert seen.refused == {}
    assert seen.stops and all(seconds > 0 for seconds in seen.stops)
    with database.transaction() as session:
        events = dict(session.execute("SELECT kind, count(*) FROM events GROUP BY kind").fetchall())
        suppressed = session.execute("SELECT count(*) FROM suppressions WHERE reason = 'stop'").fetchone()
    assert events == {"status": 30, "inbound": len(seen.stops)}
    assert suppressed == (len(seen.stops),)


def test_what_is_refused_is_told(settings: Settings, database: Database) -> None:
    seen = storm(settings, database, auth_token="another").seen
    assert seen.refused == {"403": 30 + len(seen.stops)}
