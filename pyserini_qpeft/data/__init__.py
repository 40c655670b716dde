"""Files of records: runs, topics, qrels, corpora, training examples."""
