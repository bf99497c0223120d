"""What a marketplace records: purchases."""
