// Asks the plugin every other second, and changes what has changed: what is in focus stays there.
"use strict";

const PAUSE = 2000;
const PATIENCE = 60000;
const SIGNS = { ok: "✓", waiting: "◌", warning: "!", broken: "✗", unknown: "?" };
const WORDS = { ok: "well", waiting: "waiting", warning: "warning", broken: "broken", unknown: "unknown" };
const ORDER = ["broken", "warning", "waiting", "unknown", "ok"];
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

let routers = [];
let only = "";
let chosen = null; // {namespace, name}
let picture = null;
let before = null; // what was counted at the look before, by id
let traced = "";

function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// Elements of a parent by key. Nothing moves that stands where it should: focus would be lost.
function keyed(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map(keyOf));
  for (const [key, child] of known) if (!wanted.has(key)) child.remove();
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = known.get(key);
    if (!element) {
      element = create(item);
      element.dataset.key = key;
    }
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
    update(element, item);
  }
}

function sign(element, state) {
  set(element, "data-state", state);
  put(element.querySelector(".sign"), SIGNS[state]);
  put(element.querySelector(".unseen"), WORDS[state]);
}

function signed() {
  const mark = make("span", "sign");
  mark.setAttribute("aria-hidden", "true");
  return [mark, make("span", "unseen")];
}

// The list of routers

const keyOfRouter = (router) => `${router.namespace}/${router.name}`;

function showRouters() {
  const counts = Object.fromEntries(ORDER.map((state) => [state, 0]));
  for (const router of routers) counts[router.state] += 1;
  const states = ORDER.filter((state) => counts[state] || state === only);
  keyed($("states"), states, (state) => state, chip, (button, state) => {
    put(button.lastChild, ` ${counts[state]} ${WORDS[state]}`);
    set(button, "aria-pressed", String(state === only));
  });
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = routers.filter((router) => {
    const text = `${keyOfRouter(router)} ${router.reason} ${router.said}`.toLowerCase();
    return (!only || router.state === only) && words.every((word) => text.includes(word));
  });
  put($("shown"), shown.length === routers.length ? `${routers.length}` : `${shown.length} of ${routers.length}`);
  $("none").hidden = shown.length > 0;
  keyed($("routers"), shown, keyOfRouter, line, (item, router) => {
    const link = item.firstElementChild;
    sign(link, router.state);
    put(link.querySelector("b"), router.name);
    put(link.querySelector(".where"), `${router.namespace} · ${router.said}`);
    const reason = link.querySelector(".reason");
    put(reason, router.reason);
    reason.hidden = !router.reason;
    const isChosen = chosen && keyOfRouter(chosen) === keyOfRouter(router);
    if (isChosen) set(link, "aria-current", "true");
    else link.removeAttribute("aria-current");
  });
}

function chip(state) {
  const mark = make("span", "sign", SIGNS[state]);
  mark.setAttribute("aria-hidden", "true");
  const button = make("button", "", mark, document.createTextNode(""));
  button.type = "button";
  button.dataset.state = state;
  button.addEventListener("click", () => {
    only = only === state ? "" : state;
    showRouters();
  });
  return button;
}

function line(router) {
  const link = make("a", "", ...signed(), make("b"), make("small", "where"), make("small", "reason"));
  link.href = `#${encodeURIComponent(router.namespace)}/${encodeURIComponent(router.name)}`;
  return make("li", "", link);
}

function choose() {
  const [namespace, name] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const wanted = name ? { namespace, name } : chosen || firstToLookAt();
  if (!wanted || (chosen && keyOfRouter(chosen) === keyOfRouter(wanted))) return;
  chosen = wanted;
  picture = before = null;
  traced = "";
  const where = make("span", "", `${chosen.namespace} / `);
  $("title").replaceChildren(where, chosen.name);
  document.title = `${chosen.name} · Semantic routers`;
  $("map").setAttribute("aria-busy", "true");
  showRouters();
  lookAtOne.now();
}

