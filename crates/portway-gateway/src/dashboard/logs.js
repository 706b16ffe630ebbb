// The logs of an instance: search, follow, copy.

import { follow, instancePath } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { clock, count, plain } from "./words.js";

// How many lines are kept in the page, and how many it begins with.
const MOST = 5000;
const TAIL = 1000;

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export class Logs {
  #id = "";
  #stop = () => {};
  #waiting = [];
  #search = "";
  #timer = 0;

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
      this.follow.checked = scrollTop + clientHeight >= scrollHeight - 8;
    });
    byId("logs-copy").addEventListener("click", () => this.#copy());
    byId("logs-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.#stop());
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

  #restart() {
    this.#stop();
    this.#waiting = [];
    this.lines.replaceChildren();
    this.#count();
    this.#search = this.search.value.trim();
    const query = new URLSearchParams({ tail: TAIL });
    if (this.service.value) query.set("service", this.service.value);
    if (this.#search) query.set("grep", `(?i)${escaped(this.#search)}`);
    const path = `${instancePath(this.#id, "logs/follow")}?${query}`;
    let last = -1;
    this.#stop = follow(path, {
      onEvent: (record) => {
        // After a pause the stream begins from its start.
        if (record.number <= last) return;
        last = record.number;
        this.#waiting.push(record);
        if (this.#waiting.length === 1) setTimeout(() => this.#draw(), 16);
      },
    });
  }

  #draw() {
    const showsService = !this.service.value;
    const made = this.#waiting.splice(0).slice(-MOST).map((record) => this.#line(record, showsService));
    // Scrolling is an answer to what a person does, not to lines that come.
    const follows = this.follow.checked;
    this.lines.append(...made);
    while (this.lines.childElementCount > MOST) this.lines.firstElementChild.remove();
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

  #toEnd() {
    if (this.follow.checked) this.lines.scrollTop = this.lines.scrollHeight;
  }

  #count(word = "") {
    const shown = count(this.lines.childElementCount, "line");
    setText(byId("logs-count"), word || shown);
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
