// A settlement engine for tests: npm's ilp-settlement-core over a rail that moves numbers in Redis.
//
//   node engine.mjs FOLDER CONFIG
//
// FOLDER holds node_modules/ilp-settlement-core. CONFIG is JSON:
//
//   name, peer  names of this engine and of the peer's engine
//   port        for the connector's requests, on 127.0.0.1
//   connector   URL of the connector
//   redis       port of Redis
//   database    of settlement-core in Redis
//   payTime     duration of a payment in milliseconds
//
// The rail is database 0 of Redis. Nothing in the rail is ever deleted:
//
//   NAME:asked     stream: amounts that settlement-core told engine NAME to pay; written before the payment
//   NAME:payments  stream: payments to engine NAME
//   NAME:reported  set: ids of the payments to NAME whose report settlement-core has ended
//
// The engine prints "ready" and versions. Standard input takes two commands. "pay" is answered with "done pay" when no
// payment of this engine is under way, and "report" with "done report" when all payments to this engine are reported.
// The end of the input ends the engine.

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import net from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

const [folder, text] = process.argv.slice(2);
const config = JSON.parse(text);
const load = createRequire(join(resolve(folder), "package.json"));
const core = load("ilp-settlement-core");
const Redis = load("ioredis");
const { BigNumber } = load("bignumber.js");

const railScale = 6; // the rail moves millionths
const roundDown = 1; // of bignumber.js

const openRedis = (db) => new Redis({ host: "127.0.0.1", port: config.redis, db });
const rail = openRedis(0);
const arrivals = openRedis(0); // blocked in XREAD
const store = openRedis(config.database);

let services; // of settlement-core

const underway = new Set(); // payments and reports
const track = (work) => {
  underway.add(work);
  work.finally(() => underway.delete(work));
  return work;
};

// pay asks the peer's engine for its account id, with a message through both connectors, and makes a payment of a new id.
// settlement-core has removed the amount from its queue before: a process that is killed before the last line loses the
// amount. Without an answer from the peer nothing is paid, and settlement-core puts the amount back.
const pay = async (account, amount) => {
  const paid = amount.decimalPlaces(railScale, roundDown);
  const peer = await services.sendMessage(account, { type: "account" }).catch(() => ({}));
  if (!peer.account) {
    return new BigNumber(0);
  }
  if (!paid.isZero()) {
    const id = randomUUID();
    const move = (stream, to) => rail.xadd(stream, "*", "id", id, "account", to, "amount", paid.toFixed());
    await move(`${config.name}:asked`, account);
    await wait(config.payTime);
    await move(`${config.peer}:payments`, peer.account);
  }
  return paid;
};

// report has settlement-core tell the connector of a payment, with the payment's id as the key. A process that is killed
// before the last line reports the payment again.
const report = async ([, id, , account, , amount]) => {
  if (!(await rail.sismember(`${config.name}:reported`, id))) {
    await services.creditSettlement(account, new BigNumber(amount), id);
    await rail.sadd(`${config.name}:reported`, id);
  }
};

const reportPayments = async () => {
  for (let last = "0"; ; ) {
    const [[, payments]] = await arrivals.xread("BLOCK", 0, "STREAMS", `${config.name}:payments`, last);
    for (const [position, fields] of payments) {
      last = position;
      track(report(fields));
    }
  }
};

const commands = {
  // An amount that settlement-core is removing from its queue is answered before the ping, on the same connection.
  pay: async () => {
    await store.ping();
    await wait(0);
    while (underway.size > 0) {
      await Promise.all(underway);
    }
  },
  report: async () => {
    while ((await rail.xlen(`${config.name}:payments`)) > (await rail.scard(`${config.name}:reported`))) {
      await wait(10);
    }
  },
};

// settlement-core listens on every address, and gives no sign of it.
const listening = new Promise((done) => {
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (port) {
    return listen.call(this, port, "127.0.0.1", done);
  };
});

await core.startServer(
  async (given) => {
    services = given;
    return {
      settle: (account, amount) => track(pay(account, amount)),
      handleMessage: async (account) => ({ account }), // the peer's engine asks for it
    };
  },
  await core.connectRedis({ client: store }),
  { connectorUrl: config.connector, port: config.port },
);
await listening;
reportPayments();

const version = (name) => `${name} ${load(`${name}/package.json`).version}`;
console.log(`ready ${version("ilp-settlement-core")} (${version("express")}, ${version("axios")}, node ${process.versions.node})`);

for await (const command of createInterface({ input: process.stdin })) {
  await commands[command]();
  console.log(`done ${command}`);
}
process.exit();
