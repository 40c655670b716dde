"""First-stage hits of any kind, and the text of each."""
