"""Change data capture with the real thing: PostgreSQL, Debezium under Kafka Connect, a real registry, the service."""
