// The rows of the lists: requests, profiles, dead letters, instances.

import { badge, clock, count, el, keyed, opening, pretty, setText } from "./dom.js";

export function showRequests(list, requests) {
  keyed(list, requests, (request) => request.number, (request) => ({ element: el("li", {}, requestRow(request)) }));
}

function requestRow(request) {
  const refused = request.updates - request.applied;
  const { answer } = request;
  const summary = [
    el("span", { class: "time" }, clock(request.when)),
    answer ? badge(answer.status, answer.status >= 400 ? "bad" : refused ? "warn" : "good") : badge("no answer", "bad"),
    el("span", {}, count(request.updates, "update")),
    refused > 0 && el("span", { class: "warn" }, `${refused.toLocaleString("en")} not applied`),
    ...request.faults.map((name) => badge(name, "warn")),
    el("span", { class: "muted end" }, `${request.milliseconds.toPrecision(3)} ms`),
  ];
  return opening(summary, (body) => {
    const more = request.updates - request.sample.length;
    const sent = Object.entries(request.parameters).map(([name, value]) => `${name}=${value}`).join(" ") || "no parameters";
    body.append(
      el("p", { class: "muted" }, `${request.method}, ${request.content_type || "no content type"}, `, count(request.bytes, "byte"), `, ${sent}`),
      el("h3", {}, "Answer"),
      code(answer ? pretty(answer.body) : "none: the connection was closed"),
      el("h3", {}, more > 0 ? `The first ${count(request.sample.length, "update")} of ${request.updates.toLocaleString("en")}` : "Updates"),
      code(request.sample.map((update) => JSON.stringify(update)).join("\n")),
    );
  });
}

export function showProfiles(list, { profiles, deleted }, since) {
  const rows = [...profiles, ...deleted].sort((one, other) => other.version - one.version).slice(0, 50);
  const several = new Set(rows.map((row) => row.token)).size > 1;
  list.classList.toggle("several", several); // of projects: else the token is no news
  keyed(list, rows, keyOf, profileRow);
  for (const row of rows) {
    if (since && row.version > since) flash(list.known.get(keyOf(row)).element);
  }
}

const keyOf = (profile) => JSON.stringify([profile.token, profile.group_key, profile.group_id, profile.company_id]);

function profileRow(profile) {
  const name = el("p", { class: "name" },
    el("span", { class: "muted" }, `${profile.group_key} `), el("b", {}, profile.group_id),
    profile.company_id && el("span", { class: "muted" }, ` of company ${profile.company_id}`),
    el("span", { class: "muted token" }, ` in the project of ${profile.token}`));
  const table = el("dl", { class: "properties" });
  const element = el("li", {}, name, table);
  let shown = 0;
  const update = (now) => {
    if (now.version === shown) return;
    shown = now.version;
    element.classList.toggle("deleted", !now.properties);
    const properties = Object.entries(now.properties ?? {});
    table.replaceChildren(...properties.slice(0, 30).map(property));
    if (!now.properties) table.append(badge("deleted", "bad"));
    else if (!properties.length) table.append(el("span", { class: "muted" }, "no properties"));
    else if (properties.length > 30) table.append(el("span", { class: "muted" }, `and ${properties.length - 30} more`));
  };
  return { element, update };
}

function property([name, value]) {
  const text = JSON.stringify(value);
  return el("div", {}, el("dt", {}, name), " ", el("dd", {}, text.length > 200 ? `${text.slice(0, 200)}…` : text));
}

function flash(element) {
  element.classList.remove("flash");
  requestAnimationFrame(() => element.classList.add("flash"));
}

export function showDeadLetters(list, letters) {
  const first = !list.known; // what was there before a person looked is no news
  keyed(list, letters.slice(0, 100), (one) => `${one.topic}/${one.partition}/${one.offset}`, (one) => ({
    element: el("li", { class: first ? "" : "flash" }, letterRow(one)),
  }));
}

function letterRow(letter) {
  const place = `${letter.topic}[${letter.partition}]@${letter.offset}`;
  const summary = [
    el("span", { class: "time" }, clock(letter.when)),
    badge(letter.reason, "bad"),
    el("span", { class: "place" }, letter.source ?? place),
    letter.detail && el("span", { class: "muted" }, letter.detail),
  ];
  return opening(summary, (body) => {
    if (letter.error) body.append(el("h3", {}, "Mixpanel's words"), code(pretty(letter.error)));
    if (letter.update) body.append(el("h3", {}, "The update of this record"), code(pretty(letter.update)));
    if (!letter.error && !letter.update) body.append(el("p", { class: "muted" }, "It never became an update."));
    body.append(el("p", { class: "muted" }, `Kept at ${place}; group-consumer dlq show has the whole record.`));
  });
}

export function showInstances(list, instances) {
  keyed(list, instances, (instance) => instance.name, () => {
    const name = el("b");
    const state = badge("");
    const why = el("span", { class: "warn" });
    const assigned = el("span", { class: "muted place" });
    const update = (now) => {
      setText(name, now.name);
      setText(state, now.ready ? "ready" : "not ready");
      state.className = `badge ${now.ready ? "good" : "bad"}`;
      const halted = now.ready ? (now.halted ?? []).map((project) => `halted for ${project}`) : [];
      setText(why, [...(now.reasons ?? []), ...halted].join(", "));
      setText(assigned, partitions(now.assigned ?? []));
    };
    return { element: el("li", { class: "instance" }, name, state, why, assigned), update };
  });
}

function partitions(assigned) {
  return assigned.length ? `${assigned.length === 1 ? "partition" : "partitions"} ${assigned.join(", ")}` : "no partitions";
}

function code(text) {
  return el("pre", { tabindex: "0" }, text);
}
