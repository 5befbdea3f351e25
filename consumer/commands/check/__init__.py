"""`check`: everything that can be known before the service starts, one fact a line."""
