"""What an administrator may set for a role, all at once: each setting would break something of somebody careless."""

from typing import Final

HOSTILE: Final = {
    "statement_timeout": "'1ms'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'1ms'",
    "idle_session_timeout": "'50ms'",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "search_path": "pg_catalog",
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "extra_float_digits": "-15",
    "timezone": "'Pacific/Chatham'",
    "client_min_messages": "error",
    "client_encoding": "latin1",
    "jit": "on",
    "jit_above_cost": "0",
    "row_security": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "exit_on_error": "on",
    "plan_cache_mode": "force_custom_plan",
}

#: Of Postgres 17 and newer.
HOSTILE_17: Final = {"transaction_timeout": "'5s'"}
