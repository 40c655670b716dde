"""A whole experiment in one YAML file: it is run by one command and compared with the scores that it expects."""
