"""Training of adapters: from questions with passages to a folder that `QPeftReranker.from_pretrained` loads."""
