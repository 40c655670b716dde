"""One module for each table: a dataclass of a row, and a function that measures all rows."""
