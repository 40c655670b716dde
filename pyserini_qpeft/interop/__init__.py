"""The interfaces of Pyserini's own family, one small file for each; none is loaded before it is used."""
