"""The service as a real process, on a real Kafka, against the sandbox's Mixpanel and a registry that tests break."""
