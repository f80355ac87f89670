// Opens one stream of looks for all pages of this browser. SharedStream of console.js is the other end.
"use strict";

const pages = new Set(); // the ports of the pages that want looks
let stream = null;

function tell(message) {
  for (const page of pages) page.postMessage(message);
}

function updateStream() {
  if (pages.size > 0 && !stream) {
    const opened = new EventSource("events");
    opened.onopen = () => tell(EventSource.OPEN);
    opened.onerror = () => {
      const state = opened.readyState; // CONNECTING: the browser tries again; CLOSED: it was refused
      if (state === EventSource.CLOSED) stream = null;
      tell(state);
      if (state === EventSource.CLOSED) pages.clear(); // each page asks for the reason, and comes back
    };
    opened.addEventListener("look", () => tell("look"));
    stream = opened;
  } else if (pages.size === 0 && stream) {
    stream.close();
    stream = null;
  }
}

addEventListener("connect", (event) => {
  const page = event.ports[0];
  page.onmessage = ({ data }) => {
    if (data === "join") pages.add(page); else pages.delete(page);
    updateStream();
    if (data === "join" && stream.readyState === EventSource.OPEN) page.postMessage(EventSource.OPEN);
  };
});
