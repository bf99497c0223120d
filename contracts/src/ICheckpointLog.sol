// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Append-only logs whose signed checkpoints are accepted on a chain
/// @notice Many logs live in one contract, one contract per kind of log. A log's publisher brings a checkpoint
/// (size and root of an RFC 9162 tree) that the log's head key signed, and a proof that the new tree contains the
/// old one. An accepted checkpoint is called a head. What a head is about never reaches the chain.
/// @dev Only the hash of a head is stored, so each call that needs an old head takes its values as an argument and
/// compares. Every check reverts with an error that carries the values; no check returns a boolean.
interface ICheckpointLog {
    // --- values ---------------------------------------------------------------------------------------------

    /// @notice A head as it was accepted; all zero before the first one.
    /// @param size Number of entries, 1 to 2^53-1.
    /// @param root RFC 9162 tree hash over those entries.
    /// @param time Block time of acceptance, in seconds.
    /// @param previousSize Size of the head accepted before it, zero if there was none in this contract.
    struct Head {
        uint64 size;
        bytes32 root;
        uint64 time;
        uint64 previousSize;
    }

    /// @notice A checkpoint with the head key's signature: line 3 of the note, its `v` folded into `vs`.
    /// @param size Number of entries.
    /// @param root RFC 9162 tree hash over those entries.
    /// @param r First half of the signature.
    /// @param vs Second half of the signature, low s, the parity of the point in the highest bit (EIP-2098).
    struct SignedCheckpoint {
        uint64 size;
        bytes32 root;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice Where an entry stands in a log, with the proof that it stands there.
    /// @param index Position, from zero.
    /// @param leaf RFC 9162 leaf hash: SHA-256 of 0x00 and the entry's bytes.
    /// @param path RFC 9162 inclusion path, lowest level first.
    struct ProvenEntry {
        uint64 index;
        bytes32 leaf;
        bytes32[] path;
    }

    /// @notice A log in any contract on any chain; all zero means none.
    /// @param chainId EIP-155 id of the chain.
    /// @param anchor Address of the contract on that chain.
    /// @param logId The log's id in that contract.
    struct LogReference {
        uint256 chainId;
        address anchor;
        bytes32 logId;
    }

    /// @notice What is kept of a log, apart from its heads.
    /// @param originHash keccak256 of the origin's UTF-8 bytes.
    /// @param publisher The only account that may publish.
    /// @param size Size of the accepted head, zero before the first.
    /// @param time Block time at which that head was accepted, zero before the first.
    /// @param headKey Address of the secp256k1 key that signs the log's checkpoints.
    /// @param headKeyFrom Accepted size at which that key began; the key before it is closed at this size.
    /// @param retired Whether the log takes no further heads and no further status in this contract.
    struct LogState {
        bytes32 originHash;
        address publisher;
        uint64 size;
        uint64 time;
        address headKey;
        uint64 headKeyFrom;
        bool retired;
    }

    // --- events ---------------------------------------------------------------------------------------------

    /// @notice A log was opened.
    /// @param logId The new log.
    /// @param opener The account that opened it.
    /// @param originHash keccak256 of `origin`.
    /// @param origin The origin that every checkpoint of the log names in its first line.
    /// @param publisher The only account that may publish.
    /// @param headKey Address of the key that signs the log's checkpoints.
    /// @param openerNonce How many logs the opener had opened before.
    event LogOpened(
        bytes32 indexed logId,
        address indexed opener,
        bytes32 indexed originHash,
        string origin,
        address publisher,
        address headKey,
        uint64 openerNonce
    );

    /// @notice A log was opened as the continuation of another; `HeadAccepted` follows with the head carried over.
    /// @param logId The new log.
    /// @param chainId Chain of the log before.
    /// @param anchor Contract of the log before.
    /// @param previousLogId Id of the log before.
    /// @param size Size carried over.
    /// @param root Root carried over.
    event LogContinued(
        bytes32 indexed logId,
        uint256 chainId,
        address anchor,
        bytes32 previousLogId,
        uint64 size,
        bytes32 root
    );

    /// @notice A head was accepted.
    /// @param logId The log.
    /// @param size Number of entries.
    /// @param root RFC 9162 tree hash over them.
    /// @param time Block time of acceptance.
    /// @param previousSize Size of the head before, zero for the first one in this contract.
    event HeadAccepted(bytes32 indexed logId, uint64 indexed size, bytes32 root, uint64 time, uint64 previousSize);

    /// @notice A log has another publisher, another head key, or both from here on.
    /// @param logId The log.
    /// @param size Its accepted size: the head key before signs no head above it.
    /// @param publisher The only account that may publish from here on.
    /// @param headKey Address of the key that signs the log's checkpoints from here on.
    event LogRotated(bytes32 indexed logId, uint64 size, address publisher, address headKey);

    /// @notice A log was closed in this contract.
    /// @param logId The log.
    /// @param size Its accepted size, which is final here.
    /// @param chainId Chain of the successor, zero if there is none.
    /// @param anchor Contract of the successor, zero if there is none.
    /// @param successorLogId Id of the successor, zero if there is none.
    event LogRetired(bytes32 indexed logId, uint64 size, uint256 chainId, address anchor, bytes32 successorLogId);

