"""Keys and sealing. The vault knows organizations and data subjects, and no records."""
