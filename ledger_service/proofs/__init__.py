"""The proof kernel and offline verifier: every format that is hashed or signed, made and checked.

Nothing here does I/O, reads a clock, draws randomness or logs; only `__main__.py` reads files and the time.
Besides Python it needs `cryptography` alone. README.md says what travels where.
"""
