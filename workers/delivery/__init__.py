"""Delivery: rows that are due become messages that a provider has accepted, each once."""