const firstToLookAt = () =>
  [...routers].sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state))[0];

// The map of one

function showMap() {
  const rates = ratesOf(picture);
  const leads = new Map();
  const names = new Map(picture.vertices.map((vertex) => [vertex.id, vertex.name]));
  for (const edge of picture.edges) {
    leads.set(edge.source, [...(leads.get(edge.source) || []), names.get(edge.target)]);
  }
  let most = 0;
  for (const column of document.querySelectorAll(".column")) {
    const own = picture.vertices.filter((vertex) => vertex.column === column.dataset.column);
    most = Math.max(most, own.length);
    keyed(column.querySelector("ol"), own, (vertex) => vertex.id, card, (element, vertex) => {
      fill(element, vertex, rates.get(vertex.id), leads.get(vertex.id) || []);
    });
    const title = column.querySelector("h3");
    title.dataset.title = title.dataset.title || title.textContent;
    put(title, own.length > 1 ? `${title.dataset.title} · ${own.length}` : title.dataset.title);
    column.hidden = column.dataset.column !== "router" && own.length === 0;
  }
  $("map").classList.toggle("long", most > 8);
  put($("remarks"), picture.remarks.join("\n"));
  $("remarks").hidden = picture.remarks.length === 0;
  $("map").setAttribute("aria-busy", "false");
  keepOneTabStop();
  keyed($("ways"), picture.edges, keyOfEdge, way, (path, edge) => {
    set(path, "data-state", edge.state);
    // Who counts by model does not count by way: something comes out here, and goes in there.
    path.classList.toggle("flows", rates.get(edge.source) > 0 && rates.get(edge.target) > 0);
  });
  draw();
  trace(traced);
}

const keyOfEdge = (edge) => `${edge.source} > ${edge.target}`;

// Per second since the look before; a router that began anew has counted nothing before.
function ratesOf(found) {
  const now = { at: performance.now(), counts: new Map() };
  for (const vertex of found.vertices) {
    const count = vertex.counts ? vertex.counts.requests : vertex.matches;
    if (count !== null) now.counts.set(vertex.id, count);
  }
  const rates = new Map();
  for (const [id, count] of now.counts) {
    const past = before && before.counts.get(id);
    if (past === undefined || past === null) continue;
    const came = count < past ? count : count - past;
    rates.set(id, (1000 * came) / (now.at - before.at));
  }
  before = now;
  return rates;
}

function card(vertex) {
  const head = make("div", "head", ...signed(), make("b"), make("span", "rate"));
  const element = make("li", "card", head, make("p", "quiet said"), make("p", "quiet counts"),
    make("ul", "notes"), make("ul", "parts"), make("p", "leads"));
  element.tabIndex = -1;
  element.addEventListener("focus", () => trace(vertex.id));
  element.addEventListener("blur", () => trace(""));
  element.addEventListener("mouseenter", () => trace(vertex.id));
  element.addEventListener("mouseleave", () => trace(idInFocus()));
  return element;
}

const idInFocus = () => (document.activeElement.matches(".card") ? document.activeElement.dataset.key : "");

function fill(element, vertex, rate, leads) {
  sign(element, vertex.state);
  put(element.querySelector("b"), vertex.name);
  put(element.querySelector(".rate"), rate > 0 ? `${number.format(rate)}/s` : "");
  optional(element.querySelector(".said"), vertex.said);
  optional(element.querySelector(".counts"), counted(vertex));
  optional(element.querySelector(".leads"), leads.length ? `Leads to ${leads.join(", ")}` : "");
  const notes = vertex.notes.map((note, place) => ({ ...note, key: `${place}` }));
  keyed(element.querySelector(".notes"), notes, (note) => note.key, emptyNote, fillNote);
  keyed(element.querySelector(".parts"), vertex.parts, (part) => part.name, emptyPart, fillPart);
  element.querySelector(".notes").hidden = notes.length === 0;
  element.querySelector(".parts").hidden = vertex.parts.length === 0;
}

