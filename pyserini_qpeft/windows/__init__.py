"""Long documents by windows: cutting, combining the windows' likelihoods, and documents that are given as passages."""