    // --- errors ---------------------------------------------------------------------------------------------

    /// @notice SHA-256 is not at its precompiled address on this chain.
    /// @param digest What the call gave for the empty string.
    error Sha256Missing(bytes32 digest);
    /// @notice An origin must have 1 to 255 bytes.
    /// @param length The length given.
    error OriginLengthOutOfRange(uint256 length);
    /// @notice A log needs a publisher and a head key.
    /// @param publisher The publisher given.
    /// @param headKey The head key given.
    error LogKeyMissing(address publisher, address headKey);
    /// @notice A successor must name the log before it: chain, contract and id.
    /// @param chainId The chain id given.
    /// @param anchor The contract given.
    /// @param logId The log id given.
    error PredecessorMissing(uint256 chainId, address anchor, bytes32 logId);
    /// @notice No log has this id here.
    /// @param logId The id given.
    error UnknownLog(bytes32 logId);
    /// @notice The log takes no further heads and no further status.
    /// @param logId The log.
    /// @param size Its final size here.
    error RetiredLog(bytes32 logId, uint64 size);
    /// @notice Only the publisher may do this.
    /// @param logId The log.
    /// @param caller Who tried.
    /// @param publisher Who may.
    error NotPublisher(bytes32 logId, address caller, address publisher);
    /// @notice The signature is well formed, but by another key.
    /// @param logId The log.
    /// @param signer Whose signature it is.
    /// @param headKey Whose it should be.
    error WrongHeadKey(bytes32 logId, address signer, address headKey);
    /// @notice A head has 1 to 2^53-1 entries.
    /// @param logId The log.
    /// @param size The size offered.
    error SizeOutOfRange(bytes32 logId, uint64 size);
    /// @notice A head must be larger than the accepted one.
    /// @param logId The log.
    /// @param acceptedSize The accepted size.
    /// @param offeredSize The size offered.
    error SizeNotGrown(bytes32 logId, uint64 acceptedSize, uint64 offeredSize);
    /// @notice A log grows by at most 2^32 entries from head to head.
    /// @param logId The log.
    /// @param acceptedSize The accepted size.
    /// @param offeredSize The size offered.
    error GrowthTooLarge(bytes32 logId, uint64 acceptedSize, uint64 offeredSize);
    /// @notice A consistency path has at most 64 hashes, and none before the first head.
    /// @param logId The log.
    /// @param length Number of hashes given.
    /// @param limit The most that are looked at.
    error PathOverLimit(bytes32 logId, uint256 length, uint256 limit);
    /// @notice The zero root is the root of no tree.
    /// @param logId The log.
    /// @param size The size offered.
    error ZeroRoot(bytes32 logId, uint64 size);
    /// @notice Two roots for one size: the offered checkpoint and the accepted head cannot both be of one tree.
    /// @param logId The log.
    /// @param size The size of both.
    /// @param acceptedRoot Root of the accepted head.
    /// @param offeredRoot Root of the checkpoint offered.
    error ForkedHead(bytes32 logId, uint64 size, bytes32 acceptedRoot, bytes32 offeredRoot);
    /// @notice The head given as the accepted one is not the newest.
    /// @param logId The log.
    /// @param acceptedSize Size of the newest head.
    /// @param givenSize Size of the head given.
    error StaleHead(bytes32 logId, uint64 acceptedSize, uint64 givenSize);
    /// @notice No head with these values was ever accepted.
    /// @param logId The log.
    /// @param size Size of the head given.
    /// @param storedHash keccak256(abi.encode(root, time, previousSize)) of the head accepted at that size, or zero.
    /// @param givenHash The same over the values given.
    error UnacceptedHead(bytes32 logId, uint64 size, bytes32 storedHash, bytes32 givenHash);

    // --- changes --------------------------------------------------------------------------------------------

    /// @notice Open a log. Needs the opener role.
    /// @param origin The log's origin, fixed from here on.
    /// @param publisher The only account that may publish.
    /// @param headKey Address of the key that signs the log's checkpoints.
    /// @return logId keccak256(abi.encode(chainid, this contract, opener, keccak256(origin), openerNonce)).
    function open(string calldata origin, address publisher, address headKey) external returns (bytes32 logId);

    /// @notice Open a log as the continuation of one in another contract. Needs the opener role.
    /// @dev The head key's signature is not bound to a chain, so the signature of the old head serves. The head
    /// carried over gets this block's time and no previous size: the entries below it have their lower bounds in
    /// the old contract, and evidence carries both anchors.
    /// @param origin The log's origin, the same as before.
    /// @param publisher The only account that may publish.
    /// @param headKey Address of the key that signs the log's checkpoints, and signed `carried`.
    /// @param previous The log that is continued.
    /// @param carried The head to start from.
    /// @return logId As in `open`.
    function openSuccessor(
        string calldata origin,
        address publisher,
        address headKey,
        LogReference calldata previous,
        SignedCheckpoint calldata carried
    ) external returns (bytes32 logId);

