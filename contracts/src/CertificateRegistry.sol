// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {CheckpointLog} from "./CheckpointLog.sol";
import {ICertificateRegistry} from "./ICertificateRegistry.sol";
import {RecordStatus} from "./RecordStatus.sol";

/// @title Logs of certificates
/// @notice See ICertificateRegistry.
contract CertificateRegistry is RecordStatus, ICertificateRegistry {
    /// @param openers The first accounts that may open logs.
    constructor(address[] memory openers) CheckpointLog(openers) {}

    /// @dev A certificate is suspended and reinstated until it is revoked or superseded for good.
    function _allowsChange(State from, State to) internal pure override returns (bool) {
        bool ends = to == State.Revoked || to == State.Superseded;
        if (from == State.Active) return ends || to == State.Suspended;
        return from == State.Suspended && (ends || to == State.Active);
    }
}
