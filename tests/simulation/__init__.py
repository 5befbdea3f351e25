"""The real loop and the real core in a simulated world: one seed, one history."""
