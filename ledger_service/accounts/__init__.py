"""Who may ask: organizations and their API keys."""
