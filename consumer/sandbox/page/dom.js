// Elements from values. Text is only ever set as text: what arrived is never read as markup.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

// Make the list show the items in order, keep the element of an item that stays, and tell which one is new.
// `make(item)` returns { element, update(item) }; the element is kept under its key, so what a person opened stays open.
export function keyed(list, items, keyOf, make) {
  const known = (list.known ??= new Map());
  const keys = new Set(items.map(keyOf));
  for (const [key, row] of known) {
    if (!keys.has(key)) {
      row.element.remove();
      known.delete(key);
    }
  }
  let place = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let row = known.get(key);
    if (!row) {
      row = make(item);
      known.set(key, row);
    }
    row.update?.(item);
    if (row.element === place) place = place.nextElementSibling;
    else list.insertBefore(row.element, place);
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A row that opens; `fill(body)` is called when it does, so that what nobody looks at costs nothing.
export function opening(summary, fill) {
  const body = el("div", { class: "body" });
  const details = el("details", {}, el("summary", {}, ...summary), body);
  details.addEventListener("toggle", () => {
    if (details.open && !body.hasChildNodes()) fill(body);
  });
  return details;
}

export function badge(text, kind = "") {
  return el("span", { class: `badge ${kind}` }, text);
}

export function pretty(value) {
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

const NUMBER = new Intl.NumberFormat("en");

export function count(number, one, many = `${one}s`) {
  return `${NUMBER.format(number)} ${number === 1 ? one : many}`;
}

export function figure(number) {
  return NUMBER.format(number);
}

// Seconds or milliseconds since 1970, or text.
export function clock(when) {
  if (typeof when !== "number") return when == null ? "" : String(when);
  const date = new Date(when < 1e11 ? when * 1000 : when);
  return date.toLocaleTimeString("en-GB");
}
