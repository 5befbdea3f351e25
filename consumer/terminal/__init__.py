"""What commands show on a terminal: tables and progress."""
