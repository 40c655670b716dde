"""Engines that score the query batches of a run on several machines, in place of this process."""
