"""What producers send: from the bytes of one record to the operation that it asks for, and to its JSON. Pure."""
