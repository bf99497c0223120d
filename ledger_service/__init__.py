"""Records purchases, completions and data hashes so that outsiders can check them."""
