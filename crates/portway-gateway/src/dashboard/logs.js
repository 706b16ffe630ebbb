// The log dialog: shows, searches, follows and copies the output of services.

import { get, instancePath, subscribe } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { clock, count, plain } from "./format.js";

// The number of lines that the page keeps, and that it loads first.
const MAX_LINES = 5000;
const INITIAL_LINES = 1000;

// How much older than the last loaded line, in milliseconds, a line may be that arrives after it.
const MAX_DELAY = 10_000;

// How long to wait after a key press before searching, in milliseconds.
const SEARCH_DELAY = 150;

const escapeRegExp = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export class Logs {
  #id = "";
  #unsubscribe = () => {};
  #pending = []; // records that are not drawn yet
  #search = "";
  #searchTimer = 0;
  #request = 0; // number of the current request; responses to earlier ones are discarded
  #hasMore = false; // whether there are more lines than the page shows
  #size = ""; // size of the box that contains the lines

  constructor({ showError }) {
    this.showError = showError;
    this.dialog = byId("logs");
    this.lines = byId("logs-lines");
    this.service = byId("logs-service");
    this.follow = byId("logs-follow");
    this.search = byId("logs-search");
    this.service.addEventListener("change", () => this.#load());
    this.search.addEventListener("input", () => {
      clearTimeout(this.#searchTimer);
      this.#searchTimer = setTimeout(() => this.#load(), SEARCH_DELAY);
    });
    this.follow.addEventListener("change", () => this.#scrollToEnd());
    // Scrolling up pauses following, and scrolling back to the end resumes it.
    this.lines.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.lines;
      // Ignore scroll events that a resize causes.
      if (this.#size !== this.#currentSize()) return;
      this.follow.checked = scrollTop + clientHeight >= scrollHeight - 8;
    });
    new ResizeObserver(() => {
      this.#size = this.#currentSize();
      this.#scrollToEnd();
    }).observe(this.lines);
    byId("logs-copy").addEventListener("click", () => this.#copy());
    byId("logs-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.#reset());
  }

  // Opens the dialog for one service, or for all services if `service` is empty.
  open(instance, service) {
    this.#id = instance.id;
    setText(byId("logs-title"), `Logs of ${instance.name}`);
    const all = element("option", { value: "", text: "All services" });
    const names = instance.services.map(({ name }) => element("option", { value: name, text: name }));
    this.service.replaceChildren(all, ...names);
    this.service.value = service;
    this.search.value = "";
    this.follow.checked = true;
    this.dialog.showModal();
    this.lines.focus();
    this.#load();
  }

  #reset() {
    this.#unsubscribe();
    this.#unsubscribe = () => {};
    clearTimeout(this.#searchTimer);
    this.#request += 1;
    this.#pending = [];
  }

  // Loads the last lines that match, then follows new ones.
  async #load() {
    this.#reset();
    const request = this.#request;
    this.lines.replaceChildren();
    this.#search = this.search.value.trim();
    this.#setStatus(this.#search ? "Searching…" : "Loading…");
    const query = new URLSearchParams();
    if (this.service.value) query.set("service", this.service.value);
    if (this.#search) query.set("grep", `(?i)${escapeRegExp(this.#search)}`);
    const startTime = Date.now();
    let records;
    try {
      // One line more than the page shows tells whether there are more.
      query.set("tail", INITIAL_LINES + 1);
      records = await get(`${instancePath(this.#id, "logs")}?${query}`);
    } catch (error) {
      if (request !== this.#request) return;
      this.#setStatus("Could not load the logs");
      this.showError(error);
      return;
    }
    if (request !== this.#request) return;
    this.#hasMore = records.length > INITIAL_LINES;
    this.#pending = records.slice(-INITIAL_LINES);
    this.#draw();
    const last = records.at(-1);
    query.set("tail", MAX_LINES);
    query.set("since", (last?.time ?? startTime) - MAX_DELAY);
    this.#subscribe(`${instancePath(this.#id, "logs/follow")}?${query}`, last?.number ?? -1);
  }

  #subscribe(path, lastNumber) {
    this.#unsubscribe = subscribe(path, {
      onEvent: (record) => {
        // A new connection repeats lines that the page already has.
        if (record.number <= lastNumber) return;
        lastNumber = record.number;
        this.#pending.push(record);
        if (this.#pending.length === 1) setTimeout(() => this.#pending.length > 0 && this.#draw(), 16);
      },
    });
  }

  #draw() {
    const showsService = !this.service.value;
    const lines = this.#pending.splice(0).map((record) => this.#createLine(record, showsService));
    // Adding lines may scroll the box, which must not change whether it follows.
    const isFollowing = this.follow.checked;
    this.lines.append(...lines);
    while (this.lines.childElementCount > MAX_LINES) {
      this.lines.firstElementChild.remove();
      this.#hasMore = true;
    }
    this.follow.checked = isFollowing;
    this.#scrollToEnd();
    this.#setStatus();
  }

  #createLine(record, showsService) {
    const time = element("time", { datetime: new Date(record.time).toISOString(), text: clock(record.time) });
    const service = showsService ? element("b", { text: record.service }) : null;
    return element("p", { class: record.stream }, time, " ", service, service && " ", this.#highlight(plain(record.text)));
  }

  // Marks the occurrences of the search text.
  #highlight(text) {
    const result = element("span");
    const needle = this.#search.toLowerCase();
    const haystack = text.toLowerCase();
    // Lower case can be longer than the original (İ). The positions would not match then.
    if (!needle || haystack.length !== text.length) {
      result.textContent = text;
      return result;
    }
    let from = 0;
    for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, from)) {
      result.append(text.slice(from, at), element("mark", { text: text.slice(at, at + needle.length) }));
      from = at + needle.length;
    }
    result.append(text.slice(from));
    return result;
  }

  #currentSize() {
    return `${this.lines.clientWidth} ${this.lines.clientHeight}`;
  }

  #scrollToEnd() {
    if (this.follow.checked) this.lines.scrollTop = this.lines.scrollHeight;
  }

  #setStatus(text = this.#summary()) {
    setText(byId("logs-status"), text);
  }

  #summary() {
    const lines = this.lines.childElementCount;
    if (this.#hasMore) return `Last ${lines} lines, ${this.#search ? "more lines match" : "older lines are not shown"}`;
    return lines === 0 && this.#search ? "No matching lines" : count(lines, "line");
  }

  // Copies the selected lines, or all shown lines if none is selected.
  async #copy() {
    const selection = getSelection();
    const selected = this.lines.contains(selection.anchorNode) ? selection.toString() : "";
    const all = [...this.lines.children].map((line) => line.textContent).join("\n");
    try {
      await navigator.clipboard.writeText(selected || all);
      this.#setStatus(selected ? "Selection copied" : `${count(this.lines.childElementCount, "line")} copied`);
    } catch {
      this.showError(new Error("the browser blocked access to the clipboard"));
    }
  }
}
