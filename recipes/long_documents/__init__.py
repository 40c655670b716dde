"""Long documents: a cut document against its windows, on collections that are joined from shorter texts."""
