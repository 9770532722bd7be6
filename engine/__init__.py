"""What producers and workers share: settings, errors, clock, broker, wake-ups, metrics, rules and the SQL for them."""
