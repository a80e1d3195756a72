"use strict";
(() => {
  const rows = JSON.parse(document.getElementById("trajectory-data").textContent);
  const list = document.getElementById("list");
  const view = document.getElementById("conversation");
  const filters = document.getElementById("filters");
  const chosen = {};
  const fields = {
    round: ["Round", (row) => [row.round]],
    domain: ["Domain", (row) => [row.domain]],
    mode: ["Reasoning mode", (row) => [row.mode]],
    operator: ["Operator", (row) => (row.operators.length ? row.operators : ["none"])],
    outcome: ["Outcome", (row) => (row.reason ? [row.outcome, row.outcome + ": " + row.reason.split(":")[0]] : [row.outcome])],
  };
  let shown = [];
  let open = -1;

  // Every text goes through textContent: nothing a model wrote is ever parsed as HTML.
  const element = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  const pretty = (text) => {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };

  const source = (text) => {
    try {
      const value = JSON.parse(text);
      if (value && typeof value.code === "string" && Object.keys(value).length === 1) return value.code;
    } catch {
      return text;
    }
    return pretty(text);
  };

  const block = (name, detail, text, isOpen) => {
    const node = element("details", "block");
    const summary = element("summary");
    summary.append(element("code", "", name), " ", element("small", "", detail));
    node.append(summary, element("pre", "", text));
    node.open = isOpen;
    return node;
  };

  const message = (part, label, calls) => {
    const node = element("div", "message " + part.role);
    if (part.role === "tool") {
      const detail = "observation" + (part.simulated ? ", made up by a model" : "");
      node.append(block(calls[part.answers] || "tool", detail, pretty(part.content), part.content.length < 400));
      return node;
    }
    node.append(element("p", "who", part.role + (label ? " · " + label : "")));
    if (part.reasoning) node.append(element("div", "reasoning", part.reasoning));
    if (part.content) node.append(element("div", "bubble", part.content));
    for (const call of part.calls || []) {
      calls[call.id] = call.name;
      node.append(block(call.name, "call", source(call.arguments), true));
    }
    return node;
  };

  const show = (position) => {
    open = position;
    for (const [index, item] of [...list.children].entries()) item.setAttribute("aria-selected", index === position);
    const row = shown[position];
    view.replaceChildren();
    view.scrollTop = 0;
    if (!row) {
      view.append(element("p", "", "Nothing matches these filters."));
      return;
    }
    const facts = element("p", "facts");
    const outcome = row.outcome + (row.reason ? " (" + row.reason + ")" : "");
    facts.append(element("b", "", row.id), " · " + row.batch + " · " + row.domain + " · CAC " + row.cac);
    facts.append(element("br"), row.mode, element("br"), outcome);
    if (row.operators.length) facts.append(" · operators: " + row.operators.join(", "));
    view.append(facts);
    const calls = {};
    let spoken = 0;
    for (const part of row.messages) {
      view.append(message(part, part.role === "assistant" ? row.labels[spoken++] : "", calls));
    }
  };

  const item = (row, position) => {
    const node = element("button", "item");
    node.type = "button";
    node.setAttribute("role", "option");
    node.append(element("span", "tag " + row.outcome, row.outcome), element("b", "", row.domain));
    node.append(element("small", "", row.mode), element("small", "", row.batch + " · CAC " + row.cac + " · " + row.id));
    if (row.reason) node.append(element("small", "", row.reason));
    node.addEventListener("click", () => show(position));
    return node;
  };

  const matches = (row, except) =>
    Object.keys(fields).every((name) => name === except || !chosen[name] || fields[name][1](row).includes(chosen[name]));

  const refresh = () => {
    shown = rows.filter((row) => matches(row));
    list.replaceChildren(...shown.map(item));
    drawFilters();
    show(shown.length ? 0 : -1);
  };

  // Each menu counts what choosing it would show, given the other menus.
  const drawFilters = () => {
    filters.replaceChildren();
    for (const [name, [title, values]] of Object.entries(fields)) {
      const counts = new Map();
      for (const row of rows) if (matches(row, name)) for (const value of values(row)) counts.set(value, (counts.get(value) || 0) + 1);
      const select = element("select");
      select.id = "filter-" + name;
      select.append(new Option("any", ""));
      const byName = name === "round" || name === "domain" || name === "outcome";
      const sorted = [...counts].sort((a, b) => (byName ? 0 : b[1] - a[1]) || (a[0] < b[0] ? -1 : 1));
      for (const [value, count] of sorted) select.append(new Option(value + " (" + count + ")", value));
      select.value = chosen[name] || "";
      select.addEventListener("change", () => {
        chosen[name] = select.value;
        refresh();
        document.getElementById(select.id).focus();
      });
      const label = element("label", "", title);
      label.append(select);
      filters.append(label);
    }
    filters.append(element("output", "", shown.length + " of " + rows.length));
  };

  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !shown.length) return;
    event.preventDefault();
    show(Math.min(Math.max(open + step, 0), shown.length - 1));
    list.children[open].focus();
  });

  refresh();
})();
