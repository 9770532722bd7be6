"""The SQL that moves outbox rows: plan, claim, begin, settle, sweep. Each a guarded, set-based statement."""
