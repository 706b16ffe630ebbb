// The logs of an instance: search, follow, copy.

import { follow, instancePath, look } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { clock, count, plain } from "./words.js";

// How many lines are kept in the page, and how many it begins with.
const MOST = 5000;
const TAIL = 1000;

// How long a line may have been on its way when the first ones are read, in milliseconds.
const ON_ITS_WAY = 10_000;

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export class Logs {
  #id = "";
  #stop = () => {};
  #waiting = [];
  #search = "";
  #timer = 0;
  #round = 0; // counts what was asked for: an answer to an earlier question is none
  #hasMore = false; // more lines than are shown
  #size = ""; // of the lines' box

  constructor({ say }) {
    this.say = say;
    this.dialog = byId("logs");
    this.lines = byId("logs-lines");
    this.service = byId("logs-service");
    this.follow = byId("logs-follow");
    this.search = byId("logs-search");
    this.service.addEventListener("change", () => this.#restart());
    this.search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#restart(), 150);
    });
    this.follow.addEventListener("change", () => this.#toEnd());
    // Whoever scrolls up wants to read; whoever comes back to the end wants to follow.
    this.lines.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.lines;
      // A window of another size scrolls by itself.
      if (this.#size !== this.#sizeNow()) return;
      this.follow.checked = scrollTop + clientHeight >= scrollHeight - 8;
    });
    new ResizeObserver(() => {
      this.#size = this.#sizeNow();
      this.#toEnd();
    }).observe(this.lines);
    byId("logs-copy").addEventListener("click", () => this.#copy());
    byId("logs-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.#end());
  }

  // Shows what a service printed; all of the instance where none is named.
  open(instance, service) {
    this.#id = instance.id;
    setText(byId("logs-title"), `Logs of ${instance.name}`);
    const all = element("option", { value: "", text: "all" });
    const names = instance.services.map(({ name }) => element("option", { value: name, text: name }));
    this.service.replaceChildren(all, ...names);
    this.service.value = service;
    this.search.value = "";
    this.follow.checked = true;
    this.dialog.showModal();
    this.lines.focus();
    this.#restart();
  }

  #end() {
    this.#stop();
    this.#stop = () => {};
    clearTimeout(this.#timer);
    this.#round += 1;
    this.#waiting = [];
  }

  // Reads the lines that there are, which says when that is done, and then follows.
  async #restart() {
    this.#end();
    const round = this.#round;
    this.lines.replaceChildren();
    this.#search = this.search.value.trim();
    this.#count(this.#search ? "searching…" : "reading…");
    const query = new URLSearchParams();
    if (this.service.value) query.set("service", this.service.value);
    if (this.#search) query.set("grep", `(?i)${escaped(this.#search)}`);
    const began = Date.now();
    let records;
    try {
      // One more than is shown, to know whether there are more.
      query.set("tail", TAIL + 1);
      records = await look(`${instancePath(this.#id, "logs")}?${query}`);
    } catch (error) {
      if (round !== this.#round) return;
      this.#count("the lines could not be read");
      this.say(error);
      return;
    }
    if (round !== this.#round) return;
    this.#hasMore = records.length > TAIL;
    this.#waiting = records.slice(-TAIL);
    this.#draw();
    const last = records.at(-1);
    query.set("tail", MOST);
    query.set("since", (last?.time ?? began) - ON_ITS_WAY);
    this.#followFrom(`${instancePath(this.#id, "logs/follow")}?${query}`, last?.number ?? -1);
  }

  #followFrom(path, last) {
    this.#stop = follow(path, {
      onEvent: (record) => {
        // After a pause the stream begins from its start.
        if (record.number <= last) return;
        last = record.number;
        this.#waiting.push(record);
        if (this.#waiting.length === 1) setTimeout(() => this.#waiting.length > 0 && this.#draw(), 16);
      },
    });
  }

  #draw() {
    const showsService = !this.service.value;
    const made = this.#waiting.splice(0).map((record) => this.#line(record, showsService));
    // Scrolling is an answer to what a person does, not to lines that come.
    const follows = this.follow.checked;
    this.lines.append(...made);
    while (this.lines.childElementCount > MOST) {
      this.lines.firstElementChild.remove();
      this.#hasMore = true;
    }
    this.follow.checked = follows;
    this.#toEnd();
    this.#count();
  }

  #line(record, showsService) {
    const time = element("time", { datetime: new Date(record.time).toISOString(), text: clock(record.time) });
    const service = showsService ? element("b", { text: record.service }) : null;
    return element("p", { class: record.stream }, time, " ", service, service && " ", this.#marked(plain(record.text)));
  }

  // The text, with what was searched for marked.
  #marked(text) {
    const marked = element("span");
    const needle = this.#search.toLowerCase();
    const hay = text.toLowerCase();
    // Lower case may be longer (İ); then nothing can be marked at the right place.
    if (!needle || hay.length !== text.length) {
      marked.textContent = text;
      return marked;
    }
    let from = 0;
    for (let at = hay.indexOf(needle); at >= 0; at = hay.indexOf(needle, from)) {
      marked.append(text.slice(from, at), element("mark", { text: text.slice(at, at + needle.length) }));
      from = at + needle.length;
    }
    marked.append(text.slice(from));
    return marked;
  }

  #sizeNow() {
    return `${this.lines.clientWidth} ${this.lines.clientHeight}`;
  }

  #toEnd() {
    if (this.follow.checked) this.lines.scrollTop = this.lines.scrollHeight;
  }

  #count(words = this.#shown()) {
    setText(byId("logs-count"), words);
  }

  #shown() {
    const lines = this.lines.childElementCount;
    if (this.#hasMore) return `the last ${lines} lines; ${this.#search ? "more match" : "there are more"}`;
    return lines === 0 && this.#search ? "no line matches" : count(lines, "line");
  }

  // Copies what is selected among the lines, else all that are shown.
  async #copy() {
    const selection = getSelection();
    const chosen = this.lines.contains(selection.anchorNode) ? selection.toString() : "";
    const all = [...this.lines.children].map((line) => line.textContent).join("\n");
    try {
      await navigator.clipboard.writeText(chosen || all);
      this.#count(chosen ? "the selection is copied" : `${count(this.lines.childElementCount, "line")} copied`);
    } catch {
      this.say(new Error("the browser does not let this page copy"));
    }
  }
}
