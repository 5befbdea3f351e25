"""A real Kafka from Maven's jars and a JVM from PyPI, on loopback."""