    /// @notice Bring the next checkpoint. Only the log's publisher may.
    /// @dev Offering the accepted head again changes nothing and succeeds, whether `accepted` is that head or the
    /// one before it, so a repeated transaction does no harm.
    /// @param logId The log.
    /// @param accepted The newest head; before the first one its size is zero and the rest is not looked at.
    /// @param offered The checkpoint with the head key's signature.
    /// @param path RFC 9162 consistency path from `accepted` to `offered`; empty for the first head.
    function publish(
        bytes32 logId,
        Head calldata accepted,
        SignedCheckpoint calldata offered,
        bytes32[] calldata path
    ) external;

    /// @notice Give a log another publisher, another head key, or both. Only the publisher may, with the signature of
    /// the head key that is in force.
    /// @dev The signature is EIP-712 `Rotation(bytes32 logId,uint64 size,address publisher,address headKey)` in the
    /// domain of `retire`. It names the accepted size, at which the head key before is closed, so it cannot be kept
    /// for later. Heads that were accepted before stay as they are.
    /// @param logId The log.
    /// @param publisher The publisher from here on, which may be the same.
    /// @param headKey Address of the head key from here on, which may be the same.
    /// @param r First half of the signature.
    /// @param vs Second half of the signature as in `SignedCheckpoint`.
    function rotate(bytes32 logId, address publisher, address headKey, bytes32 r, bytes32 vs) external;

    /// @notice Close a log in this contract for good. Only the publisher may, with the head key's signature.
    /// @dev The signature is EIP-712 `Retirement(bytes32 logId,uint64 size,uint256 chainId,address anchor,bytes32
    /// successorLogId)` in this contract's domain (name "audit-ledger log", version "1", chain and contract). It
    /// names the accepted size, so it cannot be kept for later.
    /// @param logId The log.
    /// @param successor Where the log goes on; all zero if nowhere.
    /// @param r First half of the signature.
    /// @param vs Second half of the signature as in `SignedCheckpoint`.
    function retire(bytes32 logId, LogReference calldata successor, bytes32 r, bytes32 vs) external;

    // --- views ----------------------------------------------------------------------------------------------

    /// @notice Prove that an entry stands in a log. Returns nothing; reverts if it is not so.
    /// @param logId The log.
    /// @param head Any head of the log that was ever accepted.
    /// @param entry The entry's position, leaf hash and inclusion path.
    function verifyInclusion(bytes32 logId, Head calldata head, ProvenEntry calldata entry) external view;

    /// @notice Prove that a head was accepted. Returns nothing; reverts if it is not so.
    /// @param logId The log.
    /// @param head The head.
    function verifyHead(bytes32 logId, Head calldata head) external view;

    /// @notice The stored hash of the head accepted at a size.
    /// @param logId The log.
    /// @param size The size.
    /// @return keccak256(abi.encode(root, time, previousSize)), or zero if no head was accepted at that size.
    function headHash(bytes32 logId, uint64 size) external view returns (bytes32);

    /// @notice What is kept of a log.
    /// @param logId The log.
    /// @return The log's state; reverts if there is no such log.
    function logState(bytes32 logId) external view returns (LogState memory);

    /// @notice Where a retired log goes on.
    /// @param logId The log.
    /// @return The successor, all zero if there is none.
    function successorOf(bytes32 logId) external view returns (LogReference memory);

    /// @notice How many logs an account has opened; the nonce of its next one.
    /// @param opener The account.
    /// @return The nonce.
    function openerNonce(address opener) external view returns (uint64);

    /// @notice The id that a log has or would have.
    /// @param opener The account that opens it.
    /// @param origin Its origin.
    /// @param nonce How many logs that account has opened before.
    /// @return The id.
    function logIdOf(address opener, string calldata origin, uint64 nonce) external view returns (bytes32);

    /// @notice What the head key signs for a checkpoint: EIP-712 `Checkpoint(string origin,uint64 size,bytes32 root)`
    /// in the domain {name: "audit-ledger checkpoint", version: "1"}, bound to no chain.
    /// @param logId The log.
    /// @param size Number of entries.
    /// @param root RFC 9162 tree hash over them.
    /// @return The 32 bytes that are signed.
    function checkpointDigest(bytes32 logId, uint64 size, bytes32 root) external view returns (bytes32);

    /// @notice What the head key signs to retire a log at its present size.
    /// @param logId The log.
    /// @param successor Where the log goes on; all zero if nowhere.
    /// @return The 32 bytes that are signed.
    function retirementDigest(bytes32 logId, LogReference calldata successor) external view returns (bytes32);

    /// @notice What the head key signs to change publisher or head key at the log's present size.
    /// @param logId The log.
    /// @param publisher The publisher from there on.
    /// @param headKey Address of the head key from there on.
    /// @return The 32 bytes that are signed.
    function rotationDigest(bytes32 logId, address publisher, address headKey) external view returns (bytes32);
}
