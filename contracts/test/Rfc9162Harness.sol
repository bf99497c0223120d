// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Rfc9162} from "../src/Rfc9162.sol";

/// @title The library's functions from outside, one at a time or thousands in one call
/// @notice For tests only; never deployed with the service.
contract Rfc9162Harness {
    /// @notice See Rfc9162.verifyInclusion.
    function verifyInclusion(bytes32 leaf, uint64 index, uint64 size, bytes32 root, bytes32[] calldata path)
        external
        view
    {
        Rfc9162.verifyInclusion(leaf, index, size, root, path);
    }

    /// @notice See Rfc9162.verifyConsistency.
    function verifyConsistency(
        uint64 first,
        uint64 second,
        bytes32 firstRoot,
        bytes32 secondRoot,
        bytes32[] calldata path
    ) external view {
        Rfc9162.verifyConsistency(first, second, firstRoot, secondRoot, path);
    }

    /// @notice See Rfc9162.leafHash.
    function leafHash(bytes calldata entry) external view returns (bytes32) {
        return Rfc9162.leafHash(entry);
    }

    /// @notice See Rfc9162.nodeHash.
    function nodeHash(bytes32 left, bytes32 right) external view returns (bytes32) {
        return Rfc9162.nodeHash(left, right);
    }

    /// @notice See Rfc9162.emptyRoot.
    function emptyRoot() external view returns (bytes32) {
        return Rfc9162.emptyRoot();
    }

    /// @notice Make many calls of the functions above.
    /// @param calls Their call data.
    /// @return outcomes For each: zero if it returned, else the selector of the error.
    function run(bytes[] calldata calls) external view returns (bytes4[] memory outcomes) {
        outcomes = new bytes4[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory answer) = address(this).staticcall(calls[i]);
            if (!done) outcomes[i] = bytes4(answer);
        }
    }

    /// @notice Whether each of many inclusion proofs leads to its root, at a fraction of what `run` costs.
    /// @param numbers For each: index, size and length of the path, 64 bits each, the first one lowest.
    /// @param hashes For each: leaf, root and path.
    /// @return outcomes For each: whether it does.
    function compareInclusions(uint256[] calldata numbers, bytes32[] calldata hashes)
        external
        view
        returns (bool[] memory outcomes)
    {
        outcomes = new bool[](numbers.length);
        uint256 pos = 0;
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint256 next = pos + 2 + (numbers[i] >> 128);
            bytes32[] calldata path = hashes[pos + 2:next];
            bytes32 root = Rfc9162.rootFromLeaf(hashes[pos], uint64(numbers[i]), uint64(numbers[i] >> 64), path);
            outcomes[i] = root == hashes[pos + 1];
            pos = next;
        }
    }

    /// @notice Whether each of many consistency proofs leads to both roots.
    /// @param numbers For each: first size, second size and length of the path, 64 bits each, the first one lowest.
    /// @param hashes For each: first root, second root and path.
    /// @return outcomes For each: whether it does.
    function compareConsistencies(uint256[] calldata numbers, bytes32[] calldata hashes)
        external
        view
        returns (bool[] memory outcomes)
    {
        outcomes = new bool[](numbers.length);
        uint256 pos = 0;
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint256 next = pos + 2 + (numbers[i] >> 128);
            bytes32[] calldata path = hashes[pos + 2:next];
            (bytes32 first, bytes32 second) =
                Rfc9162.rootsFromPath(uint64(numbers[i]), uint64(numbers[i] >> 64), hashes[pos], path);
            outcomes[i] = first == hashes[pos] && second == hashes[pos + 1];
            pos = next;
        }
    }
}
