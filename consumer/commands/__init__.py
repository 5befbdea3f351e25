"""What a person or a script runs beside the service: its commands, one module or folder for each."""
