// Shows the grid and the way of the selected invoice, asking for news more
// often while one is on its way.
"use strict";
(() => {
  const soon = 150, idle = 1000;
  const find = (name) => document.querySelector(name);
  const grid = find("[data-grid]"), journey = find("[data-journey]"), said = find("[data-said]"), trouble = find(".trouble"), waiting = find("[data-waiting]");
  const more = find("details.more");
  let selected = Number(new URLSearchParams(location.search).get("invoice")) || 0;
  let last = "", timer = 0, chips = new Map(), refused = false;

  const make = (tag, set = {}, ...inside) => {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(set)) {
      if (value !== "" && value !== undefined) e.setAttribute(name, value);
    }
    e.append(...inside);
    return e;
  };
  const label = (status) => status ? status[0].toUpperCase() + status.slice(1) : "";

  const chip = (c) => {
    const parts = [make("span", { class: `chip ${c.status}` }, label(c.status))];
    if (c.reference) {
      parts.push(c.link ? make("a", { href: c.link, target: "_blank", "data-key": c.link }, c.reference) : c.reference);
    }
    if (c.reason) parts.push(make("span", { class: "reason" }, c.reason));
    return parts;
  };

  const row = (i) => make("tr", { class: i.id === selected ? "chosen" : "", "data-invoice": i.id },
    make("th", { scope: "row" }, make("button", { type: "button", class: "plain", "data-key": `row-${i.id}`, "aria-pressed": String(i.id === selected) }, i.number)),
    make("td", { class: "wide" }, i.date), make("td", { class: "wide spare" }, i.order), make("td", {}, i.bill_to),
    make("td", { class: "wide spare" }, i.state), make("td", { class: "figure" }, i.total), make("td", { class: "status" }, ...chip(i.chip)));

  const step = (s) => make("li", { class: `${s.where} ${s.tone}` },
    make("span", { class: "after" }, s.after), make("span", { class: "what" }, s.what),
    make("span", { class: "where" }, label(s.where)), ...(s.more ? [make("span", { class: "detail" }, s.more)] : []));

  const way = (j) => [
    make("h2", {}, `Invoice ${j.number}`),
    make("p", { class: "status" }, ...chip(j.chip)),
    ...(j.summary ? [make("p", { class: "summary" }, j.summary)] : []),
    make("ol", {}, ...j.steps.map(step)),
    ...(j.run_url ? [make("p", {}, make("a", { href: j.run_url, target: "_blank", "data-key": "run" }, "The run in Towpath's dashboard"))] : []),
  ];

  const show = (state) => {
    const focused = document.activeElement?.dataset?.key;
    grid.replaceChildren(...state.invoices.map(row));
    find("[data-total]").textContent = state.total;
    find("[data-empty]").hidden = state.total > 0;
    journey.hidden = !state.selected;
    if (state.selected) journey.replaceChildren(...way(state.selected));
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    for (const i of state.invoices) {
      const before = chips.get(i.id);
      if (before && before !== i.chip.status) said.textContent = `Invoice ${i.number}: ${i.chip.status} ${i.chip.reference}`;
      chips.set(i.id, i.chip.status);
    }
  };

  const look = async () => {
    clearTimeout(timer);
    let next = idle;
    try {
      const asked = selected;
      const answer = await fetch(`/state?invoice=${asked}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(await answer.text());
      const raw = await answer.text();
      if (!refused) trouble.hidden = true;
      const state = JSON.parse(raw);
      if (asked === selected && raw + selected !== last && getSelection().isCollapsed) {
        last = raw + selected;
        show(state);
      }
      const running = state.invoices.some((i) => i.chip.status === "pending" && !i.chip.reason);
      const settling = state.selected && state.selected.chip.status === "synced" && !state.selected.steps.some((s) => s.what === "Told");
      if (running || settling || asked !== selected) next = soon;
    } catch (problem) {
      trouble.textContent = problem instanceof TypeError ? "The demo has ended, or does not answer." : problem.message;
      trouble.hidden = false;
    }
    clearTimeout(timer);
    timer = setTimeout(look, document.hidden ? idle : next);
  };

  const choose = (id) => {
    selected = id;
    history.replaceState(null, "", `/?invoice=${id}`);
    look();
  };

  const raise = async (kind) => {
    more.open = refused = false;
    trouble.hidden = true;
    const slow = setTimeout(() => { waiting.hidden = false; }, 300);
    try {
      const answer = await fetch("/raise", { method: "POST", body: new URLSearchParams({ kind }) });
      if (!answer.ok) throw new Error(await answer.text());
      choose((await answer.json()).id);
    } catch (problem) {
      trouble.textContent = problem instanceof TypeError ? "The demo has ended, or does not answer." : problem.message;
      trouble.hidden = false;
      refused = !(problem instanceof TypeError); // said until the next button
    }
    clearTimeout(slow);
    waiting.hidden = true;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-raise]");
    if (button) return void raise(button.dataset.raise);
    if (!event.target.closest("details.more")) more.open = false;
    const line = event.target.closest("[data-invoice]");
    if (line && !event.target.closest("a") && getSelection().isCollapsed) choose(Number(line.dataset.invoice));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !more.open) return;
    more.open = false;
    more.querySelector("summary").focus();
  });
  look();
})();
