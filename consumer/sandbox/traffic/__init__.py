"""Events for the sandbox, good and bad, and what is owed for each."""
