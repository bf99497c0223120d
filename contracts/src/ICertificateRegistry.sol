// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRecordStatus} from "./IRecordStatus.sol";

/// @title Logs of certificates
/// @notice A certificate is `Active`, and may be `Suspended` and reinstated any number of times. It ends as `Revoked`,
/// or as `Superseded` when a correction takes its place; both are final. Whom it is about, and what it certifies,
/// never reach the chain.
interface ICertificateRegistry is IRecordStatus {}
