"""The pure core: facts go in, work comes out. No clock, randomness, socket, thread, environment or logging.

Released wheels compile this package with mypyc; the same source runs uncompiled with the same results.
"""
