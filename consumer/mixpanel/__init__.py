"""Everything that is known of Mixpanel's endpoint: one POST with a hard end, and the pool that posts."""
