"""Training of adapters: from queries with passages to a folder that `QPeftReranker.from_pretrained` loads."""
