// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {CheckpointLog} from "./CheckpointLog.sol";
import {IRecordStatus} from "./IRecordStatus.sol";

/// @title The status of records, for every kind of log
/// @notice See IRecordStatus. A kind of log inherits this and says in `_allowsChange` which changes it has.
/// @dev A status is kept by position: the proof binds the position to one leaf, and the heads of a log never
/// change what stands at a position.
abstract contract RecordStatus is CheckpointLog, IRecordStatus {
    mapping(bytes32 logId => mapping(uint64 index => Status)) private _statuses;

    /// @inheritdoc IRecordStatus
    function changeStatus(
        bytes32 logId,
        Head calldata head,
        ProvenEntry calldata record,
        ProvenEntry calldata explanation,
        State state,
        uint16 reason
    ) external {
        _requirePublisher(logId);
        verifyInclusion(logId, head, record);
        verifyInclusion(logId, head, explanation);
        if (explanation.index <= record.index) {
            revert ExplanationNotLater(logId, record.index, explanation.index);
        }
        State previous = _statuses[logId][record.index].state;
        if (!_allowsChange(previous, state)) revert ChangeNotAllowed(logId, record.index, previous, state);
        uint64 since = uint64(block.timestamp);
        _statuses[logId][record.index] = Status(state, since, reason, explanation.index, explanation.leaf);
        emit StatusChanged(
            logId, record.index, state, previous, record.leaf, reason, since, explanation.index, explanation.leaf
        );
    }

    /// @inheritdoc IRecordStatus
    function statusOf(bytes32 logId, Head calldata head, ProvenEntry calldata record)
        external
        view
        returns (Status memory)
    {
        verifyInclusion(logId, head, record);
        return _statuses[logId][record.index];
    }

    /// @dev The changes that this kind of log has.
    /// @param from The present state.
    /// @param to The state asked for.
    /// @return Whether the change may be made.
    function _allowsChange(State from, State to) internal pure virtual returns (bool);
}
