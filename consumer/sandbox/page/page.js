// Asks the sandbox once a second, and shows what it says.

import { count, el, figure, keyed, setText } from "./dom.js";
import { Faults } from "./faults.js";
import { Plot } from "./plot.js";
import { showDeadLetters, showInstances, showProfiles, showRequests } from "./rows.js";

const EVERY = 1000; // milliseconds
const PATIENCE = 5000;
const byId = (id) => document.getElementById(id);

const throughput = new Plot(byId("plot-throughput"), "Updates applied a second");
const lag = new Plot(byId("plot-lag"), "Lag in records");
const faults = new Faults(byId("faults"), change);
let paused = false;
let version = 0;
const last = {}; // what each provider said when it last answered
let before = null; // [seconds, updates] of the last turn

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// Change something; what goes wrong is said, not thrown.
async function change(method, path, body) {
  try {
    const answer = await fetch(path, { method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(60_000) });
    const said = await answer.json();
    if (!answer.ok) say(said.error, true);
    else if (said.said || byId("said").classList.contains("bad")) say(said.said ?? "");
    return answer.ok ? said : null;
  } catch {
    say("The sandbox does not answer.", true);
    return null;
  }
}

function say(text, bad = false) {
  const line = byId("said");
  setText(line, text);
  line.classList.toggle("bad", bad);
  line.hidden = !text;
}

function link(text, kind) {
  const state = byId("link");
  setText(state, text);
  state.className = `state ${kind}`;
}

async function turn() {
  const match = byId("match").value;
  const stats = await ask("/stats");
  const silent = [];
  const provided = async (name) => {
    if (!stats.provided.includes(name)) return null;
    await ask(`/${name}`).then((said) => (last[name] = said), () => silent.push(name));
    return last[name] ?? null;
  };
  const [requests, profiles, switched, actions, service, letters] = await Promise.all([
    ask("/requests?limit=40"),
    ask(`/profiles?changed_since=0&limit=50&match=${encodeURIComponent(match)}`),
    ask("/faults"),
    ask("/actions"),
    provided("service"),
    provided("dead-letters"),
  ]);
  if (paused) return;
  showFigures(stats, service);
  showPlots(stats, service);
  showRequests(byId("requests").querySelector("ul"), requests);
  setText(byId("requests").querySelector(".count"), figure(stats.requests));
  showProfiles(byId("profiles").querySelector("ul"), profiles, version);
  setText(byId("profiles").querySelector(".count"), figure(profiles.total));
  version = profiles.version;
  faults.show(switched);
  showService(service, actions);
  showLetters(letters, service);
  link(silent.length ? `live, but without ${silent.join(" and ")}` : "live", silent.length ? "warn" : "good");
}

function showFigures(stats, service) {
  const figures = [
    service && ["Events read", figure(service.events_read)],
    ["Updates", figure(stats.updates)],
    ["Requests", figure(stats.requests)],
    stats.requests > 0 && ["Per request", (stats.updates / stats.requests).toFixed(1)],
    ["Refused", figure(stats.refused)],
    stats.queries > 0 && ["Read back", figure(stats.queries)],
    ["Profiles", figure(stats.profiles)],
    service && ["Dead letters", figure(sum(service.dead_letters))],
    service && ["Lag", figure(service.lag)],
    service?.order && ["Steps back", figure(service.order.back), `of ${figure(service.order.steps)}`],
    service && ["Committed", figure(service.committed), `of ${figure(service.consumed)} read`],
  ].filter(Boolean);
  keyed(byId("figures"), figures, ([name]) => name, ([name]) => {
    const [value, rest] = [el("span"), el("small")];
    const update = ([, text, more = ""]) => [setText(value, text), setText(rest, more)];
    return { element: el("div", {}, el("dt", {}, name), el("dd", {}, value, rest)), update };
  });
}

const sum = (counts) => Object.values(counts ?? {}).reduce((total, each) => total + each, 0);

function showPlots(stats, service) {
  const now = performance.now() / 1000;
  if (before && now > before[0]) throughput.add(now, Math.max(0, stats.updates - before[1]) / (now - before[0]));
  before = [now, stats.updates];
  byId("lag").hidden = !service;
  if (service) lag.add(now, service.lag);
}

function showService(service, actions) {
  byId("service").hidden = !service && !actions.length;
  byId("instances").hidden = !service;
  byId("try").hidden = !actions.length;
  if (service) showInstances(byId("instances"), service.instances);
  showActions(actions);
}

function showLetters(letters, service) {
  const section = byId("dead-letters");
  section.hidden = !letters;
  if (!letters) return;
  showDeadLetters(section.querySelector("ul"), letters);
  const reasons = Object.entries(service?.dead_letters ?? {}).map(([reason, number]) => `${reason} ${figure(number)}`);
  setText(section.querySelector(".count"), reasons.join(", ") || figure(letters.length));
}

function showActions(actions) {
  keyed(byId("actions"), actions, (action) => action.name, (action) => {
    const button = el("button", { type: "button", onclick: act }, action.label);
    async function act() {
      if (button.ariaDisabled === "true") return;
      button.ariaDisabled = "true"; // not disabled: the keyboard would lose its place
      say(`${button.textContent} …`);
      const done = await change("POST", `/actions/${encodeURIComponent(action.name)}`);
      if (done && !done.said) say(`${button.textContent}: done`);
      button.ariaDisabled = "false";
    }
    return { element: button, update: (now) => setText(button, now.label) };
  });
}

byId("pause").addEventListener("click", ({ target }) => {
  paused = !paused;
  target.setAttribute("aria-pressed", String(paused));
  if (paused) link("paused", "warn");
});
byId("match").addEventListener("input", () => turn().catch(() => {}));

async function live() {
  for (;;) {
    if (!paused && !document.hidden) {
      try {
        await turn();
      } catch {
        link("the sandbox does not answer; asking again", "bad");
        before = null;
      }
    }
    await new Promise((resume) => setTimeout(resume, EVERY));
  }
}

live();
