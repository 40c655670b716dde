"""Interfaces of other libraries, one file each; a file is imported only by those who use it."""
