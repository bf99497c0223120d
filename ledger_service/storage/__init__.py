"""Where every durable byte goes: one engine, one unit of work, one schema."""
