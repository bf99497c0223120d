// Reads the embedded chain with ethers and prints what it saw as one line of JSON.
// usage: node read_with_ethers.mjs LOG.json, where the file holds what tests/support/anchored_log.py tells and the ABI.
import { readFileSync } from "node:fs";
import { Contract, JsonRpcProvider, Wallet } from "ethers";

const log = JSON.parse(readFileSync(process.argv[2], "utf8"));
const provider = new JsonRpcProvider(log.url, undefined, { staticNetwork: true });
const contract = new Contract(log.contract, log.abi, provider);
const head = [log.size, log.root, log.time, 0];
const entry = (leaf) => [log.index, leaf, log.path];

const network = await provider.getNetwork();
const receipt = await provider.getTransactionReceipt(log.publish_tx);
const transaction = await provider.getTransaction(log.publish_tx);
const block = await provider.getBlock(receipt.blockNumber, true);
const events = await contract.queryFilter(contract.filters.HeadAccepted(log.log_id), 0, "latest");

// A call without an answer succeeds or throws.
const included = await contract.verifyInclusion(log.log_id, head, entry(log.leaf));
let refusal = null;
try {
  await contract.verifyInclusion(log.log_id, head, entry("0x" + "00".repeat(32)));
} catch (error) {
  refusal = { code: error.code, name: error.revert?.name, size: Number(error.revert?.args?.[0]), data: error.data };
}
let estimate = null;
try {
  await contract.publish.estimateGas(log.log_id, head, [1, log.root, "0x" + "00".repeat(32), "0x" + "00".repeat(32)], []);
} catch (error) {
  estimate = error.data;
}

// ethers prices, signs and sends a transaction of its own and waits for it.
const wallet = new Wallet(log.secret, provider);
const sent = await wallet.sendTransaction({ to: "0x" + "01".repeat(20), value: 5n });
const mined = await sent.wait(1, 60_000);

console.log(
  JSON.stringify({
    chainId: network.chainId.toString(),
    blockHash: block.hash,
    blockTransactions: block.prefetchedTransactions.map((each) => each.hash),
    receiptLogs: receipt.logs.length,
    status: receipt.status,
    from: transaction.from,
    events: events.map((each) => ({ size: Number(each.args.size), root: each.args.root, block: each.blockHash })),
    included: included === undefined || included.length === 0,
    refusal,
    estimate,
    sentStatus: mined.status,
    sentBlockIsLater: mined.blockNumber > receipt.blockNumber,
    feeHistory: (await provider.send("eth_feeHistory", ["0x2", "latest", [50]])).reward.length,
    code: (await provider.getCode(log.contract)).length > 1000,
  }),
);
