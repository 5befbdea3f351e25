"""`map`: a mapping file held against schemas, tests and records, before anything runs by it."""
