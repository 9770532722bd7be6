"""The demo: what `make demo` shows."""
