"""The whole job on one machine, and what came of it."""
