// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICheckpointLog} from "./ICheckpointLog.sol";

/// @title The status of records in a checkpoint log
/// @notice Each kind of log allows its own changes; a change is proven by the record's leaf and by the later entry
/// that explains it. A status is a positive statement: asking for it needs a proof that the record exists.
interface IRecordStatus is ICheckpointLog {
    /// @notice What a record is. `Active` is the state of every record that nothing was said about.
    enum State {
        Active,
        Suspended,
        Revoked,
        Refunded,
        Superseded,
        Withdrawn
    }

    /// @notice A record's status.
    /// @param state The state.
    /// @param since Block time of the change, zero for a record that was never changed.
    /// @param reason A neutral code from the table in contracts/README.md; never text, never about a person.
    /// @param explanationIndex Position of the log entry that explains the change.
    /// @param explanationLeaf Leaf hash of that entry.
    struct Status {
        State state;
        uint64 since;
        uint16 reason;
        uint64 explanationIndex;
        bytes32 explanationLeaf;
    }

    /// @notice A record's state was changed.
    /// @param logId The log.
    /// @param index The record's position.
    /// @param state The new state.
    /// @param previousState The state before.
    /// @param leaf The record's leaf hash.
    /// @param reason A neutral code.
    /// @param since Block time of the change.
    /// @param explanationIndex Position of the log entry that explains the change.
    /// @param explanationLeaf Leaf hash of that entry.
    event StatusChanged(
        bytes32 indexed logId,
        uint64 indexed index,
        State indexed state,
        State previousState,
        bytes32 leaf,
        uint16 reason,
        uint64 since,
        uint64 explanationIndex,
        bytes32 explanationLeaf
    );

    /// @notice This kind of log does not allow this change.
    /// @param logId The log.
    /// @param index The record's position.
    /// @param from The present state.
    /// @param to The state asked for.
    error ChangeNotAllowed(bytes32 logId, uint64 index, State from, State to);
    /// @notice What explains a change must stand after the record.
    /// @param logId The log.
    /// @param index The record's position.
    /// @param explanationIndex The explanation's position.
    error ExplanationNotLater(bytes32 logId, uint64 index, uint64 explanationIndex);

    /// @notice Change a record's state. Only the log's publisher may.
    /// @param logId The log.
    /// @param head Any accepted head that covers both entries.
    /// @param record The record's entry.
    /// @param explanation The later entry that explains the change.
    /// @param state The new state.
    /// @param reason A neutral code.
    function changeStatus(
        bytes32 logId,
        Head calldata head,
        ProvenEntry calldata record,
        ProvenEntry calldata explanation,
        State state,
        uint16 reason
    ) external;

    /// @notice A record's status in this contract. Reverts unless the record's entry is proven.
    /// @dev A log that continues another starts without status: ask the contract before as well, the worse counts.
    /// @param logId The log.
    /// @param head Any accepted head that covers the entry.
    /// @param record The record's entry.
    /// @return The status.
    function statusOf(bytes32 logId, Head calldata head, ProvenEntry calldata record)
        external
        view
        returns (Status memory);
}
