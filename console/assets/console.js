// Live figures and keys. Every page works without this file.
"use strict";

const lookDelay = 300; // ms: looks and trial balances that follow each other are one reload
const retryDelay = 15000; // ms from a refused stream to the next attempt
const unreachable = "The console cannot be reached.";
let stream = null;
let retry = 0;
let streamLost = ""; // why the stream is broken; "" if it is not
let answerLost = ""; // why this page could not be loaded again; "" if it could
let paused = sessionStorage.getItem("paused") === "yes";
let loading = false;
let again = false; // a look came while the page was loading
let due = 0;

const live = document.getElementById("live");
const hasFigures = document.querySelector("[data-live][id]:not(#banner)") !== null;

// inUse tells whether a part has a field that a person is using, or has changed.
function inUse(part) {
  const active = document.activeElement;
  if (active && part.contains(active) && active.matches("input, select, textarea")) return true;
  return part.querySelector("[data-changed]") !== null || part.contains(getSelection().anchorNode) && !getSelection().isCollapsed;
}

// keepOpen opens the parts of a newer copy that a person has opened in the old one.
function keepOpen(old, fresh) {
  const opened = [...old.querySelectorAll("details")].map((part) => part.open);
  fresh.querySelectorAll("details").forEach((part, i) => { part.open = opened[i] === true; });
}

// replaceParts takes the parts of a newer copy of this page, by their ids.
function replaceParts(page) {
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const fresh = page.getElementById(old.id);
    if (fresh) keepOpen(old, fresh);
    if (!fresh || inUse(old) || fresh.isEqualNode(old)) continue;
    const active = document.activeElement;
    const link = old.contains(active) ? active.getAttribute("href") : null;
    old.replaceWith(document.adoptNode(fresh));
    if (link !== null) {
      for (const a of fresh.querySelectorAll("a")) if (a.getAttribute("href") === link) { a.focus({ preventScroll: true }); break; }
    }
  }
}

async function loadFigures() {
  if (loading || paused) { again = loading; return; }
  loading = true;
  again = false;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.redirected) { location.reload(); return; } // logged out
    if (answer.status === 401) { location.reload(); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) replaceParts(page);
    answerLost = answer.ok ? "" : reasonOf(answer, page);
  } catch {
    answerLost = unreachable;
  } finally {
    loading = false;
  }
  showConnection();
  if (again) soon();
}

// soon loads the figures once, however many looks come until then.
function soon() {
  due ||= setTimeout(() => { due = 0; loadFigures(); }, lookDelay);
}

// reasonOf returns the reason on the page of an error.
function reasonOf(answer, page) {
  const reason = page.getElementById("reason");
  return `The console answered ${answer.status}${reason ? ": " + reason.textContent : ""}.`;
}

// explainRefusal asks why a stream was refused, which the browser does not tell, and has another attempt follow,
// which the browser does not make. A session that has ended leads to the log-in.
async function explainRefusal() {
  const end = new AbortController();
  try {
    const answer = await fetch("events", { cache: "no-store", signal: end.signal });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) streamLost = reasonOf(answer, new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    streamLost = unreachable;
  } finally {
    end.abort(); // a stream that was opened after all is not read
  }
  showConnection();
  clearTimeout(retry);
  retry = setTimeout(updateStream, retryDelay);
}

function showConnection() {
  const why = streamLost || answerLost;
  document.getElementById("disconnected").hidden = why === "";
  document.getElementById("why").textContent = why;
  drawLive(why !== "" ? "○ not connected" : stream?.readyState === EventSource.OPEN ? "● live" : "○ connecting");
}

function drawLive(state) {
  if (!live || !hasFigures) return;
  let button = live.querySelector("button");
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", togglePause);
    live.append(document.createElement("span"), " ", button);
  }
  const dot = live.querySelector("span");
  dot.textContent = paused ? "paused" : state;
  dot.className = dot.textContent === "● live" ? "live-dot" : "live-dot off";
  button.textContent = paused ? "Go on" : "Pause";
}

function togglePause() {
  paused = !paused;
  sessionStorage.setItem("paused", paused ? "yes" : "no");
  updateStream();
  if (!paused) loadFigures();
}

// SharedStream is like an EventSource of "events", and is one for all pages of this browser: browsers open only six
// connections to a host. stream.js is its other end.
class SharedStream {
  constructor() {
    this.readyState = EventSource.CONNECTING;
    this.port = new SharedWorker("stream.js").port;
    this.port.onmessage = ({ data }) => {
      if (data === "look") { this.look(); return; }
      this.readyState = data;
      if (data === EventSource.OPEN) this.onopen(); else this.onerror();
    };
    this.port.postMessage("join");
  }
  addEventListener(name, call) { this[name] = call; }
  close() {
    this.readyState = EventSource.CLOSED;
    this.port.postMessage("leave");
    this.port.close();
  }
}

// updateStream keeps a stream while the tab is visible and not paused, and none otherwise.
function updateStream() {
  const wanted = hasFigures && !paused && !document.hidden;
  if (wanted && !stream) {
    stream = typeof SharedWorker === "undefined" ? new EventSource("events") : new SharedStream();
    stream.onopen = () => { streamLost = ""; showConnection(); };
    stream.onerror = () => {
      const refused = stream.readyState === EventSource.CLOSED;
      streamLost = unreachable;
      if (refused) { stream = null; explainRefusal(); }
      showConnection();
    };
    stream.addEventListener("look", soon);
  } else if (!wanted && stream) {
    stream.close();
    stream = null;
  }
  if (!wanted) streamLost = "";
  showConnection();
}

document.addEventListener("visibilitychange", () => {
  updateStream();
  if (!document.hidden) loadFigures();
});
addEventListener("pagehide", () => { if (stream) { stream.close(); stream = null; } });
addEventListener("pageshow", updateStream);
document.addEventListener("input", (event) => event.target.setAttribute("data-changed", ""));

const places = { o: "./", p: "peers", r: "orders", f: "find", h: "health", t: "trial" };
let afterG = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select, textarea")) return;
  const key = event.key;
  if (afterG && places[key]) {
    location.href = places[key];
  } else if (key === "/") {
    const search = document.getElementById("q");
    if (search) search.focus(); else location.href = "peers#q";
    event.preventDefault();
  } else if (key === "?") {
    const keys = document.getElementById("keys");
    keys.open = !keys.open;
    if (keys.open) keys.querySelector("summary").focus();
  } else if (key === "p" && hasFigures) {
    togglePause();
  }
  afterG = key === "g";
});
if (location.hash === "#q") document.getElementById("q")?.focus();
