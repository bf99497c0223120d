"""What an agency records: its data sets, which never leave its building."""