function optional(element, text) {
  put(element, text);
  element.hidden = text === "";
}

function counted({ counts, matches }) {
  if (matches !== null) return amount(matches, "match", "es").replace(" ", "\u00a0");
  if (!counts) return "";
  const words = [amount(counts.requests, "request")];
  if (counts.errors) words.push(amount(counts.errors, "error"));
  if (counts.timed) words.push(`${duration(counts.seconds / counts.timed)} each`);
  if (counts.in_flight) words.push(`${number.format(counts.in_flight)} now`);
  return words.map((word) => word.replaceAll(" ", "\u00a0")).join(" · ");
}

const amount = (count, noun, more = "s") => `${number.format(count)} ${noun}${count === 1 ? "" : more}`;
const duration = (seconds) => (seconds >= 1 ? `${seconds.toFixed(1)} s` : `${Math.round(1000 * seconds)} ms`);

const emptyNote = () =>
  make("li", "", make("b"), make("p", "found"), make("p", "remedy", make("code"), make("span")));

function fillNote(element, note) {
  set(element, "data-state", note.state);
  optional(element.querySelector("b"), note.reason);
  optional(element.querySelector(".found"), note.found);
  const code = element.querySelector("code");
  if (code.textContent !== note.where) {
    code.replaceChildren(...note.where.split(/(?<=\.)/).flatMap((part) => [part, make("wbr")]));
  }
  put(element.querySelector("span"), `${note.where && note.remedy ? ": " : ""}${note.remedy}`);
  element.querySelector(".remedy").hidden = !note.where && !note.remedy;
}

const emptyPart = () => make("li", "", make("span", "sign"), make("span"), make("span"));

function fillPart(element, part) {
  const [mark, name, said] = element.children;
  set(element, "data-state", part.state);
  put(mark, SIGNS[part.state]);
  set(mark, "aria-label", WORDS[part.state]);
  set(mark, "role", "img");
  put(name, part.name);
  put(said, part.said);
}

// The ways between

function way() {
  return document.createElementNS("http://www.w3.org/2000/svg", "path");
}

function draw() {
  if (!picture || getComputedStyle($("ways")).display === "none") return;
  const ground = $("map").getBoundingClientRect();
  const boxes = new Map();
  for (const element of document.querySelectorAll(".card")) {
    const box = element.getBoundingClientRect();
    const middle = Math.min(box.height / 2, 60);
    boxes.set(element.dataset.key, {
      left: box.left - ground.left, right: box.right - ground.left, y: box.top - ground.top + middle,
    });
  }
  for (const path of $("ways").children) {
    const [source, target] = path.dataset.key.split(" > ").map((id) => boxes.get(id));
    if (!source || !target) continue;
    const bend = (target.left - source.right) / 2;
    set(path, "d", `M${source.right} ${source.y}c${bend} 0 ${bend} ${target.y - source.y} ${2 * bend} ${target.y - source.y}`);
  }
}

// Everything that leads to a vertex, and everything that it leads to.
function trace(id) {
  traced = id;
  $("map").classList.toggle("traced", Boolean(id));
  const on = new Set([id]);
  const ways = new Set();
  const walk = (from, to) => {
    const reached = [id];
    for (const one of reached) {
      for (const edge of picture ? picture.edges : []) {
        if (edge[from] !== one) continue;
        ways.add(keyOfEdge(edge));
        if (!reached.includes(edge[to])) reached.push(edge[to]);
        on.add(edge[to]);
      }
    }
  };
  if (id) {
    walk("source", "target");
    walk("target", "source");
  }
  for (const element of document.querySelectorAll(".card")) {
    element.classList.toggle("on", Boolean(id) && on.has(element.dataset.key));
  }
  for (const path of $("ways").children) path.classList.toggle("on", ways.has(path.dataset.key));
}

// Keys

// Tab goes to the map once, and to the card that was there last.
function keepOneTabStop(wanted) {
  const cards = [...document.querySelectorAll(".card")];
  const stop = wanted || cards.find((element) => element.tabIndex === 0) || cards[0];
  for (const element of cards) element.tabIndex = element === stop ? 0 : -1;
}

