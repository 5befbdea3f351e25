"""Credentials and certificates on real servers: right ones, wrong ones, rotated ones; and that none is ever told."""
