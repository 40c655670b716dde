"""From (query, passage) pairs to log-likelihoods."""
