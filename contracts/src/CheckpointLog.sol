// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ICheckpointLog} from "./ICheckpointLog.sol";
import {Rfc9162} from "./Rfc9162.sol";

/// @title Checkpoint logs: opening, heads, proofs, rotation of keys, retirement
/// @notice See ICheckpointLog. Nobody administers this contract. Openers may open logs and admit or dismiss openers;
/// over an open log they have no power. A log obeys its publisher and its head key and nobody else.
/// @dev There are no immutables, so the code on every chain is byte for byte the committed artifact.
abstract contract CheckpointLog is ICheckpointLog, AccessControl {
    /// @dev Three slots. `publish` reads all of them and writes only the first.
    struct Log {
        address publisher;
        uint56 size; // 2^53-1 at most
        uint40 time;
        address headKey;
        uint64 headKeyFrom;
        bool retired;
        bytes32 originHash;
    }

    /// @notice Role of those who may open logs. It administers itself; DEFAULT_ADMIN_ROLE has no member.
    bytes32 public constant OPENER_ROLE = keccak256("OPENER_ROLE");

    /// @notice The largest tree: what a JSON number holds exactly.
    uint64 public constant MAX_SIZE = 2 ** 53 - 1;

    /// @notice The most entries by which a head exceeds the one before.
    uint64 public constant MAX_GROWTH = 2 ** 32;

    /// @notice The longest consistency path that is looked at; no tree of MAX_SIZE needs more than 54 hashes.
    uint256 public constant MAX_PATH = 64;

    /// @dev EIP-712 domain {name: "audit-ledger checkpoint", version: "1"}:
    /// keccak256(abi.encode(keccak256("EIP712Domain(string name,string version)"), keccak256(name), keccak256(version))).
    bytes32 private constant CHECKPOINT_DOMAIN = 0x953f2f7e4474a3c14a2fe39b656aa908fc792e2c3df099177ee2cbafe7ff597b;

    bytes32 private constant CHECKPOINT_TYPE = keccak256("Checkpoint(string origin,uint64 size,bytes32 root)");

    bytes32 private constant LOG_DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    bytes32 private constant RETIREMENT_TYPE =
        keccak256("Retirement(bytes32 logId,uint64 size,uint256 chainId,address anchor,bytes32 successorLogId)");

    bytes32 private constant ROTATION_TYPE =
        keccak256("Rotation(bytes32 logId,uint64 size,address publisher,address headKey)");

    mapping(bytes32 logId => Log) private _logs;
    mapping(bytes32 logId => mapping(uint64 size => bytes32 headHash)) private _heads;
    mapping(bytes32 logId => LogReference) private _successors;
    mapping(address opener => uint64 nonce) private _openerNonces;

    /// @param openers The first accounts that may open logs.
    constructor(address[] memory openers) {
        bytes32 digest = Rfc9162.emptyRoot();
        if (digest != 0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855) revert Sha256Missing(digest);
        _setRoleAdmin(OPENER_ROLE, OPENER_ROLE);
        for (uint256 i = 0; i < openers.length; ++i) _grantRole(OPENER_ROLE, openers[i]);
    }

    // --- changes --------------------------------------------------------------------------------------------

    /// @inheritdoc ICheckpointLog
    function open(string calldata origin, address publisher, address headKey) external returns (bytes32 logId) {
        return _open(origin, publisher, headKey, 0);
    }

    /// @inheritdoc ICheckpointLog
    function openSuccessor(
        string calldata origin,
        address publisher,
        address headKey,
        LogReference calldata previous,
        SignedCheckpoint calldata carried
    ) external returns (bytes32 logId) {
        if (previous.chainId == 0 || previous.anchor == address(0) || previous.logId == bytes32(0)) {
            revert PredecessorMissing(previous.chainId, previous.anchor, previous.logId);
        }
        logId = _open(origin, publisher, headKey, carried.size);
        Log storage log = _logs[logId];
        _requireTree(logId, carried.size, carried.root);
        _requireSigned(logId, log, carried);
        emit LogContinued(logId, previous.chainId, previous.anchor, previous.logId, carried.size, carried.root);
        _accept(logId, log, 0, carried);
    }

    /// @inheritdoc ICheckpointLog
    function publish(
        bytes32 logId,
        Head calldata accepted,
        SignedCheckpoint calldata offered,
        bytes32[] calldata path
    ) external {
        Log storage log = _requirePublisher(logId);
        _requireTree(logId, offered.size, offered.root);
        uint64 size = log.size;
        if (offered.size == size) return _requireSameHead(logId, accepted, offered, log.time);
        if (offered.size < size) revert SizeNotGrown(logId, size, offered.size);
        if (offered.size - size > MAX_GROWTH) revert GrowthTooLarge(logId, size, offered.size);
        if (accepted.size != size) revert StaleHead(logId, size, accepted.size);
        uint256 limit = size == 0 ? 0 : MAX_PATH;
        if (path.length > limit) revert PathOverLimit(logId, path.length, limit);
        if (size != 0) {
            verifyHead(logId, accepted);
            Rfc9162.verifyConsistency(size, offered.size, accepted.root, offered.root, path);
        }
        _requireSigned(logId, log, offered);
        _accept(logId, log, size, offered);
    }

    /// @inheritdoc ICheckpointLog
    function rotate(bytes32 logId, address publisher, address headKey, bytes32 r, bytes32 vs) external {
        Log storage log = _requirePublisher(logId);
        if (publisher == address(0) || headKey == address(0)) revert LogKeyMissing(publisher, headKey);
        address present = log.headKey;
        _requireHeadKey(logId, present, rotationDigest(logId, publisher, headKey), r, vs);
        uint64 size = log.size;
        log.publisher = publisher;
        if (headKey != present) {
            log.headKey = headKey;
            log.headKeyFrom = size;
        }
        emit LogRotated(logId, size, publisher, headKey);
    }

    /// @inheritdoc ICheckpointLog
    function retire(bytes32 logId, LogReference calldata successor, bytes32 r, bytes32 vs) external {
        Log storage log = _requirePublisher(logId);
        _requireHeadKey(logId, log.headKey, retirementDigest(logId, successor), r, vs);
        log.retired = true;
        _successors[logId] = successor;
        emit LogRetired(logId, log.size, successor.chainId, successor.anchor, successor.logId);
    }

    // --- views ----------------------------------------------------------------------------------------------

    /// @inheritdoc ICheckpointLog
    function verifyInclusion(bytes32 logId, Head calldata head, ProvenEntry calldata entry) public view {
        verifyHead(logId, head);
        Rfc9162.verifyInclusion(entry.leaf, entry.index, head.size, head.root, entry.path);
    }

    /// @inheritdoc ICheckpointLog
    function verifyHead(bytes32 logId, Head calldata head) public view {
        bytes32 stored = _heads[logId][head.size];
        bytes32 given = _hashHead(head.root, head.time, head.previousSize);
        // Heads are compared with what was stored, to the bit; no time is compared with the clock.
        // slither-disable-next-line timestamp
        if (stored != given) revert UnacceptedHead(logId, head.size, stored, given);
    }

    /// @inheritdoc ICheckpointLog
    function headHash(bytes32 logId, uint64 size) external view returns (bytes32) {
        return _heads[logId][size];
    }

    /// @inheritdoc ICheckpointLog
    function logState(bytes32 logId) external view returns (LogState memory) {
        Log storage log = _requireLog(logId);
        return LogState({
            originHash: log.originHash,
            publisher: log.publisher,
            size: log.size,
            time: log.time,
            headKey: log.headKey,
            headKeyFrom: log.headKeyFrom,
            retired: log.retired
        });
    }

    /// @inheritdoc ICheckpointLog
    function successorOf(bytes32 logId) external view returns (LogReference memory) {
        return _successors[logId];
    }

    /// @inheritdoc ICheckpointLog
    function openerNonce(address opener) external view returns (uint64) {
        return _openerNonces[opener];
    }

    /// @inheritdoc ICheckpointLog
    function logIdOf(address opener, string calldata origin, uint64 nonce) external view returns (bytes32) {
        return _logId(opener, keccak256(bytes(origin)), nonce);
    }

    /// @inheritdoc ICheckpointLog
    function checkpointDigest(bytes32 logId, uint64 size, bytes32 root) public view returns (bytes32) {
        return _checkpointDigest(_requireLog(logId).originHash, size, root);
    }

    /// @inheritdoc ICheckpointLog
    function retirementDigest(bytes32 logId, LogReference calldata successor) public view returns (bytes32) {
        bytes32 retirement = keccak256(
            abi.encode(
                RETIREMENT_TYPE,
                logId,
                _requireLog(logId).size,
                successor.chainId,
                successor.anchor,
                successor.logId
            )
        );
        return MessageHashUtils.toTypedDataHash(_logDomain(), retirement);
    }

    /// @inheritdoc ICheckpointLog
    function rotationDigest(bytes32 logId, address publisher, address headKey) public view returns (bytes32) {
        bytes32 rotation =
            keccak256(abi.encode(ROTATION_TYPE, logId, _requireLog(logId).size, publisher, headKey));
        return MessageHashUtils.toTypedDataHash(_logDomain(), rotation);
    }

    // --- parts ----------------------------------------------------------------------------------------------

    /// @dev Make a log without a head.
    function _open(string calldata origin, address publisher, address headKey, uint64 headKeyFrom)
        private
        onlyRole(OPENER_ROLE)
        returns (bytes32 logId)
    {
        uint256 length = bytes(origin).length;
        if (length == 0 || length > 255) revert OriginLengthOutOfRange(length);
        if (publisher == address(0) || headKey == address(0)) revert LogKeyMissing(publisher, headKey);
        bytes32 originHash = keccak256(bytes(origin));
        uint64 nonce = _openerNonces[msg.sender]++;
        logId = _logId(msg.sender, originHash, nonce);
        Log storage log = _logs[logId];
        log.publisher = publisher;
        log.headKey = headKey;
        log.headKeyFrom = headKeyFrom;
        log.originHash = originHash;
        emit LogOpened(logId, msg.sender, originHash, origin, publisher, headKey, nonce);
    }

    /// @dev Store a head of which everything has been checked.
    function _accept(bytes32 logId, Log storage log, uint64 previousSize, SignedCheckpoint calldata offered)
        private
    {
        uint64 time = uint64(block.timestamp);
        log.size = uint56(offered.size);
        log.time = uint40(time);
        _heads[logId][offered.size] = _hashHead(offered.root, time, previousSize);
        emit HeadAccepted(logId, offered.size, offered.root, time, previousSize);
    }

    /// @dev For a log that takes heads and status: it exists, is not retired, and its publisher is calling.
    function _requirePublisher(bytes32 logId) internal view returns (Log storage log) {
        log = _requireLog(logId);
        address publisher = log.publisher;
        if (msg.sender != publisher) revert NotPublisher(logId, msg.sender, publisher);
        if (log.retired) revert RetiredLog(logId, log.size);
    }

    /// @dev A log exists if it has a publisher.
    function _requireLog(bytes32 logId) private view returns (Log storage log) {
        log = _logs[logId];
        if (log.publisher == address(0)) revert UnknownLog(logId);
    }

    /// @dev The size and the root could be those of a tree.
    function _requireTree(bytes32 logId, uint64 size, bytes32 root) private pure {
        if (size == 0 || size > MAX_SIZE) revert SizeOutOfRange(logId, size);
        if (root == bytes32(0)) revert ZeroRoot(logId, size);
    }

    /// @dev The checkpoint carries the head key's signature.
    function _requireSigned(bytes32 logId, Log storage log, SignedCheckpoint calldata offered) private view {
        bytes32 digest = _checkpointDigest(log.originHash, offered.size, offered.root);
        _requireHeadKey(logId, log.headKey, digest, offered.r, offered.vs);
    }

    /// @dev The signature is this key's. OpenZeppelin's ECDSA refuses a high s and the zero address.
    function _requireHeadKey(bytes32 logId, address headKey, bytes32 digest, bytes32 r, bytes32 vs) private pure {
        address signer = ECDSA.recover(digest, r, vs);
        if (signer != headKey) revert WrongHeadKey(logId, signer, headKey);
    }

    /// @dev The offered checkpoint has the size of the accepted head, so it must be that head. The caller names
    /// either that head, and a difference is a fork; or the one before, as a repeated transaction does.
    // slither-disable-next-line timestamp
    function _requireSameHead(
        bytes32 logId,
        Head calldata accepted,
        SignedCheckpoint calldata offered,
        uint64 time
    ) private view {
        if (accepted.size == offered.size) {
            verifyHead(logId, accepted);
            if (accepted.root != offered.root) {
                revert ForkedHead(logId, offered.size, accepted.root, offered.root);
            }
        } else if (_heads[logId][offered.size] != _hashHead(offered.root, time, accepted.size)) {
            revert StaleHead(logId, offered.size, accepted.size);
        }
    }

    /// @dev The domain of what the head key signs for one contract on one chain only.
    function _logDomain() private view returns (bytes32) {
        return keccak256(
            abi.encode(LOG_DOMAIN_TYPE, keccak256("audit-ledger log"), keccak256("1"), block.chainid, address(this))
        );
    }

    /// @dev EIP-712, with the hash that stands for the origin.
    function _checkpointDigest(bytes32 originHash, uint64 size, bytes32 root) private pure returns (bytes32) {
        bytes32 checkpoint = keccak256(abi.encode(CHECKPOINT_TYPE, originHash, size, root));
        return MessageHashUtils.toTypedDataHash(CHECKPOINT_DOMAIN, checkpoint);
    }

    /// @dev What is stored of a head.
    function _hashHead(bytes32 root, uint64 time, uint64 previousSize) private pure returns (bytes32) {
        return keccak256(abi.encode(root, time, previousSize));
    }

    /// @dev Bound to chain, contract and opener, so no id can be taken by somebody else.
    function _logId(address opener, bytes32 originHash, uint64 nonce) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), opener, originHash, nonce));
    }
}
