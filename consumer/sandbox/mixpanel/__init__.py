"""A Mixpanel with the known answers of the real one, and faults on demand."""
