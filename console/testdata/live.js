// Runs console.js, named in the first argument, in a page of stand-ins, and checks what it says about the connection.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const vm = require("node:vm");

// open runs the script in a new page. answers has what fetch returns, by address.
function open(answers) {
  const elements = {};
  const element = (id) => (elements[id] ??= { id, hidden: true, textContent: "", addEventListener() {}, append(...list) { this.parts = list; }, querySelector(tag) { return this.parts?.find((e) => e.tag === tag) ?? null; } });
  const page = { elements, streams: [], timers: [], reloads: 0, fetched: [] };
  class EventSource {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSED = 2;
    constructor() { this.readyState = 0; page.streams.push(this); }
    addEventListener(name, call) { this[name] = call; }
    opened() { this.readyState = 1; this.onopen(); }
    close() { this.readyState = 2; }
  }
  const context = {
    EventSource, AbortController,
    document: {
      hidden: false, getElementById: element, addEventListener() {}, querySelectorAll: () => [], querySelector: () => ({}),
      createElement: (tag) => ({ tag, addEventListener() {} }),
    },
    DOMParser: class { parseFromString(text) { return { getElementById: (id) => (id === "reason" && text ? { textContent: text } : null) }; } },
    addEventListener() {}, sessionStorage: { getItem: () => null, setItem() {} }, getSelection: () => ({}),
    location: { href: "https://here/peers", hash: "", reload() { page.reloads++; } },
    setTimeout: (call) => page.timers.push(call), clearTimeout() {},
    fetch: async (address) => {
      page.fetched.push(address);
      const [status, text] = answers[address] ?? [200, ""];
      if (status === 0) throw new Error("no answer");
      return { status, ok: status === 200, redirected: false, text: async () => text };
    },
  };
  vm.runInNewContext(fs.readFileSync(process.argv[2], "utf8") + "\nupdateStream();", context);
  page.last = () => page.streams.at(-1);
  page.settle = () => new Promise((done) => setImmediate(done));
  page.state = () => [element("disconnected").hidden, element("why").textContent, element("live").querySelector("span").textContent];
  return page;
}

const live = [true, "", "● live"];
const lost = (why) => [false, why, "○ not connected"];

async function main() {
  { // a page that cannot be loaded again is not live, and says why
    const answers = {};
    const page = open(answers);
    page.last().opened();
    assert.deepStrictEqual(page.state(), live);
    for (const [answer, want] of [[[503, "closed"], lost("The console answered 503: closed.")], [[200, ""], live], [[0], lost("The console cannot be reached.")], [[200, ""], live]]) {
      answers["https://here/peers"] = answer;
      page.last().look();
      page.timers.pop()();
      await page.settle();
      assert.deepStrictEqual(page.state(), want);
    }
  }
  { // a stream that the browser opens again by itself is only waited for
    const page = open({});
    page.last().onerror();
    assert.deepStrictEqual(page.state(), lost("The console cannot be reached."));
    assert.deepStrictEqual(page.fetched, []);
    page.last().opened();
    assert.deepStrictEqual(page.state(), live);
  }
  { // a refused stream says why, and is tried again
    const page = open({ events: [503, "too many pages are live"] });
    page.last().readyState = 2;
    page.last().onerror();
    await page.settle();
    assert.deepStrictEqual(page.state(), lost("The console answered 503: too many pages are live."));
    assert.strictEqual(page.streams.length, 1);
    page.timers.pop()();
    assert.strictEqual(page.streams.length, 2);
    page.last().opened();
    assert.deepStrictEqual(page.state(), live);
  }
  { // the end of the session leads to the log-in
    const page = open({ events: [401, "log in first"] });
    page.last().readyState = 2;
    page.last().onerror();
    await page.settle();
    assert.strictEqual(page.reloads, 1);
  }
}

main().catch((err) => { console.error(err); process.exit(1); });
