"""`status`: what each instance and partition does, and which record blocks it."""
