"""From a validated payload to an accepted record: kinds, intake, idempotency, outbox."""
