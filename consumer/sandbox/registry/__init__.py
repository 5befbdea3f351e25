"""A schema registry with the answers of the real one."""
