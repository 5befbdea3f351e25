"""Everything that is known of Kafka: the consumer, the dead-letter topic, the client and its settings."""
