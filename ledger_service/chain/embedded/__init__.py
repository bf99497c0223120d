"""A node that we ship: py-evm's Prague chain in one SQLite file, served as standard JSON-RPC on loopback.

`node` is the process, `supervisor` starts it as a child and keeps it running. Nothing outside this package knows how
blocks are made: the service speaks to this node as to any other. `hardhat-free-local-chain.md` tells users about it.
"""
