"""The embedded Postgres and Valkey: for one machine and for tests; never for production."""
