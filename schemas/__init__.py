"""The event schemas, as package data: `group_change.avsc` is the newest, `history/` every version that was ever released."""
