// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRecordStatus} from "./IRecordStatus.sol";

/// @title Logs of purchases
/// @notice A purchase is `Active` until it is `Refunded`, or `Superseded` when a correction takes its place; both are
/// final. That the refunds of a purchase stay within its amount is checked by the service and can be proven by
/// disclosure: amounts never reach the chain.
interface IPurchaseLedger is IRecordStatus {}
