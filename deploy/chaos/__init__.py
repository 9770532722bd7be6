"""The storm: everything that can go wrong at once, by a seed; then quiet, then the audit (`make chaos`)."""
