"""Everything that is known of the schema registry: its client, what is kept of it, fetching beside the loop."""
