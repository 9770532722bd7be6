"""Pure rules: what follows from what. No I/O, no clock, no settings."""
