"""Human tasks, for those who work them: what there is to do, and what they say of it."""