function stepOnMap(element, key) {
  const column = element.closest(".column");
  if (key === "ArrowDown") return element.nextElementSibling;
  if (key === "ArrowUp") return element.previousElementSibling;
  if (key === "Home") return column.querySelector(".card");
  if (key === "End") return column.querySelector("ol").lastElementChild;
  const [from, to] = key === "ArrowRight" ? ["source", "target"] : ["target", "source"];
  const edge = picture.edges.find((one) => one[from] === element.dataset.key);
  return edge && [...document.querySelectorAll(".card")].find((one) => one.dataset.key === edge[to]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = document.activeElement;
  let target = null;
  if (event.key === "/" && at.tagName !== "INPUT") target = $("filter");
  else if (event.key === "ArrowDown" && at === $("filter")) target = $("routers").querySelector("a");
  else if (at.matches("#routers a")) {
    const item = at.parentElement;
    if (event.key === "ArrowDown") target = item.nextElementSibling?.firstElementChild;
    if (event.key === "ArrowUp") target = item.previousElementSibling?.firstElementChild || $("filter");
  } else if (at.matches(".card") && /^(Arrow|Home$|End$)/.test(event.key)) {
    target = stepOnMap(at, event.key);
    event.preventDefault();
  }
  if (target) {
    event.preventDefault();
    target.focus();
  }
});

$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.querySelector('.card[tabindex="0"]')?.focus();
});
$("map").addEventListener("focusin", (event) => {
  if (event.target.matches(".card")) keepOneTabStop(event.target);
});
$("filter").addEventListener("input", showRouters);
addEventListener("hashchange", choose);
new ResizeObserver(draw).observe($("map"));

// Looking, again and again

const troubles = new Map();

function tell(what, text) {
  if (text) troubles.set(what, text);
  else troubles.delete(what);
  const all = [...new Set(troubles.values())].join(" ");
  put($("banner"), all);
  $("banner").hidden = !all;
  set($("clock"), "data-state", all ? "broken" : "ok");
  if (!all) put($("clock"), `live, ${new Date().toLocaleTimeString("en-GB")}`);
  else put($("clock"), $("clock").textContent.replace(/^(live|asking),?/, "as of"));
}

async function ask(path) {
  let answer;
  try {
    answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Error("kubectl sr ui does not answer: what you see is old. Start it again, and open its new address.");
  }
  const said = await answer.json();
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(said.error);
  return said;
}

// look() again and again, one at a time; now() at once, or right after the one that is going on.
function repeated(name, look) {
  let timer = 0;
  let busy = false;
  let again = false;
  const run = async () => {
    clearTimeout(timer);
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    try {
      if (!document.hidden) {
        await look();
        tell(name, "");
      }
    } catch (error) {
      tell(name, error.message);
    }
    busy = false;
    timer = setTimeout(run, again ? 0 : PAUSE);
  };
  return { now: run };
}

const lookAtAll = repeated("all", async () => {
  const states = new Map(routers.map((router) => [keyOfRouter(router), router.state]));
  routers = (await ask("routers.json")) || [];
  const changed = routers.filter((router) => states.has(keyOfRouter(router)) && states.get(keyOfRouter(router)) !== router.state);
  if (changed.length) put($("said"), changed.map((router) => `${router.name} is ${WORDS[router.state]}`).join(", "));
  showRouters();
  choose();
});

const lookAtOne = repeated("one", async () => {
  if (!chosen) return;
  const asked = chosen;
  const found = await ask(`router.json?${new URLSearchParams(asked)}`);
  if (asked !== chosen) return;
  if (!found) throw new Error(`There is no router ${keyOfRouter(asked)}, or not any more.`);
  picture = found;
  showMap();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  lookAtAll.now();
  lookAtOne.now();
});
lookAtAll.now();
lookAtOne.now();
