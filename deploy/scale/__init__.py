"""`make scale`: what each operation costs, and what a row takes, as one database grows."""
