"""Benchmarks: questions of public and own collections, and what they show of search, reader and refusal."""
