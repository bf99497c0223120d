"""From the outbox to a signed checkpoint: each log's list of entries, its tiles and its proofs."""
