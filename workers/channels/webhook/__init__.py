"""Webhooks: a step that tells a web server."""
