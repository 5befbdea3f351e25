"""The service: the loop that turns the core, its lease, and what people see of it."""
