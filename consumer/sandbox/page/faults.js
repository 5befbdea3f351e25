// The faults: one switch for each kind, its options, and a row for each fault that was named from elsewhere.

import { badge, el, keyed, setText } from "./dom.js";

const STATUSES = [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504];

export class Faults {
  constructor(section, call) {
    this.list = section.querySelector("ul");
    this.all = section.querySelector("#faults-off");
    this.call = call;
    this.all.addEventListener("click", () => this.change("DELETE", "/faults"));
    section.append(el("datalist", { id: "statuses" }, ...STATUSES.map((value) => el("option", { value }))));
  }

  show({ faults, kinds }) {
    this.kinds ??= kinds;
    const on = new Map(faults.map((fault) => [fault.name, fault]));
    const own = this.kinds.map((kind) => ({ ...kind, name: kind.kind, fault: on.get(kind.kind) }));
    const named = faults
      .filter((fault) => !this.kinds.some((kind) => kind.kind === fault.name))
      .map((fault) => ({ ...this.kinds.find((kind) => kind.kind === fault.kind), name: fault.name, fault }));
    keyed(this.list, [...own, ...named], (row) => row.name, (row) => this.row(row));
    this.all.disabled = !faults.length;
  }

  async change(method, path, body) {
    const answer = await this.call(method, path, body);
    if (answer) this.show({ faults: answer.faults, kinds: this.kinds });
  }

  row(kind) {
    const title = kind.name === kind.kind ? kind.meaning : `${kind.meaning} (${kind.name})`;
    const inputs = [...kind.options.map(input), ...COMMON.map(input)];
    const place = `/faults/${encodeURIComponent(kind.name)}`;
    const struck = badge("", "warn");
    const whose = badge("");
    const toggle = el("button", { type: "button", role: "switch", "aria-checked": "false" }, title);
    const isOn = () => toggle.getAttribute("aria-checked") === "true";
    const put = () => {
      const options = Object.fromEntries(inputs.map(({ name, read }) => [name, read()]));
      return this.change("PUT", place, { kind: kind.kind, ...options });
    };
    toggle.addEventListener("click", () => (isOn() ? this.change("DELETE", place) : put()));
    const id = `options-${kind.name}`;
    const form = el("form", { id, class: "options", hidden: true, "aria-label": `Options: ${title}` }, ...inputs.map(({ field }) => field));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => isOn() && form.reportValidity() && put());
    const open = el("button", { type: "button", class: "small", "aria-expanded": "false", "aria-controls": id, "aria-label": `Options: ${title}` }, "options");
    open.addEventListener("click", () => {
      form.hidden = !form.hidden;
      open.setAttribute("aria-expanded", String(!form.hidden));
    });
    const element = el("li", { class: "fault" }, el("div", { class: "head" }, toggle, whose, struck, open), form);
    const update = ({ fault }) => {
      toggle.setAttribute("aria-checked", String(Boolean(fault)));
      element.classList.toggle("on", Boolean(fault));
      setText(whose, fault ? conditions(fault) : "");
      setText(struck, fault?.struck ? `struck ${fault.struck}` : "");
      if (fault && !form.contains(document.activeElement)) inputs.forEach(({ name, write }) => write(fault[name]));
    };
    return { element, update };
  }
}

const COMMON = [
  { name: "times", default: "", meaning: "strike so many requests; empty: any number", whole: true },
  { name: "probability", default: 1, meaning: "of striking a request, 0 to 1", step: "any", max: 1 },
];

const WHOSE = ["group_key", "group_id", "operation", "property", "token"];

// Which updates alone a fault is for.
function conditions(fault) {
  const given = WHOSE.filter((name) => fault[name]).map((name) => `${name} ${fault[name]}`);
  return given.length ? `only ${given.join(", ")}` : "";
}

// One option: its field, and how it is read and written.
function input(option) {
  const { name } = option;
  const words = el("span", { class: "hint" }, option.meaning);
  if (typeof option.default === "boolean") {
    const box = el("input", { type: "checkbox", checked: option.default });
    const field = el("label", { class: "check" }, box, `${name} `, words);
    return { name, field, read: () => box.checked, write: (value) => (box.checked = Boolean(value)) };
  }
  if (option.choices?.length) {
    const choice = el("select", {}, ...option.choices.map((value) => el("option", { value }, value)));
    choice.value = option.default;
    return { name, field: el("label", {}, name, choice, words), read: () => choice.value, write: (value) => (choice.value = value) };
  }
  const numeric = option.whole || typeof option.default === "number";
  const box = el("input", numeric
    ? { type: "number", min: option.whole ? 1 : 0, max: option.max, step: option.step ?? 1, list: name === "status" && "statuses" }
    : { type: "text", autocomplete: "off", spellcheck: "false" });
  box.value = option.default;
  return {
    name,
    field: el("label", {}, name, box, words),
    read: () => (numeric ? (box.value === "" ? (option.whole ? null : option.default) : Number(box.value)) : box.value),
    write: (value) => (box.value = value ?? ""),
  };
}
