// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRecordStatus} from "./IRecordStatus.sol";

/// @title Logs of data sets
/// @notice Each version of a data set is a record of its own. It is `Active` until it is `Superseded`, by a later
/// version or by a correction, or `Withdrawn`, when nothing takes its place; both are final. That a version is superseded
/// says nothing against the version that follows. The data never reaches the chain.
interface IDataNotary is IRecordStatus {}
