"""The shell: one module for each outside thing, and the loop that turns them. Only here is there I/O."""
