"""Interfaces of other libraries, one file each; a file is imported only when it is used."""
