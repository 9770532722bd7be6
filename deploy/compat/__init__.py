"""The proof that Cadenza runs on the servers that people have."""
