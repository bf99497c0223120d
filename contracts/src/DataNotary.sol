// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {CheckpointLog} from "./CheckpointLog.sol";
import {IDataNotary} from "./IDataNotary.sol";
import {RecordStatus} from "./RecordStatus.sol";

/// @title Logs of data sets
/// @notice See IDataNotary.
contract DataNotary is RecordStatus, IDataNotary {
    /// @param openers The first accounts that may open logs.
    constructor(address[] memory openers) CheckpointLog(openers) {}

    /// @dev A version of a data set is superseded or withdrawn once and for good.
    function _allowsChange(State from, State to) internal pure override returns (bool) {
        return from == State.Active && (to == State.Superseded || to == State.Withdrawn);
    }
}
