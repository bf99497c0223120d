// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {CheckpointLog} from "./CheckpointLog.sol";
import {IPurchaseLedger} from "./IPurchaseLedger.sol";
import {RecordStatus} from "./RecordStatus.sol";

/// @title Logs of purchases
/// @notice See IPurchaseLedger.
contract PurchaseLedger is RecordStatus, IPurchaseLedger {
    /// @param openers The first accounts that may open logs.
    constructor(address[] memory openers) CheckpointLog(openers) {}

    /// @dev A purchase is refunded, or superseded by a correction, once and for good.
    function _allowsChange(State from, State to) internal pure override returns (bool) {
        return from == State.Active && (to == State.Refunded || to == State.Superseded);
    }
}
