"""A whole experiment as one YAML file: what is compared, run by one command, checked against what it expects."""
