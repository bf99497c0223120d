"""What an outsider gets: receipts, evidence, trust documents and the server's own verdict."""
