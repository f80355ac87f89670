// Runs a script with TigerBeetle's Node client and prints one line of JSON a step. README.md
// describes the script and the lines.
//
//   node run.mjs FOLDER ADDRESS CLUSTER SCRIPT
//
// FOLDER holds node_modules/tigerbeetle-node.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder, address, cluster, path] = process.argv.slice(2);
const tigerbeetle = createRequire(join(resolve(folder), "package.json"))("tigerbeetle-node");
const script = JSON.parse(readFileSync(path, "utf8"));
const client = tigerbeetle.createClient({ cluster_id: BigInt(cluster), replica_addresses: [address] });

const calls = {
  create_accounts: (events) => client.createAccounts(events),
  create_transfers: (events) => client.createTransfers(events),
  lookup_accounts: (events) => client.lookupAccounts(events.map((event) => event.id)),
  lookup_transfers: (events) => client.lookupTransfers(events.map((event) => event.id)),
  get_account_transfers: ([filter]) => client.getAccountTransfers(filter),
  get_account_balances: ([filter]) => client.getAccountBalances(filter),
  query_accounts: ([filter]) => client.queryAccounts(filter),
  query_transfers: ([filter]) => client.queryTransfers(filter),
};

const statuses = {
  create_accounts: tigerbeetle.CreateAccountStatus,
  create_transfers: tigerbeetle.CreateTransferStatus,
};

// The client takes numbers for fields of up to 32 bits and BigInts for all others.
const numbers = new Set(["user_data_32", "reserved", "timeout", "ledger", "code", "flags", "limit", "status"]);

// A run holds what the values of a script's events refer to.
class Run {
  // offset is added to the ids of one caller; results holds the rows of earlier steps by name.
  constructor(offset) {
    this.offset = offset;
    this.results = new Map();
    this.lines = [];
  }

  parseValue(value) {
    if (typeof value === "object") {
      return this.results.get(value.step).at(value.row).timestamp + BigInt(value.add);
    }
    if (value.startsWith("max")) return tigerbeetle.amount_max - BigInt(value.slice("max-".length) || 0);
    if (value.startsWith("caller+")) return this.offset + BigInt(value.slice("caller+".length));
    return BigInt(value);
  }

  buildEvents(step) {
    const record = script.operations[step.operation].event;
    return step.events.flatMap((source) => {
      const event = {};
      for (const field of script.fields[record]) {
        if (field === "flags") {
          event.flags = (source.flags ?? []).reduce((sum, name) => sum + script.flags[record][name], 0);
        } else {
          const value = this.parseValue(source[field] ?? "0");
          event[field] = numbers.has(field) ? Number(value) : value;
        }
      }
      const count = Number(source.repeat ?? 1);
      return Array.from({ length: count }, (_, i) => (count > 1 ? { ...event, id: event.id + BigInt(i) } : event));
    });
  }

  async runStep(step) {
    if (step.sleep_milliseconds) {
      await new Promise((wake) => setTimeout(wake, step.sleep_milliseconds));
      return;
    }
    if (step.clients && !step.clients.includes("node")) return;
    let rows = [];
    let error = "";
    try {
      rows = await calls[step.operation](this.buildEvents(step));
    } catch (thrown) {
      if (thrown.code !== "ERR_TOO_MUCH_DATA") throw thrown;
      error = "too_much_data";
    }
    this.results.set(step.name, rows);
    this.lines.push({ step, rows, error });
  }

  async runSteps(steps) {
    for (const step of steps) await this.runStep(step);
  }
}

// A clock replaces timestamps by their places in the order of all timestamps that every client sees.
class Clock {
  constructor(lines) {
    const seen = new Set();
    for (const { step, rows } of lines) {
      if (step.clients || step.summary) continue;
      for (const row of rows) if (!isImported(row.timestamp)) seen.add(row.timestamp);
    }
    this.order = [...seen].sort((a, b) => (a < b ? -1 : 1));
    this.places = new Map(this.order.map((timestamp, i) => [timestamp, i + 1]));
  }

  formatTimestamp(timestamp) {
    if (isImported(timestamp)) return timestamp.toString();
    const place = this.places.get(timestamp);
    return place ? `#${place}` : `#${this.order.filter((known) => known < timestamp).length}+`;
  }
}

// The script imports objects at timestamps of up to 10^6; the clocks of servers are far beyond.
function isImported(timestamp) {
  return timestamp <= 1_000_000n;
}

function formatRow(operation, row, fields, clock) {
  const words = [];
  for (const field of fields) {
    let value = row[field];
    if (!value || (field === "timestamp" && !clock)) continue;
    if (field === "status") value = statuses[operation][value];
    if (field === "timestamp") value = clock.formatTimestamp(value);
    words.push(`${field}=${value}`);
  }
  return words.join(" ");
}

// A summary counts equal rows in a row.
function summarizeRows(rows) {
  const summary = [];
  for (const row of rows) {
    if (summary.at(-1)?.row === row) summary.at(-1).count++;
    else summary.push({ row, count: 1 });
  }
  return summary.map(({ row, count }) => `${count} x ${row}`);
}

function printLine(name, { step, rows, error }, clock) {
  const fields = step.summary ?? script.fields[script.operations[step.operation].result];
  let texts = rows.map((row) => formatRow(step.operation, row, fields, clock));
  if (step.summary) texts = summarizeRows(texts);
  console.log(JSON.stringify(error ? { step: name, error } : { step: name, rows: texts }));
}

async function runScript() {
  const run = new Run(0n);
  await run.runSteps(script.steps);
  const clock = new Clock(run.lines);
  for (const line of run.lines) printLine(line.step.name, line, clock);

  const { callers, stride, steps, after } = script.concurrent;
  const runs = Array.from({ length: callers }, (_, i) => new Run(BigInt(stride) * BigInt(i + 1)));
  await Promise.all(runs.map((caller) => caller.runSteps(steps)));
  runs.forEach((caller, i) => {
    for (const line of caller.lines) printLine(`caller ${i + 1}: ${line.step.name}`, line);
  });
  const last = new Run(0n);
  await last.runSteps(after);
  for (const line of last.lines) printLine(line.step.name, line);
}

await runScript();
client.destroy();
