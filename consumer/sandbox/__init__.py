"""What the service talks to, on one machine: broker, registry, Mixpanel, traffic."""
