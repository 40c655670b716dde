"""Reads and writes files of records: runs, topics, qrels, corpora, BEIR folders, training examples."""
