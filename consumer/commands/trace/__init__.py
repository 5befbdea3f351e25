"""`trace`: what became of a record, or of a group's changes. It reads Kafka, and asks instances that are named."""
