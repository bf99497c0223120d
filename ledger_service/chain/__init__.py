"""The chain as an unreliable remote: pins, contract, anchors, and what to believe of a node's answers."""
