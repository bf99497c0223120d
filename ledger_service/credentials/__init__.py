"""What a school or a training provider records: completions."""
