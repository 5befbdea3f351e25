"""Strict Avro: schemas as types, resolution of writer and reader, data as values. It knows nothing of this service.

Compiled with mypyc where there is a C compiler; the same source runs uncompiled with the same results.
"""
