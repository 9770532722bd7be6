"""The sandbox providers: a Twilio-compatible HTTP server and an SMTP server on loopback that keep a ledger."""
