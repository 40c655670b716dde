"""Runs, topics, judgements and corpora: read, written, resumed."""
