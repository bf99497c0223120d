// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Inclusion and consistency in RFC 9162 Merkle trees
/// @notice The tree of Certificate Transparency (RFC 6962 has the same one) with SHA-256. OpenZeppelin's MerkleProof
/// cannot serve here: it sorts each pair, so it proves membership but not position, and knows no consistency.
/// @dev `verify…` functions return nothing and revert with the values that disagree. The loops do what RFC 9162
/// sections 2.1.3.2 and 2.1.4.2 do, with its names: `fn` and `sn` are the positions of the proven node and of the
/// last node, level by level. Until they meet, the lowest bit of `fn` tells on which side the sibling stands; from
/// there up the proven node lies on the right edge, where siblings only stand on the left, one for each bit that is
/// set. A path with a hash too few or too many is refused, so each proof has exactly one form.
/// Assembly is used to check what the SHA-256 precompile returns, which Solidity does not, and to read the path.
library Rfc9162 {
    /// @notice The SHA-256 precompile failed or returned something other than 32 bytes.
    error Sha256Failed();
    /// @notice A tree of this size has no entry at this position.
    /// @param index The position.
    /// @param size The tree's size.
    error EntryOutOfRange(uint64 index, uint64 size);
    /// @notice Consistency is defined for 0 < first <= second.
    /// @param first Size of the first tree.
    /// @param second Size of the second tree.
    error SizesOutOfOrder(uint64 first, uint64 second);
    /// @notice The path ends before the root.
    /// @param length Number of hashes in the path.
    error PathTooShort(uint256 length);
    /// @notice The path goes on after the root.
    /// @param length Number of hashes in the path.
    error PathTooLong(uint256 length);
    /// @notice The path leads to another root.
    /// @param size Size of the tree whose root it should be.
    /// @param expected The root that it should be.
    /// @param computed The root that it is.
    error RootMismatch(uint64 size, bytes32 expected, bytes32 computed);

    /// @dev Address of the SHA-256 precompile.
    uint256 private constant SHA256 = 2;

    /// @notice Prove that a leaf stands at a position of a tree.
    /// @param leaf The leaf's hash.
    /// @param index The leaf's position, from zero.
    /// @param size The tree's size.
    /// @param root The tree's root.
    /// @param path Inclusion path, lowest level first.
    function verifyInclusion(bytes32 leaf, uint64 index, uint64 size, bytes32 root, bytes32[] calldata path)
        internal
        view
    {
        bytes32 computed = rootFromLeaf(leaf, index, size, path);
        if (computed != root) revert RootMismatch(size, root, computed);
    }

    /// @notice Prove that one tree is the beginning of another.
    /// @dev Trees of equal size are consistent only with equal roots and an empty path.
    /// @param first Size of the first tree, at least one.
    /// @param second Size of the second tree.
    /// @param firstRoot Root of the first tree.
    /// @param secondRoot Root of the second tree.
    /// @param path Consistency path, lowest level first.
    function verifyConsistency(
        uint64 first,
        uint64 second,
        bytes32 firstRoot,
        bytes32 secondRoot,
        bytes32[] calldata path
    ) internal view {
        (bytes32 firstComputed, bytes32 secondComputed) = rootsFromPath(first, second, firstRoot, path);
        if (firstComputed != firstRoot) revert RootMismatch(first, firstRoot, firstComputed);
        if (secondComputed != secondRoot) revert RootMismatch(second, secondRoot, secondComputed);
    }

    /// @notice The root of the only tree of this size in which the path leads from the leaf.
    /// @param leaf The leaf's hash.
    /// @param index The leaf's position, from zero.
    /// @param size The tree's size.
    /// @param path Inclusion path, lowest level first.
    /// @return root The root.
    function rootFromLeaf(bytes32 leaf, uint64 index, uint64 size, bytes32[] calldata path)
        internal
        view
        returns (bytes32 root)
    {
        if (index >= size) revert EntryOutOfRange(index, size);
        uint256 fn = index;
        uint256 sn = size - 1;
        uint256 used = 0;
        bytes32 sibling;
        root = leaf;
        for (; fn != sn; (fn, sn) = (fn >> 1, sn >> 1)) {
            (sibling, used) = _next(path, used);
            root = fn & 1 == 1 ? nodeHash(sibling, root) : nodeHash(root, sibling);
        }
        for (; fn != 0; fn >>= 1) {
            if (fn & 1 == 0) continue;
            (sibling, used) = _next(path, used);
            root = nodeHash(sibling, root);
        }
        if (used != path.length) revert PathTooLong(path.length);
    }

    /// @notice The two roots that a consistency path yields.
    /// @dev A first tree of 2^k entries is itself a node of the second, so RFC 9162 leaves it out of the path, and
    /// `firstRoot` serves as the node to start from.
    /// @param first Size of the first tree, at least one.
    /// @param second Size of the second tree.
    /// @param firstRoot Root of the first tree; read only if `first` is a power of two or equals `second`.
    /// @param path Consistency path, lowest level first.
    /// @return firstComputed Root of the first tree according to the path.
    /// @return secondComputed Root of the second tree according to the path.
    function rootsFromPath(uint64 first, uint64 second, bytes32 firstRoot, bytes32[] calldata path)
        internal
        view
        returns (bytes32 firstComputed, bytes32 secondComputed)
    {
        if (first == 0 || first > second) revert SizesOutOfOrder(first, second);
        if (first == second) {
            if (path.length != 0) revert PathTooLong(path.length);
            return (firstRoot, firstRoot);
        }
        uint256 fn = first - 1;
        uint256 sn = second - 1;
        while (fn & 1 == 1) (fn, sn) = (fn >> 1, sn >> 1);
        uint256 used = 0;
        bytes32 sibling;
        firstComputed = firstRoot;
        if (fn != 0) (firstComputed, used) = _next(path, used);
        secondComputed = firstComputed;
        for (; fn != sn; (fn, sn) = (fn >> 1, sn >> 1)) {
            (sibling, used) = _next(path, used);
            if (fn & 1 == 1) {
                (firstComputed, secondComputed) = _nodeHashes(sibling, firstComputed, secondComputed);
            } else {
                secondComputed = nodeHash(secondComputed, sibling);
            }
        }
        for (; fn != 0; fn >>= 1) {
            if (fn & 1 == 0) continue;
            (sibling, used) = _next(path, used);
            (firstComputed, secondComputed) = _nodeHashes(sibling, firstComputed, secondComputed);
        }
        if (used != path.length) revert PathTooLong(path.length);
    }

    /// @notice The hash of a leaf: SHA-256 of 0x00 and the entry.
    /// @param entry The entry's bytes.
    /// @return digest The hash.
    function leafHash(bytes memory entry) internal view returns (bytes32 digest) {
        return _sha256(bytes.concat(hex"00", entry));
    }

    /// @notice The hash of an inner node: SHA-256 of 0x01, left and right.
    /// @dev Written in assembly because Solidity's own `sha256` trusts whatever the precompile leaves in memory, and
    /// because one `publish` calls this some forty times. The 65 bytes lie beyond the free memory pointer and are
    /// not kept; the result is taken from scratch space.
    /// @param left Hash of the left child.
    /// @param right Hash of the right child.
    /// @return digest The hash.
    function nodeHash(bytes32 left, bytes32 right) internal view returns (bytes32 digest) {
        bool done;
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore8(input, 0x01)
            mstore(add(input, 0x01), left)
            mstore(add(input, 0x21), right)
            done := staticcall(gas(), SHA256, input, 0x41, 0x00, 0x20)
            done := and(done, eq(returndatasize(), 0x20))
            digest := mload(0x00)
        }
        if (!done) revert Sha256Failed();
    }

    /// @notice SHA-256 of nothing, for a constructor to compare with the known value.
    /// @return digest The hash.
    function emptyRoot() internal view returns (bytes32 digest) {
        return _sha256("");
    }

    /// @dev The next hash of a path, and how many are used with it. Read without Solidity's bounds check, which would
    /// be a second one, and counted without its overflow check: `used` is at most the length.
    function _next(bytes32[] calldata path, uint256 used) private pure returns (bytes32 sibling, uint256 usedNow) {
        if (used == path.length) revert PathTooShort(used);
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            sibling := calldataload(add(path.offset, shl(5, used)))
            usedNow := add(used, 1)
        }
    }

    /// @dev SHA-256 with the success and the length of the answer checked.
    function _sha256(bytes memory input) private view returns (bytes32 digest) {
        bool done;
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            done := staticcall(gas(), SHA256, add(input, 0x20), mload(input), 0x00, 0x20)
            done := and(done, eq(returndatasize(), 0x20))
            digest := mload(0x00)
        }
        if (!done) revert Sha256Failed();
    }

    /// @dev `nodeHash` of the same left child with two right ones, which is half of all the work of `publish`.
    function _nodeHashes(bytes32 left, bytes32 right, bytes32 otherRight)
        private
        view
        returns (bytes32 digest, bytes32 otherDigest)
    {
        bool done;
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore8(input, 0x01)
            mstore(add(input, 0x01), left)
            mstore(add(input, 0x21), right)
            done := staticcall(gas(), SHA256, input, 0x41, 0x00, 0x20)
            done := and(done, eq(returndatasize(), 0x20))
            digest := mload(0x00)
            mstore(add(input, 0x21), otherRight)
            done := and(done, staticcall(gas(), SHA256, input, 0x41, 0x00, 0x20))
            done := and(done, eq(returndatasize(), 0x20))
            otherDigest := mload(0x00)
        }
        if (!done) revert Sha256Failed();
    }
}
