"""One module for each table: the dataclass of a row, and the function `measure` that returns all rows."""
